//! Sessions that nobody uses end.

use super::{client::ClientSession, table::SessionTable};
use std::{sync::Arc, time::Duration};

impl SessionTable {
    /// Removes the sessions that have been idle, or unused since `initialize`, for too long. Those that had to make room since the last
    /// time are among them. Those that stay let go of streams that nobody came back for.
    pub(crate) fn take_expired(&self) -> Vec<Arc<ClientSession>> {
        for session in self.sessions.iter() {
            session.forget_streams();
        }
        let ids: Vec<Box<str>> = self.sessions.iter().filter(|entry| self.has_expired(entry)).map(|entry| entry.id.clone()).collect();
        let mut ended = self.take_evicted();
        ended.extend(ids.iter().filter_map(|id| self.remove_if(id, |session| self.has_expired(session))));
        ended
    }

    /// Whether a session's time is over at this moment, whoever looks.
    pub(super) fn has_expired(&self, session: &ClientSession) -> bool {
        let limit = if session.was_used() { self.settings.idle_timeout } else { self.settings.unused_timeout };
        session.idle_since().is_some_and(|since| Duration::from_millis(self.clock.now().saturating_sub(since)) > limit)
    }

    /// Ends a session that somebody asked for too late. What it has at the backends is closed at the next look.
    pub(super) fn expire(&self, id: &str) {
        if let Some(session) = self.remove_if(id, |session| self.has_expired(session)) {
            self.keep_evicted(session);
        }
    }
}
