//! What backends say to a client outside of its calls, and ask it.

use super::{client::ClientSession, common::Common, followed::updated};
use crate::{
    lane::Unanswered,
    views::{Audience, Told},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_auth::Identity;
use vmcp_backend::{Answer, Asked, Backend, Ear};
use vmcp_core::{
    LoggingLevel,
    frame::{RawObject, notification},
};

/// How long a question waits for a stream to be asked on, and for the lists that say whether its client may know of who asks.
const STREAM_WAIT: Duration = Duration::from_secs(30);
/// How long a client may take over an answer: it may be a person's.
const ANSWER_WAIT: Duration = Duration::from_secs(600);

impl Ear for ClientSession {
    fn notified(&self, backend: &Backend, method: &str, params: Bytes) {
        let Ok(text) = std::str::from_utf8(&params) else { return };
        match method {
            // These belong to requests.
            "notifications/progress" | "notifications/cancelled" => return,
            "notifications/resources/updated" => return self.updated(backend, text),
            "notifications/message" if !self.wants(text) => return,
            "notifications/message" => {}
            _ if !self.revision.has_notification(method) => return,
            _ => {}
        }
        let is_for = |audience: Option<&Audience>| audience.is_none_or(|audience| audience.hears(backend));
        self.leave(&notification(method, Some(text)).into(), &is_for);
    }

    fn asked(&self, asked: Asked) {
        // Not asked any more once the session has gone; dropped, the backend's request is answered with an error.
        let Some(session) = self.me.upgrade() else { return };
        let common = Arc::clone(&self.common);
        common.tracker.spawn(relay(session, Arc::clone(&common), asked));
    }
}

impl ClientSession {
    /// Tells of a resource: where not everybody may read everything, of what this client follows alone, and whoever may read it.
    fn updated(&self, backend: &Backend, params: &str) {
        let told = self.followed(backend, params);
        let renamed = updated(params, told.as_ref().map(Told::uri));
        let may_read = |audience: &Audience| told.as_ref().is_some_and(|told| audience.hears_of(backend, told));
        let message = notification("notifications/resources/updated", Some(renamed.as_deref().unwrap_or(params)));
        self.leave(&message.into(), &|audience| audience.is_none_or(may_read));
    }

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
    let stream = timeout(STREAM_WAIT, session.stream_to_ask(asked.backend())).await.ok()??;
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
