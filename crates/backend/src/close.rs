//! Ending a backend's sessions and connections.

use crate::{Backend, outgoing::Audience, session::Session};
use futures_util::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long closing may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How many sessions are ended at once.
const AT_ONCE: usize = 16;

impl Backend {
    /// Stops the streams, ends the gateway's own sessions and the pooled ones at the backend, with static and service credentials only,
    /// waits for the ends of others that have begun, and closes idle connections. Takes at most five seconds. New requests are refused from
    /// the start.
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
                join_all(some.iter().map(|session| self.delete(Audience::Gateway, session))).await;
            }
            // They may still have to get a credential, which nobody gets from a backend that is closed.
            self.errands().ended().await;
        })
        .await;
        self.closing().cancel();
    }
}
