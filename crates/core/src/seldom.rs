//! What is said often is said seldom.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Allows a thing a few times in a while and no more: a line in the log that one of many requests may cause.
#[derive(Debug)]
pub struct Seldom {
    times: u32,
    pause: Duration,
    said: Mutex<(Option<Instant>, u32)>,
}

impl Seldom {
    /// At most so many times in each `pause`, counted from the first of them.
    #[must_use]
    pub const fn new(times: u32, pause: Duration) -> Self {
        Self { times, pause, said: Mutex::new((None, 0)) }
    }

    /// Whether it may be said now. That counts as saying it.
    pub fn may(&self) -> bool {
        self.may_at(Instant::now())
    }

    fn may_at(&self, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *said;
        if since.is_none_or(|since| now.saturating_duration_since(since) >= self.pause) {
            (*since, *count) = (Some(now), 0);
        }
        *count = count.saturating_add(1);
        *count <= self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_so_often_and_again_after_a_while() {
        let (seldom, start) = (Seldom::new(2, Duration::from_secs(60)), Instant::now());
        let often = |after: u64| (0..100).filter(|_| seldom.may_at(start + Duration::from_secs(after))).count();
        assert_eq!([0, 59, 60, 61].map(often), [2, 0, 2, 0]);
    }
}
