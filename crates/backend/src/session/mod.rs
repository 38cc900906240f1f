//! Sessions at legacy backends: who has which, and for how long.

mod caller;
mod cell;
mod crowd;
mod events;
mod handshake;
mod holder;
mod lease;
mod owned;
mod pool;
mod seats;
mod stream;
mod switch;

pub use caller::CallerSessions;
pub(crate) use cell::{CellUse, SessionCell};
pub(crate) use crowd::Crowd;
pub(crate) use events::Events;
pub(crate) use holder::{Holder, Listened, Wish};
pub(crate) use lease::{Lease, PoolKey, Wanted};
pub(crate) use owned::OwnedSessions;
pub(crate) use pool::SessionPool;
pub(crate) use seats::Inbox;
pub(crate) use switch::Switch;

use crate::{errand::Latest, offers::Offers, pipe::Pipe};
use http::HeaderValue;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};
use vmcp_auth::Identity;
use vmcp_core::Revision;

/// A session that `initialize` opened. Servers without state give no id; then there is nothing to close either.
pub(crate) struct Session {
    opened: Opened,
    /// The stream on which the backend says what belongs to no request.
    stream: stream::Stream,
    /// The log level that a call in it asked for last, where it serves one call at a time; 0: none.
    pub(crate) level: AtomicU8,
    pub(crate) owed: Owed,
    gone: AtomicBool,
    doubted: AtomicBool,
    _count: Count,
}

/// What is on its way to a session, of that of which the newest is enough. Each from whoever said it.
#[derive(Default)]
pub(crate) struct Owed {
    /// The client has other roots.
    pub(crate) roots: Latest<Option<Identity>>,
    /// The log level is another one: that of the session's holder.
    pub(crate) level: Latest<Option<Identity>>,
}

impl Session {
    pub(crate) fn new(opened: Opened, open: &Arc<AtomicU32>) -> Arc<Self> {
        let session = Arc::new(Self {
            opened,
            stream: stream::Stream::default(),
            level: AtomicU8::new(0),
            owed: Owed::default(),
            gone: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            _count: Count::new(open),
        });
        session.switch.belongs_to(&session);
        session
    }

    pub(crate) fn holder(&self) -> &Arc<Holder> {
        self.switch.holder()
    }

    /// The backend does not know it any more: nobody may use it, nobody has to close it.
    pub(crate) fn lose(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.stream.end();
    }

    /// Somebody is to find out whether it is still there; `false` while somebody does.
    pub(crate) fn doubt(&self) -> bool {
        !self.doubted.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || self.pipe.is_some() && self.switch.has_ended()
    }
}

/// What a handshake brought: it stays as it is as long as the session.
pub(crate) struct Opened {
    pub(crate) id: Option<HeaderValue>,
    pub(crate) revision: Revision,
    pub(crate) offers: Offers,
    pub(crate) instructions: Option<Arc<str>>,
    /// Who hears what is said in it beside answers.
    pub(crate) switch: Arc<Switch>,
    /// Where messages go that go over one pipe in both directions.
    pub(crate) pipe: Option<Arc<dyn Pipe>>,
}

impl std::ops::Deref for Session {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stream.end();
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
