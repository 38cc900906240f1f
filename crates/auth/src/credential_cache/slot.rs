//! What is known of one caller's credentials.

use super::{AHEAD, BETWEEN_REFUSALS, Given, LONGEST_PAUSE, LONGEST_UNDATED, Outcome, PAUSE, UNDATED};
use crate::secret_value::sealed;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
use vmcp_core::plugin::{Credentials, StrategyError};

/// Where the outcome of a turn will be.
pub(super) type Flight = watch::Receiver<Option<Outcome>>;

/// One caller's credentials, or who gets them, or why there are none.
#[derive(Default)]
pub(super) struct Slot {
    kept: Option<Kept>,
    failed: Option<Failed>,
    refused: Option<SystemTime>,
    pub(super) flight: Option<Flight>,
}

struct Kept {
    given: Given,
    until: SystemTime,
    /// From when on they are renewed.
    due: SystemTime,
    /// When they were used last, in seconds.
    used: AtomicU64,
}

struct Failed {
    error: Arc<StrategyError>,
    until: SystemTime,
    times: u32,
}

impl Slot {
    /// The credentials alone, where they say themselves when they expire.
    pub(super) fn dated(&self) -> Option<Self> {
        let kept = self.kept.as_ref().filter(|kept| kept.given.credentials.expires_at().is_some())?;
        let used = AtomicU64::new(kept.used.load(Ordering::Relaxed));
        let kept = Kept { given: kept.given.clone(), until: kept.until, due: kept.due, used };
        Some(Self { kept: Some(kept), refused: self.refused, ..Self::default() })
    }

    /// Credentials that are good and not to be renewed yet.
    pub(super) fn ready(&self, now: SystemTime) -> Option<Given> {
        let kept = self.kept.as_ref().filter(|kept| now < kept.due)?;
        kept.touch(now);
        Some(kept.given.clone())
    }

    /// Credentials that are good.
    pub(super) fn good(&self, now: SystemTime) -> Option<Given> {
        let kept = self.kept.as_ref().filter(|kept| now < kept.until)?;
        kept.touch(now);
        Some(kept.given.clone())
    }

    /// Whether good credentials are to be renewed now, and that did not fail a moment ago.
    pub(super) fn may_ask(&self, now: SystemTime) -> bool {
        self.kept.as_ref().is_some_and(|kept| now >= kept.due) && self.failure(now).is_none()
    }

    /// What went wrong a moment ago.
    pub(super) fn failure(&self, now: SystemTime) -> Option<Arc<StrategyError>> {
        let failed = self.failed.as_ref().filter(|failed| lasts(failed.until, now, LONGEST_PAUSE))?;
        Some(Arc::clone(&failed.error))
    }

    /// Takes new credentials, and gives them out. They are kept no longer than until `limit`.
    pub(super) fn keep(&mut self, credentials: Credentials, stamp: u64, now: SystemTime, limit: Option<SystemTime>) -> Given {
        let given = Given { credentials: sealed(credentials), stamp };
        let own = given.credentials.expires_at();
        let until = match (own, limit) {
            (Some(own), Some(limit)) => own.min(limit),
            (Some(own), None) => own,
            (None, Some(limit)) => limit.min(now + LONGEST_UNDATED),
            (None, None) => now + UNDATED,
        };
        self.failed = None;
        // What is over already is good for those who wait for it, if for anybody.
        self.kept = until.duration_since(now).ok().filter(|life| !life.is_zero()).map(|life| Kept {
            given: given.clone(),
            until,
            due: until - AHEAD.min(life / 10),
            used: AtomicU64::new(seconds(now)),
        });
        given
    }

    /// There were none. Those that are still good stay.
    pub(super) fn fail(&mut self, error: StrategyError, now: SystemTime) -> Arc<StrategyError> {
        let times = self.failed.as_ref().map_or(0, |failed| failed.times);
        let pause = (PAUSE * 2u32.pow(times.min(8))).min(LONGEST_PAUSE);
        let error = Arc::new(error);
        self.failed = Some(Failed { error: Arc::clone(&error), until: now + pause, times: times.saturating_add(1) });
        error
    }

    /// The backend refused the credentials with this stamp. Whether there is reason to get others.
    pub(super) fn refuse(&mut self, stamp: u64, now: SystemTime) -> bool {
        if self.kept.as_ref().is_none_or(|kept| kept.given.stamp != stamp) {
            return true;
        }
        if self.refused.is_some_and(|refused| lasts(refused + BETWEEN_REFUSALS, now, BETWEEN_REFUSALS)) {
            return false;
        }
        self.refused = Some(now);
        self.kept = None;
        true
    }

    /// Whether nothing of it matters any more.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        let is_good = self.kept.as_ref().is_some_and(|kept| now < kept.until);
        !is_good && self.flight.is_none() && self.failure(now).is_none()
    }

    /// When it was used last, in seconds.
    pub(super) fn used(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.used.load(Ordering::Relaxed))
    }
}

impl Kept {
    fn touch(&self, now: SystemTime) {
        let now = seconds(now);
        // Written once a second, so that threads do not take the line from each other on every call.
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }
}

/// Whether a pause that takes `longest` at most is not over. A clock that was set back does not make it longer.
fn lasts(until: SystemTime, now: SystemTime, longest: Duration) -> bool {
    until.duration_since(now).is_ok_and(|left| !left.is_zero() && left <= longest)
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
