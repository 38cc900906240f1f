//! Whether a request of a connection is being attended to: from its head until its response's body has been handed over.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What the requests of one connection tell the stream below them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attending(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// One request, attended to until this is dropped.
#[derive(Debug)]
pub(crate) struct Attended(Attending);

impl Attending {
    /// Begins with a request.
    pub(crate) fn begin(&self) -> Attended {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Attended(self.clone())
    }

    /// How many there were.
    pub(crate) fn requests(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether there is one now.
    pub(crate) fn is_busy(&self) -> bool {
        self.requests() != self.0.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
