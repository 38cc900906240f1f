//! The bytes of an answer that may hold a credential, wiped from memory when nobody reads them any more.

use bytes::Bytes;
use zeroize::Zeroizing;

/// Room for so many bytes from the beginning: nearly every answer of a token endpoint fits.
const ROOM: usize = 8 * 1024;

/// What has arrived so far. Where it has to move to a larger room, the smaller one is wiped.
#[derive(Default)]
pub(super) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity()).max(ROOM)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// All of it, where it is. It is wiped when the last clone goes.
    pub(super) fn whole(self) -> Bytes {
        Bytes::from_owner(self.0)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::unix::fs::FileExt as _};

    const MARK: u8 = 0xA7;

    /// How many bytes of the mark stand in this process's memory at a place that may have been given back.
    fn marks(at: usize, length: usize) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        // On the stack: memory that was asked for now could be that very place.
        let mut piece = [0; 256];
        let mut count = 0;
        for from in (at..at + length).step_by(piece.len()) {
            let piece = &mut piece[..256.min(at + length - from)];
            if memory.read_exact_at(piece, u64::try_from(from).unwrap()).is_ok() {
                count += piece.iter().filter(|&&byte| byte == MARK).count();
            }
        }
        count
    }

    fn place(bytes: &[u8]) -> usize {
        bytes.as_ptr().addr()
    }

    #[test]
    fn memory_that_is_given_back_keeps_its_bytes_unless_they_are_wiped() {
        // Beside it, so that the allocator does not give the page back to the system.
        let (plain, beside) = (vec![MARK; ROOM], vec![0u8; ROOM]);
        let at = place(&plain);
        drop(plain);
        assert!(marks(at, ROOM) > ROOM / 2, "nothing could be seen here, so the other tests show nothing");
        drop(beside);
    }

    #[test]
    fn an_answer_is_wiped_when_its_last_reader_goes_and_so_is_every_room_that_it_outgrew() {
        let mut wiped = Wiped::default();
        let mut rooms = Vec::new();
        for _ in 0..40 {
            wiped.add(&[MARK; 1024]);
            if rooms.last().is_none_or(|(at, _)| *at != place(&wiped.0)) {
                rooms.push((place(&wiped.0), wiped.0.capacity()));
            }
        }
        assert!(rooms.len() > 2, "{rooms:?}");
        let whole = wiped.whole();
        let (at, _) = rooms.pop().unwrap();
        assert_eq!((place(&whole), whole.len()), (at, 40 * 1024), "it did not move");
        let part = whole.slice(100..200);
        drop(whole);
        assert_eq!(marks(at, 40 * 1024), 40 * 1024, "somebody still reads it");
        drop(part);
        for (at, length) in rooms.into_iter().chain([(at, 40 * 1024)]) {
            assert!(marks(at, length) < length / 8, "{} of {length} bytes are still there", marks(at, length));
        }
    }
}
