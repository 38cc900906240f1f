//! Sessions at legacy backends: who has which, and for how long.

mod caller;
mod cell;
mod handshake;
mod lease;
mod pool;

pub use caller::CallerSessions;
pub(crate) use cell::{CellUse, SessionCell};
pub(crate) use lease::{Lease, Wanted};
pub(crate) use pool::SessionPool;

use crate::offers::Offers;
use http::HeaderValue;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use vmcp_core::Revision;

/// A session that `initialize` opened. Servers without state give no id; then there is nothing to close either.
pub(crate) struct Session {
    pub(crate) id: Option<HeaderValue>,
    pub(crate) revision: Revision,
    pub(crate) offers: Offers,
    pub(crate) instructions: Option<Arc<str>>,
    gone: AtomicBool,
    doubted: AtomicBool,
    _count: Count,
}

impl Session {
    pub(crate) fn new(
        id: Option<HeaderValue>,
        revision: Revision,
        offers: Offers,
        instructions: Option<Arc<str>>,
        open: &Arc<AtomicU32>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            revision,
            offers,
            instructions,
            gone: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            _count: Count::new(open),
        })
    }

    /// The backend does not know it any more: nobody may use it, nobody has to close it.
    pub(crate) fn lose(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Somebody is to find out whether it is still there; `false` while somebody does.
    pub(crate) fn doubt(&self) -> bool {
        !self.doubted.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// Counts open sessions, for the status.
struct Count(Arc<AtomicU32>);

impl Count {
    fn new(open: &Arc<AtomicU32>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
