//! The bytes of an answer that may hold a credential, wiped from memory when nobody reads them any more.

use bytes::Bytes;
use std::fmt;
use zeroize::Zeroizing;

/// Room for so many bytes from the beginning: nearly every answer of a token endpoint fits.
const ROOM: usize = 8 * 1024;

/// What has arrived so far. Where it has to move to a larger room, the smaller one is wiped.
///
/// ```
/// let mut wiped = vmcp_auth::Wiped::default();
/// wiped.add(b"{\"access_token\":");
/// wiped.add(b"\"x\"}");
/// assert_eq!(wiped.whole(), "{\"access_token\":\"x\"}");
/// ```
#[derive(Default)]
pub struct Wiped(Zeroizing<Vec<u8>>);

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({} bytes)", self.len())
    }
}

impl Wiped {
    /// How many bytes have arrived.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in what has arrived next.
    pub fn add(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity()).max(ROOM)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// All of it, where it is. It is wiped when the last clone goes.
    #[must_use]
    pub fn whole(self) -> Bytes {
        Bytes::from_owner(self.0)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{left, mark, place};

    #[test]
    fn an_answer_is_wiped_when_its_last_reader_goes_and_so_is_every_room_that_it_outgrew() {
        let mark = mark();
        let mut wiped = Wiped::default();
        let mut rooms = Vec::new();
        for _ in 0..40 {
            wiped.add(&[mark; 1024]);
            if rooms.last().is_none_or(|(at, _)| *at != place(&wiped.0)) {
                rooms.push((place(&wiped.0), wiped.0.capacity()));
            }
        }
        assert!(rooms.len() > 2, "{rooms:?}");
        assert_eq!(format!("{wiped:?}"), "Wiped(40960 bytes)");
        let whole = wiped.whole();
        let (at, _) = rooms.pop().unwrap();
        assert_eq!((place(&whole), whole.len()), (at, 40 * 1024), "it did not move");
        let part = whole.slice(100..200);
        drop(whole);
        assert_eq!(left(at, 40 * 1024, mark), 40 * 1024, "somebody still reads it");
        drop(part);
        for (at, length) in rooms.into_iter().chain([(at, 40 * 1024)]) {
            assert!(left(at, length, mark) < length / 8, "{} of {length} bytes are still there", left(at, length, mark));
        }
    }
}
