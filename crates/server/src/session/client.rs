//! One client session: what the gateway keeps for a legacy client between its requests.

use super::{EndpointId, asks::Asks, common::Common, followed::Followed, locked, streams::Streams, viewed::Viewed};
use smallvec::SmallVec;
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;
use vmcp_backend::{CallerSessions, Ear};
use vmcp_core::{CapabilitySet, LoggingLevel, Revision, plugin::Principal};

/// What the gateway keeps for a legacy client between its requests. Small: sessions are many and mostly idle.
pub(crate) struct ClientSession {
    pub(crate) id: Box<str>,
    /// The random part of the id, for tombstones.
    pub(super) random: [u8; 16],
    /// Whether another process issued the id.
    pub(super) adopted: bool,
    /// The endpoint that opened it: it is good there and nowhere else.
    pub(crate) endpoint: EndpointId,
    pub(crate) principal: Principal,
    pub(crate) revision: Revision,
    capabilities: CapabilitySet,
    /// What `logging/setLevel` asked for; 0 for nothing.
    log_level: AtomicU8,
    pub(super) peer: Option<IpAddr>,
    /// The sessions at backends that belong to this one.
    pub(crate) backends: Arc<CallerSessions>,
    /// Milliseconds on the table's clock.
    last_used: AtomicU64,
    /// Set by the first request after `initialize`.
    used: AtomicBool,
    /// Requests in flight and open streams.
    busy: AtomicU32,
    /// Calls in flight at backends, also those whose connections are gone.
    pub(crate) calling: AtomicUsize,
    calls: Mutex<Vec<ActiveCall>>,
    pub(super) streams: OnceLock<Arc<Streams>>,
    pub(super) common: Arc<Common>,
    /// This session, for what it begins in the background.
    pub(super) me: Weak<Self>,
    pub(super) asks: Mutex<Option<Box<Asks>>>,
    /// The id of the next question.
    pub(super) next_question: AtomicU64,
    pub(super) followed: Mutex<Option<Box<Followed>>>,
    pub(super) viewed: Mutex<Viewed>,
}

/// What is in a session's id, and what follows from it.
pub(super) struct Made {
    pub(super) id: Box<str>,
    pub(super) random: [u8; 16],
    /// Whether another process issued the id.
    pub(super) adopted: bool,
    pub(super) endpoint: EndpointId,
    pub(super) revision: Revision,
    pub(super) capabilities: CapabilitySet,
    /// The id of its first question.
    pub(super) first_question: u64,
}

/// A call that `notifications/cancelled` can name.
#[derive(Clone)]
pub(crate) struct ActiveCall(Arc<Call>);

struct Call {
    /// The client's request id, as JSON text.
    id: SmallVec<[u8; 24]>,
    cancelled: Notify,
}

impl ActiveCall {
    /// Waits until the client cancels this call.
    pub(crate) async fn cancelled(&self) {
        self.0.cancelled.notified().await;
    }
}

impl ClientSession {
    pub(super) fn new(made: Made, principal: Principal, peer: Option<IpAddr>, common: &Arc<Common>, now: u64) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            id: made.id,
            random: made.random,
            adopted: made.adopted,
            endpoint: made.endpoint,
            principal,
            revision: made.revision,
            capabilities: made.capabilities,
            log_level: AtomicU8::new(0),
            peer,
            backends: CallerSessions::new(made.capabilities, Some(me.clone() as Weak<dyn Ear>)),
            last_used: AtomicU64::new(now),
            used: AtomicBool::new(made.adopted),
            busy: AtomicU32::new(0),
            calling: AtomicUsize::new(0),
            calls: Mutex::default(),
            streams: OnceLock::new(),
            common: Arc::clone(common),
            me: me.clone(),
            asks: Mutex::default(),
            next_question: AtomicU64::new(made.first_question),
            followed: Mutex::default(),
            viewed: Mutex::default(),
        })
    }

    /// What the client declared in `initialize`.
    pub(crate) fn capabilities(&self) -> CapabilitySet {
        self.capabilities
    }

    /// How severe a message has to be for this client; `None` where it never said.
    pub(crate) fn log_level(&self) -> Option<LoggingLevel> {
        LoggingLevel::from_number(self.log_level.load(Ordering::Relaxed))
    }

    pub(crate) fn set_log_level(&self, level: LoggingLevel) {
        self.log_level.store(level.number(), Ordering::Relaxed);
    }

    /// When the session was last in use, on the table's clock; `None` while it is.
    pub(super) fn idle_since(&self) -> Option<u64> {
        (self.busy.load(Ordering::Acquire) == 0).then(|| self.last_used.load(Ordering::Acquire))
    }

    pub(super) fn was_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Marks the session as in use until the guard is dropped.
    pub(super) fn start_use(self: &Arc<Self>, clock: &Arc<super::clock::Clock>) -> Use {
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.used.store(true, Ordering::Release);
        Use { session: Arc::clone(self), clock: Arc::clone(clock) }
    }

    /// Registers a call under the client's id for it; ends with the guard.
    pub(crate) fn start_call(self: &Arc<Self>, id: &str) -> CallGuard {
        let call = ActiveCall(Arc::new(Call { id: SmallVec::from_slice(id.as_bytes()), cancelled: Notify::new() }));
        locked(&self.calls).push(call.clone());
        CallGuard { session: Arc::clone(self), call }
    }

    /// Cancels the calls with this id (JSON text). Unknown ids are ignored: the call may just have ended.
    pub(crate) fn cancel(&self, id: &str) {
        for call in locked(&self.calls).iter().filter(|call| *call.0.id == *id.as_bytes()) {
            call.0.cancelled.notify_one();
        }
    }

    /// Cancels every call: the session ends.
    pub(crate) fn cancel_all(&self) {
        for call in locked(&self.calls).iter() {
            call.0.cancelled.notify_one();
        }
    }
}

/// A call's entry in its session.
pub(crate) struct CallGuard {
    session: Arc<ClientSession>,
    call: ActiveCall,
}

impl CallGuard {
    pub(crate) fn call(&self) -> &ActiveCall {
        &self.call
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let mut calls = locked(&self.session.calls);
        if let Some(at) = calls.iter().position(|call| Arc::ptr_eq(&call.0, &self.call.0)) {
            calls.swap_remove(at);
        }
        if calls.is_empty() {
            // A burst of calls must not leave its memory to an idle session.
            calls.shrink_to(4);
        }
    }
}

/// A session in use: it does not expire meanwhile.
pub(crate) struct Use {
    session: Arc<ClientSession>,
    clock: Arc<super::clock::Clock>,
}

impl std::ops::Deref for Use {
    type Target = Arc<ClientSession>;

    fn deref(&self) -> &Arc<ClientSession> {
        &self.session
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.session.last_used.store(self.clock.now(), Ordering::Release);
        self.session.busy.fetch_sub(1, Ordering::AcqRel);
    }
}
