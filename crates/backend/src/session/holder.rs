//! For whom sessions are: what that party declared, who listens for it, and what it wants to hear of.

use crate::Ear;
use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio::sync::watch;
use vmcp_core::{CapabilitySet, LoggingLevel};

/// How many resources and tasks one holder may follow at one backend.
const WISHES: usize = 1024;

/// Who holds sessions at backends: a client session, a subscription, one call, or the gateway itself.
pub(crate) struct Holder {
    /// What is declared to backends on its behalf.
    pub(crate) capabilities: CapabilitySet,
    ear: Option<Weak<dyn Ear>>,
    /// 0: none was set.
    level: AtomicU8,
    /// Made when it is first needed: most holders follow nothing, and this is larger than all the rest of them.
    following: OnceLock<Box<Following>>,
    /// The backends that are listened to, each as often as it is.
    listened: Mutex<Vec<u64>>,
}

/// What a holder wants to hear of, and what became of that.
#[derive(Default)]
struct Following {
    wishes: Mutex<Vec<(u64, Wish)>>,
    /// Counts changes of the wishes.
    changes: watch::Sender<u64>,
    /// What the stream at each backend has taken up.
    taken: watch::Sender<Vec<Taken>>,
}

/// What the stream at one backend has taken up.
struct Taken {
    backend: u64,
    /// The last change.
    change: u64,
    /// The wishes that the backend left out of its acknowledgement.
    refused: Vec<Wish>,
}

/// One thing that a holder wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Updates of a resource, by URI.
    Resource(Box<str>),
    /// News of a task, by its id (SEP-2663).
    Task(Box<str>),
}

/// One backend is listened to until this is dropped.
pub(crate) struct Listened {
    holder: Arc<Holder>,
    backend: u64,
}

impl Drop for Listened {
    fn drop(&mut self) {
        let mut listened = self.holder.listened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = listened.iter().position(|backend| *backend == self.backend) {
            listened.swap_remove(at);
        }
    }
}

impl fmt::Debug for Listened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listened").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// There are too many wishes already.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Holder {
    pub(crate) fn new(capabilities: CapabilitySet, ear: Option<Weak<dyn Ear>>) -> Arc<Self> {
        Arc::new(Self { capabilities, ear, level: AtomicU8::new(0), following: OnceLock::new(), listened: Mutex::default() })
    }

    fn following(&self) -> &Following {
        self.following.get_or_init(Box::default)
    }

    pub(crate) fn ear(&self) -> Option<Arc<dyn Ear>> {
        self.ear.as_ref()?.upgrade()
    }

    pub(crate) fn level(&self) -> Option<LoggingLevel> {
        LoggingLevel::from_number(self.level.load(Ordering::Relaxed))
    }

    pub(crate) fn set_level(&self, level: LoggingLevel) {
        self.level.store(level.number(), Ordering::Relaxed);
    }

    /// What is wanted of one backend.
    pub(crate) fn wishes(&self, backend: u64) -> Vec<Wish> {
        let Some(following) = self.following.get() else { return Vec::new() };
        let wishes = following.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.iter().filter(|(of, _)| *of == backend).map(|(_, wish)| wish.clone()).collect()
    }

    /// Adds a wish, or takes it away. Gives the number of the change, or `None` where nothing changed.
    pub(crate) fn wish(&self, backend: u64, wish: Wish, on: bool) -> Result<Option<u64>, TooMany> {
        let following = self.following();
        {
            let mut wishes = following.wishes.lock().unwrap_or_else(PoisonError::into_inner);
            let known = wishes.iter().position(|(of, known)| *of == backend && *known == wish);
            match (known, on) {
                (Some(_), true) | (None, false) => return Ok(None),
                (Some(at), false) => drop(wishes.remove(at)),
                (None, true) if wishes.len() >= WISHES => return Err(TooMany),
                (None, true) => wishes.push((backend, wish)),
            }
        }
        following.changes.send_modify(|change| *change += 1);
        Ok(Some(*following.changes.borrow()))
    }

    /// Tells of changes of the wishes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.following().changes.subscribe()
    }

    /// How many changes there were.
    pub(crate) fn change(&self) -> u64 {
        self.following.get().map_or(0, |following| *following.changes.borrow())
    }

    /// The stream at one backend has taken up this change, without those that the backend refused.
    pub(crate) fn take_up(&self, backend: u64, change: u64, refused: Vec<Wish>) {
        self.following().taken.send_modify(|all| match all.iter_mut().find(|taken| taken.backend == backend) {
            Some(taken) => (taken.change, taken.refused) = (taken.change.max(change), refused),
            None => all.push(Taken { backend, change, refused }),
        });
    }

    /// Waits until the stream at one backend has taken up this change.
    pub(crate) async fn taken_up(&self, backend: u64, change: u64) {
        let mut taken = self.following().taken.subscribe();
        let _ = taken.wait_for(|all| all.iter().any(|taken| taken.backend == backend && taken.change >= change)).await;
    }

    /// Begins to listen to one backend.
    pub(crate) fn listen(self: &Arc<Self>, backend: u64) -> Listened {
        self.listened.lock().unwrap_or_else(PoisonError::into_inner).push(backend);
        Listened { holder: Arc::clone(self), backend }
    }

    /// Whether one backend is listened to: without that nothing is taken up there.
    pub(crate) fn listens(&self, backend: u64) -> bool {
        self.listened.lock().unwrap_or_else(PoisonError::into_inner).contains(&backend)
    }

    /// Waits until something is wanted of one backend that it has not refused. What else changes meanwhile counts as taken up.
    pub(crate) async fn wants_more(&self, backend: u64) {
        let mut changes = self.changes();
        loop {
            let change = *changes.borrow_and_update();
            let refused = self.refused(backend);
            if self.wishes(backend).iter().any(|wish| !refused.contains(wish)) {
                return;
            }
            self.take_up(backend, change, refused);
            // This holds the other end.
            let _ = changes.changed().await;
        }
    }

    /// What one backend has refused to tell of.
    pub(crate) fn refused(&self, backend: u64) -> Vec<Wish> {
        let Some(following) = self.following.get() else { return Vec::new() };
        let all = following.taken.borrow();
        all.iter().find(|taken| taken.backend == backend).map_or_else(Vec::new, |taken| taken.refused.clone())
    }
}
