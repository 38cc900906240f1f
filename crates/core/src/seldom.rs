//! What is said often is said seldom.

use std::sync::{Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// Allows a thing a few times in a while and no more: a line in the log that one of many requests may cause.
pub(crate) struct Seldom {
    times: u32,
    pause: Duration,
    said: Mutex<(Option<Instant>, u32)>,
}

impl Seldom {
    /// At most so many times in each `pause`, counted from the first of them.
    pub(crate) const fn new(times: u32, pause: Duration) -> Self {
        Self { times, pause, said: Mutex::new((None, 0)) }
    }

    /// Whether it may be said now. That counts as saying it.
    pub(crate) fn may(&self) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *said;
        if since.is_none_or(|since| since.elapsed() >= self.pause) {
            (*since, *count) = (Some(Instant::now()), 0);
        }
        *count += 1;
        *count <= self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_so_often_and_again_after_a_while() {
        let seldom = Seldom::new(2, Duration::from_secs(60));
        let often = || (0..100).filter(|_| seldom.may()).count();
        assert_eq!((often(), often()), (2, 0));
        advance(Duration::from_secs(60)).await;
        assert_eq!((often(), often()), (2, 0));
    }
}
