//! Ending a backend's sessions and connections.

use crate::{
    Backend,
    outgoing::Audience,
    session::Session,
    together::{Boxed, together},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long closing may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How many sessions are ended at once.
const AT_ONCE: usize = 16;

impl Backend {
    /// Stops the streams, ends the gateway's own sessions and the pooled ones at the backend, with static and service credentials only,
    /// and closes idle connections. Takes at most five seconds. New requests are refused from the start.
    pub async fn close(self: &Arc<Self>) {
        self.stopping().cancel();
        self.opening().close();
        let _ = timeout(LIMIT, async {
            // A handshake under way still brings a session, which its task ends itself.
            self.opening().wait().await;
            let sessions: Vec<Arc<Session>> = {
                let owned = self.owned().all();
                owned.iter().filter_map(|cell| cell.take()).chain(self.pool().drain()).collect()
            };
            for some in sessions.chunks(AT_ONCE) {
                let deletes = some.iter().map(|session| Box::pin(self.deleted(session)) as Boxed<'_, _>).collect();
                let _ = together(deletes).await;
            }
        })
        .await;
        self.closing().cancel();
    }

    async fn deleted(&self, session: &Session) -> Result<(), Infallible> {
        self.delete(Audience::Gateway, session).await;
        Ok(())
    }
}
