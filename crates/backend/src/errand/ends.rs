//! The ends of sessions: told to their backends where nobody uses them any more.

use super::{DRAIN_TIME, Kind, drained};
use crate::{
    Backend,
    outgoing::{Audience, Outgoing, Protocol},
    session::{PoolKey, Session},
};
use bytes::Bytes;
use http::Method;
use std::sync::Arc;
use tokio::time::{sleep_until, timeout};
use vmcp_auth::Identity;

impl Backend {
    /// Ends a session, with static and service credentials only: its caller's are gone.
    pub(crate) fn close_session(self: &Arc<Self>, session: Arc<Session>) {
        self.close_session_of(None, session);
    }

    /// Ends a session on behalf of its caller, where a request of theirs asks for it.
    pub(crate) fn close_session_of(self: &Arc<Self>, caller: Option<Identity>, session: Arc<Session>) {
        if let Some(pipe) = &session.pipe {
            session.lose();
            return pipe.close();
        }
        if session.is_gone() || session.id.is_none() {
            return;
        }
        self.errand(Kind::End, move |backend| async move { backend.delete(Audience::from(caller.as_ref()), &session).await });
    }

    pub(crate) async fn delete(&self, audience: Audience<'_>, session: &Session) {
        if let Some(pipe) = &session.pipe {
            session.lose();
            return pipe.close();
        }
        if session.is_gone() || session.id.is_none() {
            return;
        }
        session.lose();
        let outgoing = Outgoing {
            method: Method::DELETE,
            audience,
            protocol: Protocol::Legacy(session),
            last_event_id: None,
            body: Bytes::new(),
            is_stream: false,
        };
        if let Ok((_, mut reply)) = self.transmit(&outgoing).await {
            let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
        }
        tracing::debug!(backend = &**self.name(), "closed a session");
    }

    /// Puts a session of a modern caller aside for its next call.
    pub(crate) fn pool_session(self: &Arc<Self>, key: PoolKey, session: Arc<Session>) {
        if self.is_stopping() {
            return self.close_session(session);
        }
        let put = self.pool().put(key, session);
        if let Some(evicted) = put.evicted {
            self.close_session(evicted);
        }
        if put.sweep {
            let backend = Arc::clone(self);
            self.shared().spawn(async move { backend.sweep_sessions().await });
        }
    }

    async fn sweep_sessions(self: Arc<Self>) {
        loop {
            let (expired, next) = self.pool().expired();
            for session in expired {
                self.close_session(session);
            }
            let Some(next) = next else { return };
            if self.stopping().run_until_cancelled(sleep_until(next)).await.is_none() {
                return;
            }
        }
    }
}
