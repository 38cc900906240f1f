//! The end of a client at a pipe, and of what it has here and at the backends.

use super::{Peer, peer::Session};
use std::future::pending;
use tokio::time::{Instant, sleep, timeout_at};
use vmcp_auth::Identity;

impl Peer {
    /// Waits until no message comes from the client any more.
    pub(super) async fn silent(&self) {
        self.silent.cancelled().await;
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.is_cancelled()
    }

    /// Has the client go in order, as at a shutdown: whoever holds the pipe does the rest.
    pub(super) fn dismiss(&self) {
        self.dismissed.cancel();
    }

    /// Waits until the client has to go.
    pub(super) async fn dismissed(&self) {
        self.dismissed.cancelled().await;
    }

    /// Waits until whoever sent a message would have to show its credential again: what goes on of it ends then, though the pipe's own
    /// credential may be good for longer. Forever where nobody asks for one any more.
    pub(super) async fn overdue(&self, sender: &Identity) {
        match sender.remaining().filter(|_| self.opener.is_let_in()) {
            Some(left) => sleep(left).await,
            None => pending().await,
        }
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
