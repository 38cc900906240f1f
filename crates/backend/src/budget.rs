//! What all buffered answers together may take.

use crate::ErrorKind;
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Shorter answers are not counted: they cost less than the counting.
const SMALL: usize = 16 * 1024;

/// The process-wide budget for buffered answers, in bytes.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// A part of the budget, given back when dropped.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    pub(crate) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Reservation {
    /// Makes the part at least this large.
    ///
    /// # Errors
    /// [`ErrorKind::Budget`] when there is not that much left.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        if bytes <= SMALL || bytes <= self.bytes {
            return Ok(());
        }
        let more = bytes - self.bytes;
        if self.budget.used.fetch_add(more, Ordering::Relaxed).saturating_add(more) > self.budget.limit {
            self.budget.used.fetch_sub(more, Ordering::Relaxed);
            return Err(ErrorKind::Budget);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The same bytes, holding this part until the last of them is gone. Nothing is copied.
    pub(crate) fn hold(&mut self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 {
            return bytes;
        }
        let part = Self { budget: Arc::clone(&self.budget), bytes: std::mem::take(&mut self.bytes) };
        Bytes::from_owner(Held { bytes, _part: part })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

struct Held {
    bytes: Bytes,
    _part: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_given_back_with_the_last_of_its_bytes() {
        let budget = Budget::new(100_000);
        let mut part = budget.reserve();
        part.cover(60_000).unwrap();
        assert!(matches!(budget.reserve().cover(60_000), Err(ErrorKind::Budget)));
        let bytes = part.hold(Bytes::from(vec![7; 60_000]));
        drop(part);
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(budget.used(), 60_000);
        assert_eq!(slice[..], [7; 10]);
        drop(slice);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn short_answers_are_not_counted() {
        let budget = Budget::new(0);
        assert!(budget.reserve().cover(SMALL).is_ok());
        assert!(budget.reserve().cover(SMALL + 1).is_err());
        assert_eq!(budget.used(), 0);
    }
}
