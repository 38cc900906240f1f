//! One client at the other end of a pipe: what it sends is taken here, and what it is sent waits here.

use super::{
    Opener,
    answering::{SUBSCRIPTIONS, Speech},
    running::Running,
};
use crate::{
    edge::{
        legacy,
        post::{Incoming, MAX_BATCH, has_modern_meta},
        reply::put,
    },
    failure::Failure,
    gateway::Inner,
    session::{EventStream, Use},
};
use bytes::Bytes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use vmcp_core::frame::{FrameError, Message};

/// How many messages wait for a client that reads slowly; then whoever has another one waits.
const QUEUE: usize = 8;

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
    pub(super) running: Arc<Running>,
    /// Places for subscriptions.
    pub(super) listening: Semaphore,
    /// No message comes from the client any more.
    pub(super) silent: CancellationToken,
    /// The client has to go.
    pub(super) dismissed: CancellationToken,
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
            dismissed: CancellationToken::new(),
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
}

/// The session of a legacy client.
pub(super) struct Session {
    pub(super) session: Arc<Use>,
    /// Who sent `initialize`, and the headers that came with it.
    pub(super) opener: Arc<Opener>,
}

/// Only modern clients ask that, and they do to find out whether the server is one: with a revision in it that is none here.
fn is_discover(message: &Message<'_>) -> bool {
    matches!(message, Message::Request(request) if request.method == "server/discover")
}
