//! Getting the lists that a viewer needs, and waiting for them no longer than that is worth.

use super::{
    current::Views,
    keys::{Viewer, ViewerKey},
    slot::Freshness,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout_at};
use vmcp_backend::Backend;

impl Views {
    /// Gets the lists of the chosen backends where they are missing or known to have changed.
    pub(crate) async fn gather(self: &Arc<Self>, viewer: &Viewer<'_>, key: &ViewerKey, wanted: impl Fn(usize) -> bool) {
        for (until, mut finished) in self.begin_to_gather(viewer, key, wanted) {
            // Every attempt under way goes on after the wait; its outcome is there for the next caller.
            let _ = timeout_at(until.into(), finished.changed()).await;
        }
    }

    /// Has such lists fetched, of each one attempt at a time. Gives those that are worth waiting for, and until when.
    pub(crate) fn begin_to_gather(
        self: &Arc<Self>,
        viewer: &Viewer<'_>,
        key: &ViewerKey,
        wanted: impl Fn(usize) -> bool,
    ) -> Vec<(Instant, watch::Receiver<u64>)> {
        let mut waiting: Vec<(Instant, watch::Receiver<u64>)> = Vec::new();
        for backend in &self.backends {
            let Some(list) = key.list(backend).filter(|list| wanted(list.backend)) else { continue };
            let slot = self.lists.slot(list);
            let freshness = slot.freshness(self.ttl_of(&slot));
            if freshness == Freshness::Fresh {
                continue;
            }
            let finished = slot.subscribe();
            self.refresh(list, &slot, Some(viewer));
            if freshness != Freshness::Old
                && let Some(until) = slot.wait_until(self.wait_for(key, backend))
            {
                waiting.push((until, finished));
            }
        }
        waiting
    }

    /// How long a list waits for this backend. Many clients read the lists once, just after they opened their session, and some of them
    /// just after they started this gateway: what is starting too would never be there for them.
    fn wait_for(&self, key: &ViewerKey, backend: &Backend) -> Duration {
        let is_starting = backend.is_started() && self.known_list(key, backend).is_none();
        if is_starting { self.settings.start_wait } else { self.settings.wait }
    }
}
