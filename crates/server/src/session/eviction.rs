//! Idle sessions make room for new ones.

use super::{client::ClientSession, locked, table::SessionTable};
use std::sync::Arc;

/// How many sessions one look at the table picks as victims.
const VICTIMS: usize = 1024;

impl SessionTable {
    /// Makes room for one session by ending the least recently used idle one.
    pub(super) fn evict(&self) -> bool {
        for _ in 0..2 {
            loop {
                let victim = locked(&self.victims).pop();
                let Some((since, id)) = victim else { break };
                if let Some(session) = self.remove_if(&id, |session| session.idle_since() == Some(since)) {
                    self.keep_evicted(session);
                    return true;
                }
            }
            self.find_victims();
        }
        false
    }

    /// Keeps a session that has just ended until somebody closes what it has at the backends.
    pub(super) fn keep_evicted(&self, session: Arc<ClientSession>) {
        if !session.backends.is_empty() {
            locked(&self.evicted).push(session);
        }
    }

    /// The sessions that ended on the way since the last time.
    pub(super) fn take_evicted(&self) -> Vec<Arc<ClientSession>> {
        std::mem::take(&mut *locked(&self.evicted))
    }

    fn find_victims(&self) {
        let mut idle: Vec<(u64, Box<str>)> =
            self.sessions.iter().filter_map(|entry| Some((entry.idle_since()?, entry.id.clone()))).collect();
        idle.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
        let keep = idle.len().saturating_sub(VICTIMS);
        *locked(&self.victims) = idle.split_off(keep);
    }
}
