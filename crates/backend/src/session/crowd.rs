//! Waiting a little for a call that reads more slowly than its server talks.
//!
//! Servers talk in bursts: a thousand lines of a log at once fail no call whose caller reads them. But whoever reads for a session reads for
//! all calls in it, so the patience with one of them has an end.

use super::seats::QUEUE;
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, timeout},
};

/// A call with fewer places left than this is waited for.
pub(super) const CROWDED: usize = QUEUE / 4;
/// How long one call is waited for in all.
const PATIENCE: Duration = Duration::from_secs(1);
/// Waits as short as this do not count: somebody reads, and the others hardly notice.
const SHORT: Duration = Duration::from_millis(20);

/// A call whose queue is nearly full.
#[must_use]
pub(crate) struct Crowd {
    messages: mpsc::Sender<Bytes>,
    /// In microseconds.
    waited: Arc<AtomicU64>,
}

impl Crowd {
    pub(super) fn new(messages: &mpsc::Sender<Bytes>, waited: &Arc<AtomicU64>) -> Self {
        Self { messages: messages.clone(), waited: Arc::clone(waited) }
    }

    /// Waits until half of the queue is free, the call is over, or it was waited for long enough.
    pub(crate) async fn wait(self) {
        let left = PATIENCE.saturating_sub(Duration::from_micros(self.waited.load(Ordering::Relaxed)));
        if left.is_zero() {
            return;
        }
        let begun = Instant::now();
        let _ = timeout(left, self.messages.reserve_many(QUEUE / 2)).await;
        let counted = begun.elapsed().saturating_sub(SHORT);
        self.waited.fetch_add(u64::try_from(counted.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
