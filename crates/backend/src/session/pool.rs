//! Sessions of modern callers at a legacy backend, between two calls.

use super::{Session, lease::PoolKey};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::{Duration, Instant};

/// How many wait at one backend.
const LIMIT: usize = 64;
/// How long one waits.
pub(crate) const IDLE: Duration = Duration::from_secs(5 * 60);

/// Idle sessions, each leased to one call at a time and only to calls of its own key.
#[derive(Default)]
pub(crate) struct SessionPool {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// In the order in which they became idle.
    idle: VecDeque<Idle>,
    swept: bool,
}

struct Idle {
    key: PoolKey,
    session: Arc<Session>,
    since: Instant,
}

/// What putting a session back leads to.
pub(crate) struct Put {
    /// Somebody has to look after the sessions from now on.
    pub(crate) sweep: bool,
    /// The one that had to give way.
    pub(crate) evicted: Option<Arc<Session>>,
}

impl SessionPool {
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).idle.len()
    }

    /// Takes the session of this key that was used last.
    pub(crate) fn take(&self, key: PoolKey) -> Option<Arc<Session>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.idle.iter().rposition(|idle| idle.key == key && idle.since.elapsed() < IDLE)?;
        inner.idle.remove(at).map(|idle| idle.session)
    }

    /// Takes the session that has waited for longest, whosever it is.
    pub(crate) fn take_oldest(&self) -> Option<Arc<Session>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).idle.pop_front().map(|idle| idle.session)
    }

    pub(crate) fn put(&self, key: PoolKey, session: Arc<Session>) -> Put {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let evicted = if inner.idle.len() >= LIMIT { inner.idle.pop_front() } else { None };
        inner.idle.push_back(Idle { key, session, since: Instant::now() });
        let sweep = !std::mem::replace(&mut inner.swept, true);
        Put { sweep, evicted: evicted.map(|idle| idle.session) }
    }

    /// Takes out what waited for too long. `None` when nothing is left and nobody has to look again.
    pub(crate) fn expired(&self) -> (Vec<Arc<Session>>, Option<Instant>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = inner.idle.iter().position(|idle| idle.since.elapsed() < IDLE).unwrap_or(inner.idle.len());
        let expired = inner.idle.drain(..fresh).map(|idle| idle.session).collect();
        let next = inner.idle.front().map(|idle| idle.since + IDLE);
        inner.swept = next.is_some();
        (expired, next)
    }

    pub(crate) fn drain(&self) -> Vec<Arc<Session>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.idle.drain(..).map(|idle| idle.session).collect()
    }
}
