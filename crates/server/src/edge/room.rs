//! What all request bodies together may take.

use crate::failure::Failure;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Shorter bodies are not counted: they cost less than the counting.
const SMALL: usize = 16 * 1024;

/// The bytes of all longer bodies that are being read or served.
#[derive(Default)]
pub(crate) struct Bodies(AtomicUsize);

/// One body's part, given back when dropped.
pub(crate) struct Room {
    bodies: Arc<Bodies>,
    limit: usize,
    bytes: usize,
}

impl Room {
    /// Nothing yet. `limit` is for all bodies together.
    pub(crate) fn new(bodies: &Arc<Bodies>, limit: usize) -> Self {
        Self { bodies: Arc::clone(bodies), limit, bytes: 0 }
    }

    /// Makes the part at least this large: as much as has arrived, whatever was announced.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), Failure> {
        if bytes <= SMALL || bytes <= self.bytes {
            return Ok(());
        }
        let more = bytes - self.bytes;
        if self.bodies.0.fetch_add(more, Ordering::Relaxed).saturating_add(more) > self.limit {
            self.bodies.0.fetch_sub(more, Ordering::Relaxed);
            return Err(Failure::busy("no memory left for a message of this size (limits.requestBudget); try again"));
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.bodies.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_the_budget_and_give_it_back() {
        let bodies = Arc::default();
        let (mut first, mut second) = (Room::new(&bodies, 100_000), Room::new(&bodies, 100_000));
        assert!(first.cover(60_000).is_ok() && first.cover(50_000).is_ok());
        assert!(second.cover(SMALL).is_ok() && second.cover(40_000).is_ok());
        assert!(second.cover(40_001).is_err() && Room::new(&bodies, 100_000).cover(SMALL).is_ok(), "small ones always fit");
        drop(first);
        assert!(second.cover(100_000).is_ok());
        drop(second);
        assert_eq!(bodies.0.load(Ordering::Relaxed), 0);
    }
}
