//! What backends say to a client outside of its calls, and ask it.

use super::{client::ClientSession, common::Common};
use crate::lane::Unanswered;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_auth::Identity;
use vmcp_backend::{Answer, Asked, Backend, Ear};
use vmcp_core::{
    LoggingLevel,
    frame::{RawObject, notification},
};

/// How long a question waits for a stream to be asked on.
const STREAM_WAIT: Duration = Duration::from_secs(30);
/// How long a client may take over an answer: it may be a person's.
const ANSWER_WAIT: Duration = Duration::from_secs(600);

impl Ear for ClientSession {
    fn notified(&self, backend: &Backend, method: &str, params: Bytes) {
        let Ok(text) = std::str::from_utf8(&params) else { return };
        let is_for_client = match method {
            // These belong to requests.
            "notifications/progress" | "notifications/cancelled" => false,
            "notifications/resources/updated" => self.may_hear_of_update(backend, text),
            _ if !self.may_hear_from(backend) => false,
            "notifications/message" => self.wants(text),
            _ => self.revision.has_notification(method),
        };
        if is_for_client {
            let renamed = (method == "notifications/resources/updated").then(|| self.updated(backend, text)).flatten();
            self.leave(&notification(method, Some(renamed.as_deref().unwrap_or(text))).into());
        }
    }

    fn asked(&self, asked: Asked) {
        // Not asked any more once the session has gone; dropped, the backend's request is answered with an error.
        let Some(session) = self.me.upgrade() else { return };
        let common = Arc::clone(&self.common);
        common.tracker.spawn(relay(session, Arc::clone(&common), asked));
    }
}

impl ClientSession {
    /// Whether a log message is as severe as this client wants. One that never said gets them all (2025-11-25, server/utilities/logging).
    fn wants(&self, params: &str) -> bool {
        let Some(wanted) = self.log_level() else { return true };
        let level = RawObject::parse(params).ok().and_then(|params| LoggingLevel::parse(&params.get_str("level")?));
        level.is_some_and(|level| level >= wanted)
    }
}

/// Asks the client and answers the backend, unless the backend takes its request back first.
async fn relay(session: Arc<ClientSession>, common: Arc<Common>, asked: Asked) {
    let answered = tokio::select! {
        biased;
        () = asked.withdrawn() => None,
        () = common.shutdown.cancelled() => None,
        answered = timeout(ANSWER_WAIT, ask(&session, &asked)) => answered.ok().flatten(),
    };
    if let Some((answer, identity)) = answered {
        asked.answer(identity.as_ref(), &answer);
    }
}

async fn ask(session: &Arc<ClientSession>, asked: &Asked) -> Option<(Answer, Option<Identity>)> {
    let stream = timeout(STREAM_WAIT, session.wait_for_stream()).await.ok()?;
    if !session.may_hear_from(asked.backend()) {
        return None;
    }
    let progress = asked.progress();
    let on_progress = Box::new(move |params, identity: &Identity| progress.tell(identity, params));
    let mut question = session.ask(asked.method(), asked.params(), Some(on_progress))?;
    question.send_on(&stream).await;
    let answer = question.answer().await;
    let identity = question.answered_by();
    match answer {
        Ok(given) => Some((Answer::Result(given.result), identity)),
        Err(Unanswered::Error(object)) => Some((Answer::Error(object), identity)),
        Err(Unanswered::CannotBeAsked | Unanswered::Gone) => None,
    }
}
