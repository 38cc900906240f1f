//! How long to wait before a server that keeps ending is started again.

use crate::SessionKey;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::time::{Duration, Instant};

/// The pause after the first failure; it doubles with each that follows.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// What has run for so long did its work: its end is the first failure, not one more.
const STEADY: Duration = Duration::from_secs(10);

/// How many callers' failures are remembered. One of the oldest goes for a new one.
const REMEMBERED: usize = 1024;

/// Failures in a row, for each caller whose process it is: one caller's bad token is no reason to let another wait.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: Mutex<HashMap<Option<SessionKey>, Failures>>,
}

struct Failures {
    count: u32,
    until: Instant,
}

impl Backoff {
    /// How long nothing is to be started for this caller.
    pub(crate) fn pause(&self, owner: Option<SessionKey>) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let left = failures.get(&owner)?.until.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    /// A process of this caller's ended without having been told to, after so long.
    pub(crate) fn failed(&self, owner: Option<SessionKey>, ran: Duration) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED && !failures.contains_key(&owner) {
            let oldest = failures.iter().min_by_key(|(_, known)| known.until).map(|(key, _)| *key);
            oldest.and_then(|key| failures.remove(&key));
        }
        let known = failures.entry(owner).or_insert_with(|| Failures { count: 0, until: Instant::now() });
        known.count = if ran >= STEADY { 1 } else { known.count.saturating_add(1) };
        known.until = Instant::now() + jittered(after(known.count));
    }
}

/// The pause after so many failures in a row.
fn after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Between three and five quarters of it, so that many that failed together do not begin together.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.75 + f64::from(random) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let seconds: Vec<f64> = (1..=9).map(|failures| after(failures).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(after(u32::MAX), LONGEST);
        for _ in 0..100 {
            let pause = jittered(LONGEST);
            assert!((45.0..=75.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_makes_a_pause_and_a_long_life_is_no_failure_before() {
        let backoff = Backoff::default();
        assert_eq!(backoff.pause(None), None);
        backoff.failed(None, Duration::ZERO);
        let first = backoff.pause(None).unwrap();
        assert!(first >= FIRST.mul_f64(0.75) && first <= FIRST.mul_f64(1.25), "{first:?}");
        advance(first).await;
        assert_eq!(backoff.pause(None), None);
        backoff.failed(None, Duration::ZERO);
        assert!(backoff.pause(None).unwrap() >= FIRST.mul_f64(1.5));
        backoff.failed(None, STEADY);
        assert!(backoff.pause(None).unwrap() <= FIRST.mul_f64(1.25));
    }
}
