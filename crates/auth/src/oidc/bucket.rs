//! How often something may be done that strangers can provoke.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many times at once.
const FULL: u32 = 5;

/// Then once in so long.
const REFILL: Duration = Duration::from_secs(30);

/// A token bucket: five at once, one more every 30 seconds.
pub(super) struct Bucket(Mutex<(u32, Instant)>);

impl Default for Bucket {
    fn default() -> Self {
        Self(Mutex::new((FULL, Instant::now())))
    }
}

impl Bucket {
    /// Takes one out, if there is one.
    pub(super) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = &mut *bucket;
        while *left < FULL && now.saturating_duration_since(*since) >= REFILL {
            *left += 1;
            *since += REFILL;
        }
        if *left == FULL {
            // Time that passes while it is full counts for nothing.
            *since = now;
        }
        let there = *left > 0;
        *left -= u32::from(there);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_at_once_and_then_one_every_thirty_seconds() {
        let bucket = Bucket::default();
        let start = Instant::now() + Duration::from_secs(1000);
        let taken = |after: u64| bucket.take_at(start + Duration::from_secs(after));
        assert_eq!([0, 0, 0, 0, 0, 0, 29].map(taken), [true, true, true, true, true, false, false]);
        assert_eq!([30, 30, 59, 60, 61].map(taken), [true, false, false, true, false]);
        assert_eq!([10_000, 10_000, 10_000, 10_000, 10_000, 10_000].map(taken), [true, true, true, true, true, false]);
    }
}
