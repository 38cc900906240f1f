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
        self.leave(backend, &notification(method, Some(text)).into(), |audience| audience.hears(backend));
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
        self.leave(backend, &message.into(), may_read);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Gateway,
        session::{Binding, EndpointId},
    };
    use vmcp_core::{CapabilitySet, Revision, config::Config};

    fn config() -> Config {
        let backend = vmcp_core::config::Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
        Config::with_backends(vec![backend])
    }

    #[tokio::test]
    async fn a_stream_from_before_a_reload_hears_nothing_of_the_backends_that_came_with_it() {
        let gateway = Gateway::builder(config()).build().unwrap();
        let old = Arc::clone(&gateway.inner.snapshot().backends[0]);
        let (sessions, nobody) = (&gateway.inner.sessions, Identity::anonymous());
        let session = sessions.create(&EndpointId::Main, nobody.principal(), Revision::V2025_06_18, CapabilitySet::NONE, None).unwrap();
        let (stream, mut reader) = session.open_stream(Binding::of(gateway.inner.snapshot().generation, [0].iter()), None);
        // Nothing else runs before this test waits: the stream has not been ended yet.
        gateway.reload(config()).unwrap();
        let new = Arc::clone(&gateway.inner.snapshot().backends[0]);
        let say =
            |backend: &Backend, what: &str| session.notified(backend, "notifications/message", format!("{{\"data\":\"{what}\"}}").into());
        let updated = |backend: &Backend| session.notified(backend, "notifications/resources/updated", r#"{"uri":"new:x"}"#.into());
        say(&new, "new");
        updated(&new);
        say(&old, "old");
        let all = |reader: &mut crate::session::Reader| {
            let events = std::iter::from_fn(|| reader.try_next());
            events.map(|event| String::from_utf8(event.to_vec()).unwrap()).collect::<String>()
        };
        let told = all(&mut reader);
        assert!(told.contains("old") && !told.contains("new"), "{told}");
        // Nor is anything left for whoever comes back.
        drop(reader);
        say(&new, "new");
        updated(&new);
        say(&old, "late");
        let told = all(&mut stream.read_after(0, None).unwrap());
        assert!(told.contains("late") && !told.contains("new"), "{told}");
        gateway.shutdown().await;
    }
}
