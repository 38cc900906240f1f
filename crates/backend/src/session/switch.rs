//! Who hears what a backend says in a session beside the answers to requests: the calls in flight there, or the session's holder.

use super::{
    Holder, Session,
    crowd::{CROWDED, Crowd},
};
use crate::{
    Backend, ErrorKind, ViewScope,
    ask::{AskId, Asked, nobody_answers},
};
use bytes::Bytes;
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, Weak,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vmcp_core::frame::{Ends, Message, Notification, RawObject, Request, Response};

/// How many messages, and how many bytes of them, wait for one call. A call that does not keep up misses what it can do without, and fails
/// when that is not enough; the others go on.
pub(super) const QUEUE: usize = 256;
const QUEUED_BYTES: usize = 32 << 20;
/// How many of these places progress and log messages do not get.
const RESERVED: usize = QUEUE / 8;
/// How many requests of a backend outside of calls wait for an answer in one session.
const OPEN: usize = 64;
/// How many messages an event or a line may hold; only revision 2025-03-26 has more than one.
const BATCH: usize = 64;

/// The switch of one session, or of one modern child process that has no sessions.
pub(crate) struct Switch {
    holder: Arc<Holder>,
    /// Whose lists change when the backend says so here.
    scope: ViewScope,
    /// Whether answers come here too, and not as answers of HTTP requests.
    carries_answers: bool,
    session: OnceLock<Weak<Session>>,
    over: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seats: Vec<Seat>,
    open: Vec<(AskId, CancellationToken)>,
    ended: Option<ErrorKind>,
    /// A call that has much before it since somebody looked last.
    crowd: Option<Crowd>,
}

/// A call in flight.
struct Seat {
    id: u64,
    messages: mpsc::Sender<Bytes>,
    queued: Arc<AtomicUsize>,
    waited: Arc<AtomicU64>,
    /// Whether the backend may ask things during it.
    can_be_asked: bool,
}

/// What comes for one call.
pub(crate) struct Inbox {
    switch: Arc<Switch>,
    id: u64,
    messages: mpsc::Receiver<Bytes>,
    queued: Arc<AtomicUsize>,
}

impl Switch {
    pub(crate) fn new(holder: Arc<Holder>, scope: ViewScope, carries_answers: bool) -> Arc<Self> {
        Arc::new(Self { holder, scope, carries_answers, session: OnceLock::new(), over: CancellationToken::new(), state: Mutex::default() })
    }

    pub(crate) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }

    pub(super) fn belongs_to(&self, session: &Arc<Session>) {
        let _ = self.session.set(Arc::downgrade(session));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for the request of this id.
    pub(crate) fn sit(self: &Arc<Self>, id: u64, can_be_asked: bool) -> Result<Inbox, ErrorKind> {
        let (sender, messages) = mpsc::channel(QUEUE);
        let queued = Arc::<AtomicUsize>::default();
        let mut state = self.state();
        if let Some(why) = &state.ended {
            return Err(why.clone());
        }
        state.seats.push(Seat { id, messages: sender, queued: Arc::clone(&queued), waited: Arc::default(), can_be_asked });
        drop(state);
        Ok(Inbox { switch: Arc::clone(self), id, messages, queued })
    }

    /// Nothing more comes: every call in flight fails.
    pub(crate) fn end(&self, why: ErrorKind) {
        let mut state = self.state();
        state.ended.get_or_insert(why);
        state.seats.clear();
        state.crowd = None;
        self.over.cancel();
        for (_, withdrawn) in state.open.drain(..) {
            withdrawn.cancel();
        }
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// Whether nobody waits for an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.state().seats.is_empty()
    }

    /// The ids of the requests in flight.
    pub(crate) fn seated(&self) -> Vec<u64> {
        self.state().seats.iter().map(|seat| seat.id).collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// The call that whoever reads for this session should wait for before it reads on.
    pub(crate) fn take_crowd(&self) -> Option<Crowd> {
        self.state().crowd.take()
    }

    /// Whether the backend may send several messages as one array here.
    pub(crate) fn has_batches(&self) -> bool {
        self.session.get().and_then(Weak::upgrade).is_some_and(|session| session.revision.has_batches())
    }

    /// Hands on what one event or line holds. `say` sends a message back.
    pub(crate) fn route(&self, backend: &Arc<Backend>, data: &Bytes, say: &dyn Fn(Bytes)) {
        self.route_some(backend, data, say, |_| true);
    }

    /// As [`Self::route`], of the messages that are `meant` alone.
    pub(crate) fn route_some(&self, backend: &Arc<Backend>, data: &Bytes, say: &dyn Fn(Bytes), meant: impl Fn(&Message<'_>) -> bool) {
        let Ok((messages, is_batch)) = Message::parse_batch(data, BATCH) else { return self.spoiled(data) };
        let whole = !is_batch;
        let is_wrong = is_batch && !self.has_batches();
        for message in messages.iter().filter(|message| meant(message)) {
            // An array where there are none: a call whose answer is in it fails, and of the rest nothing is taken.
            if is_wrong && !matches!(message, Message::Response(_) | Message::Error(..)) {
                continue;
            }
            // A batch goes to each call that is meant by a part of it; every call looks for its own.
            match message {
                Message::Response(Response { id, .. }) | Message::Error(Some(id), _) if self.carries_answers => {
                    self.give(|seat| id.is_number(seat.id), data, Weight::Needed);
                }
                // It says not what it answers: where one call is in flight there is no doubt.
                Message::Error(None, _) if self.carries_answers => self.give_only(data),
                Message::Response(_) | Message::Error(..) => {}
                Message::Notification(notification) => self.notification(backend, data, whole, notification),
                Message::Request(request) => self.request(backend, data, whole, request, say),
            }
        }
    }

    /// What is no message but has an answer's marks fails the call that it names: nothing better will come.
    fn spoiled(&self, data: &Bytes) {
        let has = |mark: &str| memchr::memmem::find(data, mark.as_bytes()).is_some();
        if self.carries_answers
            && has("\"jsonrpc\"")
            && !has("\"method\"")
            && let Some(id) = Ends::of(data).id()
        {
            self.give(|seat| seat.id == id, data, Weight::Needed);
        }
    }

    fn notification(&self, backend: &Arc<Backend>, data: &Bytes, whole: bool, notification: &Notification<'_>) {
        let params = notification.params.as_ref();
        // A subscription over a pipe is named by the id of its request (2026-07-28, basic/patterns/subscriptions).
        let subscription = || params?.meta()?.get("io.modelcontextprotocol/subscriptionId")?.parse::<u64>().ok();
        if self.carries_answers
            && let Some(id) = subscription()
        {
            return self.give(|seat| seat.id == id, data, Weight::Needed);
        }
        match &*notification.method {
            "notifications/progress" => {
                let token: Option<u64> = params.and_then(|params| params.get("progressToken")?.parse().ok());
                if let Some(token) = token {
                    self.give(|seat| seat.id == token, data, Weight::Spare);
                }
            }
            "notifications/cancelled" => {
                let Some(id) = params.and_then(|params| params.get("requestId")) else { return };
                self.withdraw(id);
                self.give_all(data);
            }
            method if backend.hear_change(method, self.scope) => {}
            // What belongs to a call comes on the call's own stream, where calls have one.
            "notifications/message"
                if whole && (self.carries_answers || self.holder.ear().is_none()) && self.give_newest(data, Weight::Spare) => {}
            method => {
                if let Some(ear) = self.holder.ear() {
                    ear.notified(backend.index(), method, text(data, params));
                }
            }
        }
    }

    fn request(&self, backend: &Arc<Backend>, data: &Bytes, whole: bool, request: &Request<'_>, say: &dyn Fn(Bytes)) {
        // Nobody needs longer ones, and what is answered may have to wait.
        let Some(id) = AskId::new(request.id.raw()) else { return };
        let declared = self.holder.capabilities;
        let mode = request.params.as_ref().and_then(|params| params.get_str("mode"));
        if request.method == "ping" || !declared.allows(&request.method, mode.as_deref()) {
            return say(crate::watch::answer_to(&request.method, id.raw()).into());
        }
        if whole && self.give_newest(data, Weight::Needed) {
            return;
        }
        let session = self.session.get().and_then(Weak::upgrade);
        let (method, params) = (request.method.clone().into_owned(), text(data, request.params.as_ref()));
        if session.is_some_and(|session| self.ask_holder(backend, &session, &id, method, params)) {
            return;
        }
        // Whoever lists for everybody has no roots; it declared them only to see what those see who have some.
        let answer =
            if request.method == "roots/list" { crate::Answer::Result(Bytes::from_static(b"{\"roots\":[]}")) } else { nobody_answers() };
        say(answer.message(id.raw()));
    }

    /// Asks the session's holder. `false` where there is none that could be asked.
    pub(crate) fn ask_holder(&self, backend: &Arc<Backend>, session: &Arc<Session>, id: &AskId, method: String, params: Bytes) -> bool {
        let Some((ear, withdrawn)) = self.holder.ear().and_then(|ear| Some((ear, self.open(id)?))) else { return false };
        ear.asked(Asked::new(Arc::clone(backend), Arc::clone(session), id.clone(), method, params, withdrawn));
        true
    }

    fn open(&self, id: &AskId) -> Option<CancellationToken> {
        let mut state = self.state();
        if state.open.len() >= OPEN {
            return None;
        }
        let withdrawn = CancellationToken::new();
        state.open.push((id.clone(), withdrawn.clone()));
        Some(withdrawn)
    }

    pub(crate) fn forget(&self, id: &AskId) {
        self.state().open.retain(|(open, _)| open != id);
    }

    fn withdraw(&self, id: &str) {
        self.state().open.retain(|(open, withdrawn)| {
            let meant = open.raw() == id;
            if meant {
                withdrawn.cancel();
            }
            !meant
        });
    }

    fn give(&self, meant: impl Fn(&Seat) -> bool, data: &Bytes, weight: Weight) {
        let mut state = self.state();
        if let Some(at) = state.seats.iter().position(meant) {
            state.give(at, data, weight);
        }
    }

    fn give_only(&self, data: &Bytes) {
        let alone = self.state().seats.len() == 1;
        if alone {
            self.give_all(data);
        }
    }

    fn give_all(&self, data: &Bytes) {
        self.state().seats.retain(|seat| seat.take(data));
    }

    /// To the call that began last, one that can be asked where it is a question. `false` where there is none.
    fn give_newest(&self, data: &Bytes, weight: Weight) -> bool {
        let mut state = self.state();
        let asks = weight == Weight::Needed;
        let newest = state.seats.iter().enumerate().filter(|(_, seat)| !asks || seat.can_be_asked).max_by_key(|(_, seat)| seat.id);
        let Some((at, _)) = newest else { return false };
        state.give(at, data, weight);
        true
    }
}

/// What becomes of a message for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The call fails.
    Needed,
    /// It is left out.
    Spare,
}

impl State {
    fn give(&mut self, at: usize, data: &Bytes, weight: Weight) {
        let seat = &self.seats[at];
        if (weight == Weight::Needed || seat.has_room()) && !seat.take(data) {
            self.seats.swap_remove(at);
            return;
        }
        if seat.messages.capacity() < CROWDED {
            self.crowd = Some(Crowd::new(&seat.messages, &seat.waited));
        }
    }
}

impl Seat {
    /// Whether there is room for what can be left out.
    fn has_room(&self) -> bool {
        self.messages.capacity() > RESERVED && self.queued.load(Ordering::Relaxed) < QUEUED_BYTES / 2
    }

    /// `false` where its queue is full: the call will see its queue end.
    fn take(&self, data: &Bytes) -> bool {
        let before = self.queued.fetch_add(data.len(), Ordering::Relaxed);
        (before == 0 || before + data.len() <= QUEUED_BYTES) && self.messages.try_send(data.clone()).is_ok()
    }
}

impl Inbox {
    /// What comes next; an error when nothing more will.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, ErrorKind>> {
        self.messages.poll_recv(cx).map(|message| match message {
            Some(message) => {
                self.queued.fetch_sub(message.len(), Ordering::Relaxed);
                Ok(message)
            }
            None => Err(self.switch.state().ended.clone().unwrap_or(ErrorKind::TooFast)),
        })
    }
}

impl Inbox {
    /// Nothing more comes; what has come and was not read.
    pub(crate) fn close(mut self) -> Vec<Bytes> {
        // The seat goes first, so that nothing comes unseen after the look.
        self.switch.state().seats.retain(|seat| seat.id != self.id);
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.switch.state().seats.retain(|seat| seat.id != self.id);
    }
}

/// The text of `params` within the message that it came in.
fn text(data: &Bytes, params: Option<&RawObject<'_>>) -> Bytes {
    params.map_or(Bytes::from_static(b"{}"), |params| data.slice_ref(params.text().as_bytes()))
}
