//! What stands in this process's memory where something was: so it can be seen what is wiped.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    sync::atomic::{AtomicU8, Ordering},
};

/// A byte for one test to look for, a capital letter. The tests of one process share its memory: with a mark of its own, none takes what
/// another one left for its own, or has its own written over with the same.
pub(crate) fn mark() -> u8 {
    static NEXT: AtomicU8 = AtomicU8::new(b'A');
    let mark = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(mark <= b'T', "there are no more marks; `U` and `V` are taken by hand");
    mark
}

/// Where bytes are.
pub(crate) fn place(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr()
}

/// How many times a byte stands at a place, which may have been given back.
pub(crate) fn left(at: usize, length: usize, mark: u8) -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    // On the stack: memory that was asked for now could be that very place.
    let mut piece = [0; 256];
    let mut count = 0;
    for from in (at..at + length).step_by(piece.len()) {
        let piece = &mut piece[..256.min(at + length - from)];
        if memory.read_exact_at(piece, u64::try_from(from).unwrap()).is_ok() {
            count += piece.iter().filter(|&&byte| byte == mark).count();
        }
    }
    count
}

#[test]
fn memory_that_is_given_back_keeps_its_bytes_unless_they_are_wiped() {
    for length in [4096, 8192] {
        let mark = mark();
        let is_seen = || {
            // Beside it, so that the allocator does not give the page back to the system.
            let (plain, beside) = (vec![mark; length], vec![0u8; length]);
            let at = place(&plain);
            drop(plain);
            let is_seen = left(at, length, mark) > length / 2;
            drop(beside);
            is_seen
        };
        // Another test may be given the place in between, but not every time.
        assert!((0..100).any(|_| is_seen()), "nothing could be seen here, so the other tests show nothing");
    }
}
