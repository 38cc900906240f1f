//! The clock of a table of sessions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Milliseconds since the table was made; `tokio`'s clock is not used so that tests can move this one.
pub(crate) struct Clock {
    start: Instant,
    skipped: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), skipped: AtomicU64::new(0) })
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX) + self.skipped.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn skip(&self, time: std::time::Duration) {
        self.skipped.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}
