//! What all buffered answers together may take.

use crate::ErrorKind;
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Shorter answers are not counted: they cost less than the counting.
const SMALL: usize = 16 * 1024;

/// The budget for buffered answers, in bytes: the process-wide one, or one backend's share of it.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    whole: Option<Arc<Budget>>,
}

/// A part of the budget, given back when dropped.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), whole: None })
    }

    /// What one backend may have of it: half, so that none alone leaves the others nothing, and one answer of `longest` bytes at least.
    pub(crate) fn share(self: &Arc<Self>, longest: usize) -> Arc<Self> {
        Arc::new(Self { limit: (self.limit / 2).max(longest), used: AtomicUsize::new(0), whole: Some(Arc::clone(self)) })
    }

    fn take(&self, bytes: usize) -> Result<(), ErrorKind> {
        if self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(ErrorKind::Budget);
        }
        let taken = self.whole.as_ref().map_or(Ok(()), |whole| whole.take(bytes));
        taken.inspect_err(|_| _ = self.used.fetch_sub(bytes, Ordering::Relaxed))
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.give_back(bytes);
        }
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
        self.budget.take(bytes - self.bytes)?;
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
            self.budget.give_back(self.bytes);
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
    fn no_backend_takes_what_is_left_for_the_others() {
        let whole = Budget::new(200_000);
        let (one, other) = (whole.share(20_000), whole.share(20_000));
        let (mut greedy, mut modest) = (one.reserve(), other.reserve());
        greedy.cover(100_000).unwrap();
        assert!(matches!(one.reserve().cover(20_000), Err(ErrorKind::Budget)));
        modest.cover(90_000).unwrap();
        // Its share would do, the whole does not.
        assert!(matches!(whole.share(150_000).reserve().cover(150_000), Err(ErrorKind::Budget)));
        drop((greedy, modest));
        assert_eq!((one.used(), other.used(), whole.used()), (0, 0, 0));
        assert!(whole.share(150_000).reserve().cover(150_000).is_ok());
    }

    #[test]
    fn short_answers_are_not_counted() {
        let budget = Budget::new(0);
        assert!(budget.reserve().cover(SMALL).is_ok());
        assert!(budget.reserve().cover(SMALL + 1).is_err());
        assert_eq!(budget.used(), 0);
    }
}
