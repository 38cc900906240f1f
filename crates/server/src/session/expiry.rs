//! Sessions that nobody uses end.

use super::{client::ClientSession, table::SessionTable};
use std::{sync::Arc, time::Duration};

impl SessionTable {
    /// Removes the sessions that have been idle, or unused since `initialize`, for too long. Those that had to make room since the last
    /// time are among them.
    pub(crate) fn take_expired(&self) -> Vec<Arc<ClientSession>> {
        let now = self.clock.now();
        let expired = |session: &ClientSession| {
            let limit = if session.was_used() { self.settings.idle_timeout } else { self.settings.unused_timeout };
            session.idle_since().is_some_and(|since| Duration::from_millis(now.saturating_sub(since)) > limit)
        };
        let ids: Vec<Box<str>> = self.sessions.iter().filter(|entry| expired(entry)).map(|entry| entry.id.clone()).collect();
        let mut ended = self.take_evicted();
        ended.extend(ids.iter().filter_map(|id| self.remove_if(id, expired)));
        ended
    }
}
