//! One client session: what the gateway keeps for a legacy client between its requests.

use crate::views::{KindHashes, ViewerKey};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Notify, mpsc};
use vmcp_backend::CallerSessions;
use vmcp_core::{CapabilitySet, Revision, catalogue::ListKind, plugin::Principal};

/// How many GET streams one session may hold; a further one ends the oldest.
const MAX_STREAMS: usize = 4;
/// How many events wait for a slow reader of a GET stream before the stream is ended.
pub(crate) const STREAM_QUEUE: usize = 16;

/// What the gateway keeps for a legacy client between its requests. Small: sessions are many and mostly idle.
pub(crate) struct ClientSession {
    pub(crate) id: Box<str>,
    /// The random part of the id, for tombstones.
    pub(super) random: [u8; 16],
    /// Whether another process issued the id.
    pub(super) adopted: bool,
    pub(crate) principal: Principal,
    pub(crate) revision: Revision,
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
    streams: Mutex<Vec<Stream>>,
    /// How many streams were ever opened: the next one's number.
    streams_opened: AtomicU64,
    viewed: Mutex<Viewed>,
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

struct Stream {
    number: u64,
    events: mpsc::Sender<Bytes>,
}

/// What the client was last shown, so that it hears of changes to that and of nothing else.
#[derive(Default)]
struct Viewed {
    viewer: Option<ViewerKey>,
    seen: KindHashes,
}

/// A kind of list whose change the client has to be told, and the hash of what it saw before.
pub(crate) type Change = (ListKind, [u8; 16]);

impl ClientSession {
    pub(super) fn new(
        id: Box<str>,
        random: [u8; 16],
        adopted: bool,
        principal: Principal,
        revision: Revision,
        peer: Option<IpAddr>,
        now: u64,
    ) -> Self {
        Self {
            id,
            random,
            adopted,
            principal,
            revision,
            peer,
            backends: CallerSessions::new(CapabilitySet::NONE, None),
            last_used: AtomicU64::new(now),
            used: AtomicBool::new(adopted),
            busy: AtomicU32::new(0),
            calling: AtomicUsize::new(0),
            calls: Mutex::default(),
            streams: Mutex::default(),
            streams_opened: AtomicU64::new(0),
            viewed: Mutex::default(),
        }
    }

    /// When the session was last in use, on the table's clock; `None` while it is.
    pub(super) fn idle_since(&self) -> Option<u64> {
        (self.busy.load(Ordering::Acquire) == 0).then(|| self.last_used.load(Ordering::Acquire))
    }

    pub(super) fn was_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Marks the session as in use until the guard is dropped.
    pub(super) fn start_use(self: &Arc<Self>, clock: &Arc<super::table::Clock>) -> Use {
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

    /// Opens a GET stream: its number and its events. The oldest ends when there are too many.
    pub(crate) fn open_stream(&self) -> (u64, mpsc::Receiver<Bytes>) {
        let (events, receiver) = mpsc::channel(STREAM_QUEUE);
        let number = self.streams_opened.fetch_add(1, Ordering::Relaxed);
        let mut streams = locked(&self.streams);
        if streams.len() == MAX_STREAMS {
            streams.remove(0);
        }
        streams.push(Stream { number, events });
        (number, receiver)
    }

    pub(crate) fn close_stream(&self, number: u64) {
        locked(&self.streams).retain(|stream| stream.number != number);
    }

    /// Ends every GET stream.
    pub(crate) fn close_streams(&self) {
        locked(&self.streams).clear();
    }

    pub(crate) fn has_stream(&self) -> bool {
        !locked(&self.streams).is_empty()
    }

    /// Sends a message on one stream, the newest that takes it (2025-11-25, basic/transports: never on more than one).
    /// A stream whose reader does not keep up is ended: the client reconnects and is told what it missed.
    pub(crate) fn send(&self, event: &Bytes) -> bool {
        let mut streams = locked(&self.streams);
        while let Some(stream) = streams.last() {
            if stream.events.try_send(event.clone()).is_ok() {
                return true;
            }
            streams.pop();
        }
        false
    }

    /// Notes what the client has just been shown of one kind.
    pub(crate) fn saw(&self, viewer: ViewerKey, kind: ListKind, hash: [u8; 16]) {
        let mut viewed = locked(&self.viewed);
        viewed.viewer = Some(viewer);
        viewed.seen.set(kind, hash);
    }

    /// The view that this session looked through last; `None` before its first list.
    pub(crate) fn viewer(&self) -> Option<ViewerKey> {
        locked(&self.viewed).viewer.clone()
    }

    /// The kinds that differ from what the client saw. They count as told from now on.
    pub(crate) fn take_changed(&self, now: &KindHashes) -> Vec<Change> {
        locked(&self.viewed).seen.take_changed(now)
    }

    /// The kinds that the client saw and that are out of date now, all those of one notification together. They are not told of again
    /// until the client has seen them anew.
    pub(crate) fn outdate(&self, kind: Option<ListKind>) -> Vec<Change> {
        locked(&self.viewed).seen.outdate(kind)
    }

    /// Undoes [`Self::take_changed`] or [`Self::outdate`] for a change that could not be told.
    pub(crate) fn untold(&self, (kind, seen): Change) {
        locked(&self.viewed).seen.set(kind, seen);
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
    clock: Arc<super::table::Clock>,
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

/// An open GET stream's place in its session.
pub(crate) struct StreamHandle {
    pub(crate) session: Use,
    pub(crate) number: u64,
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        self.session.close_stream(self.number);
    }
}

/// The data behind these locks is consistent after every statement, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
