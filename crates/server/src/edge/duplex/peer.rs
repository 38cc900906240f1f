//! One client at the other end of a pipe: what it sends is taken here, and what it is sent waits here.

use super::{
    Opener,
    requester::AtPipe,
    running::{Place, Running},
};
use crate::{
    edge::{
        legacy, listen, modern,
        post::{Incoming, MAX_BATCH, has_modern_meta},
        reply::put,
        room::Room,
    },
    failure::{Failure, code},
    gateway::{InFlight, Inner},
    lane::Journal,
    session::{EventStream, Use},
};
use bytes::Bytes;
use std::{
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use vmcp_core::frame::{FrameError, Message, Request, response_head};

/// How many messages wait for a client that reads slowly; then whoever has another one waits.
const QUEUE: usize = 8;
/// How many subscriptions a client has at once. Over HTTP each costs it a connection, here it costs nothing but what it takes upstream.
const SUBSCRIPTIONS: usize = 64;

/// A client at the other end of a pipe.
pub(crate) struct Peer {
    pub(super) inner: Arc<Inner>,
    /// Who opened it.
    pub(super) opener: Arc<Opener>,
    out: mpsc::Sender<Bytes>,
    /// Of a legacy client, from `initialize` on.
    pub(super) begun: OnceLock<Session>,
    /// Carries what belongs to no request, and questions.
    pub(super) stream: Mutex<Option<Arc<EventStream>>>,
    running: Arc<Running>,
    /// Places for subscriptions.
    listening: Semaphore,
    /// No message comes from the client any more.
    silent: CancellationToken,
}

impl Peer {
    /// A client that has said nothing yet, and the messages for it, each whole and without line ends of a framing.
    pub(crate) fn new(inner: &Arc<Inner>, opener: Opener) -> (Arc<Self>, mpsc::Receiver<Bytes>) {
        let (out, messages) = mpsc::channel(QUEUE);
        let peer = Self {
            inner: Arc::clone(inner),
            opener: Arc::new(opener),
            out,
            begun: OnceLock::new(),
            stream: Mutex::default(),
            running: Arc::default(),
            listening: Semaphore::new(SUBSCRIPTIONS),
            silent: CancellationToken::new(),
        };
        (Arc::new(peer), messages)
    }

    /// Sends a message once there is room. A client that has gone is none of the sender's business.
    pub(super) async fn say(&self, message: impl Into<Bytes>) {
        put(&self.out, message.into()).await;
    }

    pub(super) fn session(&self) -> Option<&Arc<Use>> {
        self.begun.get().map(|begun| &begun.session)
    }

    pub(super) fn stream(&self) -> Option<Arc<EventStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until no message comes from the client any more.
    pub(super) async fn silent(&self) {
        self.silent.cancelled().await;
    }

    /// Takes what the client sent: a message, or a batch. Requests are answered later; this waits only while the client does not read.
    ///
    /// # Errors
    /// When it is no message: nobody is answered then.
    pub(crate) async fn receive(self: &Arc<Self>, text: Bytes, incoming: Incoming, sender: &Arc<Opener>) -> Result<(), Failure> {
        let (mut messages, batch) = Message::parse_batch(&text, MAX_BATCH).map_err(Failure::frame)?;
        let is_modern = messages.iter().any(|message| has_modern_meta(message) || is_discover(message));
        let may_batch = || !is_modern && self.session().is_some_and(|session| session.revision.has_batches());
        if batch && !may_batch() {
            return Err(Failure::frame(FrameError::Batch));
        }
        if batch && messages.iter().any(|message| matches!(message, Message::Request(_))) {
            self.start(None, Speech::Batch, &text, incoming).await;
            return Ok(());
        }
        if batch {
            messages.iter().for_each(|message| self.take(&incoming, message));
            return Ok(());
        }
        match messages.pop() {
            Some(Message::Request(request)) if is_modern => self.start(Some(request.id.raw()), Speech::Modern, &text, incoming).await,
            Some(Message::Request(request)) if request.method == "initialize" => self.initialize(incoming, &request, sender).await,
            Some(Message::Request(request)) => self.start(Some(request.id.raw()), Speech::Legacy, &text, incoming).await,
            Some(message) => self.take(&incoming, &message),
            None => {}
        }
        Ok(())
    }

    /// Answers the requests in what the client sent with this.
    pub(crate) async fn refuse(&self, text: &Bytes, failure: &Failure) {
        let messages = Message::parse_batch(text, MAX_BATCH).map(|(messages, _)| messages).unwrap_or_default();
        for message in &messages {
            if let Message::Request(request) = message {
                self.say(failure.message(Some(request.id.raw()))).await;
            }
        }
    }

    /// Takes a notification or a response. A cancel says nothing of its sender's era.
    fn take(&self, incoming: &Incoming, message: &Message<'_>) {
        if let Message::Notification(notification) = message
            && notification.method == "notifications/cancelled"
            && let Some(id) = notification.params.as_ref().and_then(|params| params.get("requestId"))
        {
            self.running.cancel(id);
        }
        if let Some(session) = self.session() {
            legacy::take(incoming, session, message);
        }
    }

    /// Begins to answer a request in a task of its own.
    async fn start(self: &Arc<Self>, id: Option<&str>, speech: Speech, text: &Bytes, incoming: Incoming) {
        let begun = match self.place(id, text, &incoming) {
            Ok(begun) => begun,
            Err(failure) => return self.say(failure.message(id)).await,
        };
        // A copy, since the rest of what was read with a small message would be kept as long as the message.
        let text = if text.len() <= COPIED { Bytes::copy_from_slice(text) } else { text.clone() };
        let (peer, id) = (Arc::clone(self), id.map(Box::<str>::from));
        self.inner.tracker.spawn(async move {
            let Begun { place, in_flight, mut room } = begun;
            let answer = tokio::select! {
                biased;
                () = place.cancelled() => None,
                answer = Box::pin(peer.answer(speech, &text, &incoming, in_flight)) => answer,
            };
            drop(text);
            // Many answers may wait for one client: they take of what the bodies of all have.
            let answer = answer.map(|answer| match room.cover(answer.len()) {
                Ok(()) => answer,
                Err(failure) => failure.message(id.as_deref()).into(),
            });
            // Waits for a slow client no longer than until the call is cancelled.
            if let Some(answer) = answer {
                tokio::select! {
                    biased;
                    () = peer.say(answer) => {}
                    () = place.cancelled() => {}
                }
            }
        });
    }

    fn place(&self, id: Option<&str>, text: &Bytes, incoming: &Incoming) -> Result<Begun, Failure> {
        let limits = &incoming.snapshot.limits;
        let busy = "too many requests in flight (limits.maxRequestsInFlight); try again";
        let in_flight = self.inner.enter(limits.max_in_flight).ok_or_else(|| Failure::busy(busy))?;
        let place = self.running.begin(id.unwrap_or_default());
        let place = place.ok_or_else(|| Failure::busy("too many requests of this client run at once; wait for an answer"))?;
        let mut room = Room::new(&self.inner.bodies, limits.request_budget);
        room.cover(text.len())?;
        Ok(Begun { place, in_flight, room })
    }

    /// The answer to what the client sent. `None` where there is none, or it has been sent.
    async fn answer(&self, speech: Speech, text: &Bytes, incoming: &Incoming, in_flight: InFlight) -> Option<Bytes> {
        let (mut messages, _) = Message::parse_batch(text, MAX_BATCH).ok()?;
        if let (Speech::Batch, Some(session)) = (speech, self.session()) {
            return Some(legacy::serve_batch(incoming, session, messages).await.into_body().collect().await);
        }
        let Some(Message::Request(request)) = messages.pop() else { return None };
        let id = request.id.raw();
        if request.method == "subscriptions/listen" && speech == Speech::Modern {
            let failed = self.listen(incoming, &request, in_flight).await.err()?;
            return Some(failed.message(Some(id)).into());
        }
        let outcome = match speech {
            Speech::Modern => {
                let mut journal = Journal::begin(&request.method);
                let outcome = modern::answer(incoming, &request, &AtPipe { peer: self, session: None }, &mut journal).await;
                journal.end(&outcome);
                outcome
            }
            Speech::Legacy | Speech::Batch => self.answer_legacy(incoming, &request).await,
        };
        Some(match outcome {
            Ok(result) => {
                let mut message = response_head(id, result.len() + 1);
                message.extend_from_slice(&result);
                message.push(b'}');
                message.into()
            }
            Err(failure) => failure.message(Some(id)).into(),
        })
    }

    async fn answer_legacy(&self, incoming: &Incoming, request: &Request<'_>) -> Result<Bytes, Failure> {
        match self.session() {
            Some(session) => legacy::result(incoming, session, request, &AtPipe { peer: self, session: Some(session) }).await,
            None if request.method == "ping" => Ok(Bytes::from_static(b"{}")),
            None => Err(Failure::new(code::INVALID_REQUEST, "there is no session yet; send `initialize` first")),
        }
    }

    /// Tells of changes until the subscription is cancelled or ends. An end in order is the request's result, among the messages.
    async fn listen(&self, incoming: &Incoming, request: &Request<'_>, in_flight: InFlight) -> Result<(), Failure> {
        let journal = Journal::begin(&request.method);
        let Ok(_place) = self.listening.try_acquire() else {
            let many = format!("this client has {SUBSCRIPTIONS} subscriptions; put more into one, or cancel one that is not needed");
            let refused = Err(Failure::busy(&many));
            journal.end(&refused);
            return refused;
        };
        let opened = match modern::check(incoming, request) {
            Ok((params, capabilities)) => listen::open(incoming, request.id.raw(), params, capabilities).await,
            Err(failure) => Err(failure),
        };
        journal.end(&opened);
        let (mut messages, guard) = opened?;
        drop(in_flight);
        let telling = async {
            while let Some(message) = messages.recv().await {
                self.say(message).await;
            }
        };
        let mut telling = pin!(telling);
        tokio::select! {
            () = &mut telling => {}
            () = self.silent() => {
                guard.end();
                telling.await;
            }
        }
        Ok(())
    }

    /// Ends in order: what runs may end until then and is cancelled afterwards.
    pub(crate) async fn end(&self, until: Instant) {
        self.silent.cancel();
        if timeout_at(until, self.running.idle()).await.is_err() {
            tracing::warn!("requests of a client at a pipe were still in flight and are cancelled");
            self.running.cancel_all();
            self.running.idle().await;
        }
        self.leave();
    }

    /// Ends at once: the client has gone.
    pub(crate) fn abandon(&self) {
        self.silent.cancel();
        self.running.cancel_all();
        self.leave();
    }

    /// Ends the session, here and at the backends.
    fn leave(&self) {
        let Some(Session { session, opener }) = self.begun.get() else { return };
        let Some(session) = self.inner.sessions.remove(&session.id) else { return };
        session.cancel_all();
        match opener.incoming(&self.inner) {
            Ok(incoming) => self.inner.end_as(&session, &incoming.identity),
            Err(_) => self.inner.end(&session),
        }
    }
}

/// The session of a legacy client.
pub(super) struct Session {
    pub(super) session: Arc<Use>,
    /// Who sent `initialize`, and the headers that came with it.
    pub(super) opener: Arc<Opener>,
}

/// Up to this size a message is copied out of what was read with it.
const COPIED: usize = 16 * 1024;

/// In what way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Modern,
    Legacy,
    /// Several at once, as only 2025-03-26 has them.
    Batch,
}

/// What a request holds while it runs.
struct Begun {
    place: Place,
    in_flight: InFlight,
    room: Room,
}

/// Only modern clients ask that, and they do to find out whether the server is one: with a revision in it that is none here.
fn is_discover(message: &Message<'_>) -> bool {
    matches!(message, Message::Request(request) if request.method == "server/discover")
}
