//! What backends ask of those who use them: sampling, elicitation, roots (2025-11-25, client/*).

use crate::{Backend, ProgressTo, session::Session};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use tokio_util::sync::CancellationToken;
use vmcp_auth::Identity;
use vmcp_core::frame::{error_response, response_head};

/// Longer ids of backends are not repeated.
pub(crate) const MAX_ID: usize = 1024;

/// Names one request of a backend among those of one call.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AskId(Arc<str>);

impl AskId {
    /// `raw` is the id's JSON text; `None` where it is too long to be repeated.
    pub(crate) fn new(raw: &str) -> Option<Self> {
        (raw.len() <= MAX_ID).then(|| Self(raw.into()))
    }

    pub(crate) fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskId")
    }
}

/// What a backend is answered. `Debug` shows lengths only.
#[derive(Clone)]
pub enum Answer {
    /// The JSON text of the `result` object.
    Result(Bytes),
    /// The JSON text of the `error` object.
    Error(Bytes),
}

impl Answer {
    /// The whole message. `id` is JSON text.
    pub(crate) fn message(&self, id: &str) -> Bytes {
        match self {
            Self::Error(object) => error_response(Some(id), object).into(),
            Self::Result(result) => {
                let mut message = response_head(id, result.len() + 1);
                message.extend_from_slice(result);
                message.push(b'}');
                message.into()
            }
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(text) => write!(f, "Result({} bytes)", text.len()),
            Self::Error(text) => write!(f, "Error({} bytes)", text.len()),
        }
    }
}

/// Hears what backends say outside of calls to those of one client session, or to one subscription. Called from the tasks that read
/// their streams: must not block.
pub trait Ear: Send + Sync + 'static {
    /// A notification: `notifications/message`, `notifications/resources/updated`, `notifications/elicitation/complete`,
    /// `notifications/tasks` or one that vmcp does not know. `params` is the JSON text of the object, or `{}`. Changes of lists are told
    /// to the [`Observer`](crate::Observer) instead. `backend` may be one of a configuration that is over, and stands for nothing in the
    /// one after it ([`Backend::id`]).
    fn notified(&self, backend: &Backend, method: &str, params: Bytes);

    /// A request that belongs to no call, and that the declared capabilities allow.
    fn asked(&self, asked: Asked);
}

/// A request of a backend outside of calls. Dropped without an answer it is answered with an error.
pub struct Asked {
    backend: Arc<Backend>,
    session: Arc<Session>,
    id: AskId,
    method: String,
    params: Bytes,
    withdrawn: CancellationToken,
    answered: bool,
}

impl Asked {
    pub(crate) fn new(
        backend: Arc<Backend>,
        session: Arc<Session>,
        id: AskId,
        method: String,
        params: Bytes,
        withdrawn: CancellationToken,
    ) -> Self {
        Self { backend, session, id, method, params, withdrawn, answered: false }
    }

    /// Who asks. It may be a backend of a configuration that is over, as in [`Ear::notified`].
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// `sampling/createMessage`, `elicitation/create` or `roots/list`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The JSON text of the `params` object, or `{}`.
    #[must_use]
    pub fn params(&self) -> &Bytes {
        &self.params
    }

    /// Waits until the backend takes the request back, or its session ends.
    pub async fn withdrawn(&self) {
        self.withdrawn.cancelled().await;
    }

    /// Where the progress of whoever is asked goes.
    #[must_use]
    pub fn progress(&self) -> ProgressTo {
        ProgressTo::new(&self.backend, &self.session)
    }

    /// Answers. `caller` is who brought the answer: its headers go with it.
    pub fn answer(mut self, caller: Option<&Identity>, answer: &Answer) {
        self.answered = true;
        self.send(caller, answer);
    }

    fn send(&self, caller: Option<&Identity>, answer: &Answer) {
        if !self.withdrawn.is_cancelled() {
            self.session.switch.forget(&self.id);
            self.backend.send_answer(caller.cloned(), &self.session, answer.message(self.id.raw()));
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.answered {
            self.send(None, &nobody_answers());
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("backend", self.backend.name()).field("method", &self.method).finish_non_exhaustive()
    }
}

/// What a backend is told where nobody can be asked.
pub(crate) fn nobody_answers() -> Answer {
    const INTERNAL: i64 = -32603;
    Answer::Error(vmcp_core::frame::error_object(INTERNAL, "there is nobody to answer this now", None).into())
}
