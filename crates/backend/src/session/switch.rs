//! Who hears what a backend says in a session beside the answers to requests: the calls in flight there, or the session's holder.

use super::{
    Crowd, Holder, Inbox, Session,
    seats::{Said, Seats, Weight},
};
use crate::{
    Backend, ErrorKind, ViewScope,
    ask::{AskId, Asked, nobody_answers},
};
use bytes::Bytes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tokio_util::sync::CancellationToken;
use vmcp_core::frame::{Ends, Message, Notification, RawObject, Request, Response};

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
    seats: Seats,
    open: Vec<(AskId, CancellationToken)>,
    ended: Option<ErrorKind>,
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
        let mut state = self.state();
        if let Some(why) = &state.ended {
            return Err(why.clone());
        }
        let seat = state.seats.sit(id, can_be_asked);
        drop(state);
        Ok(Inbox::new(self, id, seat))
    }

    /// The request of this id is over.
    pub(super) fn leave(&self, id: u64) {
        self.state().seats.leave(id);
    }

    pub(super) fn why_ended(&self) -> Option<ErrorKind> {
        self.state().ended.clone()
    }

    /// Nothing more comes: every call in flight fails.
    pub(crate) fn end(&self, why: ErrorKind) {
        let mut state = self.state();
        state.ended.get_or_insert(why);
        state.seats.clear();
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
        self.state().seats.ids().len() == 0
    }

    /// The ids of the requests in flight.
    pub(crate) fn seated(&self) -> Vec<u64> {
        self.state().seats.ids().collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// The call that whoever reads for this session should wait for before it reads on.
    pub(crate) fn take_crowd(&self) -> Option<Crowd> {
        self.state().seats.take_crowd()
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
        let said = Said::new(data, is_batch);
        let is_wrong = is_batch && !self.has_batches();
        for message in messages.iter().filter(|message| meant(message)) {
            // An array where there are none: a call whose answer is in it fails, and of the rest nothing is taken.
            if is_wrong && !matches!(message, Message::Response(_) | Message::Error(..)) {
                continue;
            }
            // A batch goes to each call that is meant by a part of it; every call looks for its own.
            match message {
                Message::Response(Response { id, .. }) | Message::Error(Some(id), _) if self.carries_answers => {
                    self.give(id.raw().parse().ok(), &said, Weight::Needed);
                }
                // It says not what it answers: where one call is in flight there is no doubt.
                Message::Error(None, _) if self.carries_answers => self.give_only(&said),
                Message::Response(_) | Message::Error(..) => {}
                Message::Notification(notification) => self.notification(backend, &said, notification),
                Message::Request(request) => self.request(backend, &said, request, say),
            }
        }
    }

    /// What is no message but has an answer's marks fails the call that it names: nothing better will come.
    fn spoiled(&self, data: &Bytes) {
        let has = |mark: &str| memchr::memmem::find(data, mark.as_bytes()).is_some();
        if self.carries_answers && has("\"jsonrpc\"") && !has("\"method\"") {
            self.give(Ends::of(data).id(), &Said::new(data, false), Weight::Needed);
        }
    }

    fn notification(&self, backend: &Arc<Backend>, said: &Said<'_>, notification: &Notification<'_>) {
        let params = notification.params.as_ref();
        // A subscription over a pipe is named by the id of its request (2026-07-28, basic/patterns/subscriptions).
        let subscription = || params?.meta()?.get("io.modelcontextprotocol/subscriptionId")?.parse::<u64>().ok();
        if self.carries_answers
            && let Some(id) = subscription()
        {
            return self.give(Some(id), said, Weight::Needed);
        }
        match &*notification.method {
            "notifications/progress" => {
                let token: Option<u64> = params.and_then(|params| params.get("progressToken")?.parse().ok());
                self.give(token, said, Weight::Spare);
            }
            "notifications/cancelled" => {
                let Some(id) = params.and_then(|params| params.get("requestId")) else { return };
                self.withdraw(id);
                self.state().seats.give_all(said);
            }
            method if backend.hear_change(method, self.scope) => {}
            // What belongs to a call comes on the call's own stream, where calls have one.
            "notifications/message"
                if !said.is_batch()
                    && (self.carries_answers || self.holder.ear().is_none())
                    && self.state().seats.give_newest(said, Weight::Spare) => {}
            method => {
                if let Some(ear) = self.holder.ear() {
                    ear.notified(backend, method, text(said.data(), params));
                }
            }
        }
    }

    fn request(&self, backend: &Arc<Backend>, said: &Said<'_>, request: &Request<'_>, say: &dyn Fn(Bytes)) {
        // Nobody needs longer ones, and what is answered may have to wait.
        let Some(id) = AskId::new(request.id.raw()) else { return };
        let declared = self.holder.capabilities;
        let mode = request.params.as_ref().and_then(|params| params.get_str("mode"));
        if request.method == "ping" || !declared.allows(&request.method, mode.as_deref()) {
            return say(crate::watch::answer_to(&request.method, id.raw()).into());
        }
        if !said.is_batch() && self.state().seats.give_newest(said, Weight::Needed) {
            return;
        }
        let session = self.session.get().and_then(Weak::upgrade);
        let (method, params) = (request.method.clone().into_owned(), text(said.data(), request.params.as_ref()));
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

    fn give(&self, id: Option<u64>, said: &Said<'_>, weight: Weight) {
        if let Some(id) = id {
            self.state().seats.give(id, said, weight);
        }
    }

    fn give_only(&self, said: &Said<'_>) {
        let mut state = self.state();
        if state.seats.ids().len() == 1 {
            state.seats.give_all(said);
        }
    }
}

/// The text of `params` within the message that it came in.
fn text(data: &Bytes, params: Option<&RawObject<'_>>) -> Bytes {
    params.map_or(Bytes::from_static(b"{}"), |params| data.slice_ref(params.text().as_bytes()))
}
