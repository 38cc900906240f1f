//! Getting lists: always in a tracked task, one at a time for each key, so that a caller who stops waiting stops nothing.

use super::{
    current::Views,
    keys::{ListKey, Viewer, declared},
    slot::{Fetched, Slot, bits},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vmcp_auth::Identity;
use vmcp_backend::{CallerSessions, Early, ListRequest, Listed, ViewScope};
use vmcp_core::{CapabilitySet, Era};

/// What a listing needs of the request that wants it, owned for as long as the listing takes.
struct Asker {
    caller: Identity,
    sessions: Option<Arc<CallerSessions>>,
}

/// An attempt that ends its slot's waiting however it ends.
struct Attempt {
    slot: Arc<Slot>,
    finished: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.finished {
            self.slot.finish(Err("listing was interrupted".into()), || {});
        }
    }
}

/// How often failed lists are looked at for another attempt.
const RECOVERY_TICK: Duration = Duration::from_millis(500);

impl Views {
    /// Has a list fetched, unless that is under way. A shared list is fetched by the gateway itself, with nothing of the caller's.
    pub(super) fn refresh(self: &Arc<Self>, key: ListKey, slot: &Arc<Slot>, viewer: Option<&Viewer<'_>>) {
        let asker = match (key.scope, viewer) {
            (ViewScope::Shared, _) => None,
            (ViewScope::Caller(_), Some(viewer)) => {
                Some(Asker { caller: viewer.caller.clone(), sessions: viewer.session.map(|session| Arc::clone(&session.backends)) })
            }
            // The caller's values are gone: nobody else's may be used instead.
            (ViewScope::Caller(_), None) => return,
        };
        let era = viewer.map_or(key.era, |viewer| viewer.era);
        let capabilities = viewer.map_or(key.capabilities, |viewer| viewer.capabilities);
        if self.shutdown.is_cancelled() || !slot.start() {
            return;
        }
        let attempt = Attempt { slot: Arc::clone(slot), finished: false };
        let views = Arc::clone(self);
        self.tracker.spawn(async move { views.list(key, attempt, asker, era, capabilities).await });
    }

    async fn list(self: Arc<Self>, key: ListKey, mut attempt: Attempt, asker: Option<Asker>, era: Era, capabilities: CapabilitySet) {
        let Some(backend) = self.backends.get(key.backend) else { return };
        let slot = Arc::clone(&attempt.slot);
        let arrived = AtomicBool::new(false);
        let early = |listed: Listed| {
            let (resolved, fetched) = self.fetched(key, capabilities, &slot, listed);
            if resolved != key {
                self.lists.slot(resolved).arrive(fetched.clone(), || self.changed());
            }
            if !slot.arrive(fetched, || self.changed()).is_empty() {
                self.announce(key.backend, key.scope);
                arrived.store(true, Ordering::Relaxed);
            }
        };
        let request = ListRequest {
            era,
            capabilities,
            caller: asker.as_ref().map(|asker| &asker.caller),
            sessions: asker.as_ref().and_then(|asker| asker.sessions.as_ref()),
            // Those who wait find what there is when they stop waiting.
            early: Some(Early { after: self.settings.wait / 2, tell: &early }),
        };
        let listed = tokio::select! {
            listed = backend.list(request) => listed,
            () = self.shutdown.cancelled() => return,
        };
        drop(asker);
        attempt.finished = true;
        let outcome =
            listed.map(|listed| self.fetched(key, capabilities, &slot, listed)).map_err(|error| Arc::<str>::from(error.to_string()));
        let (trouble, brought) = match &outcome {
            Ok((_, fetched)) => (fetched.trouble.as_deref(), true),
            Err(error) => (Some(&**error), false),
        };
        if let Some(error) = trouble
            && let Some(complaint) = self.complaints.of(&key, &slot, error, brought)
        {
            tracing::warn!(backend = %backend.name(), error, "{}", complaint.as_str());
        }
        let (outcome, list) = match outcome {
            Ok((resolved, fetched)) => {
                let list = Arc::clone(&fetched.list);
                if resolved != key {
                    // Whoever waited for this attempt looks there now and must find something, also while another one is under way.
                    self.lists.slot(resolved).adopt(fetched.clone(), || self.changed());
                }
                (Ok(fetched), Some(list))
            }
            Err(error) => (Err(error), None),
        };
        let changed = attempt.slot.finish(outcome, || self.changed());
        if !changed.is_empty() || arrived.into_inner() {
            if let (ViewScope::Shared, Some(list)) = (key.scope, list) {
                backend.watch();
                self.keep(key, &list).await;
            }
            self.announce(key.backend, key.scope);
        } else if list.is_some() && matches!(key.scope, ViewScope::Caller(_)) {
            self.confirm(key.backend, key.scope);
        }
    }

    /// What a listing brought, over what is known already, and the key that it belongs under: the era may only now be known.
    fn fetched(&self, key: ListKey, capabilities: CapabilitySet, slot: &Slot, listed: Listed) -> (ListKey, Fetched) {
        let era = listed.era();
        let resolved = ListKey { era, capabilities: declared(era, capabilities), ..key };
        let troubles = listed.failed().iter().map(|(_, error)| error).chain(listed.warnings());
        let troubles: Vec<String> = troubles.map(ToString::to_string).collect();
        let lacking = bits(|kind| listed.lacks(kind));
        let last = slot.list().or_else(|| self.lists.known(&resolved)?.list());
        let list = self.lists.intern(listed.over(last.as_deref()));
        (resolved, Fetched { list, lacking, trouble: (!troubles.is_empty()).then(|| troubles.join("; ").into()) })
    }

    /// Lists what everybody will want and brings dead backends' lists back, until shutdown.
    pub(crate) async fn run(self: Arc<Self>) {
        self.restore().await;
        self.report();
        for backend in &self.backends {
            // Only what the gateway may list by itself: without a caller there are no caller's headers.
            if !backend.is_shared() {
                continue;
            }
            // One era is enough to have a list, instructions and an ear for changes; the other is listed when somebody asks in it.
            // The modern one is asked for first (2026-07-28, basic/versioning).
            let era = backend.known_era(Era::Modern).unwrap_or(Era::Modern);
            let key = ListKey { backend: backend.index(), era, capabilities: CapabilitySet::NONE, scope: ViewScope::Shared };
            self.refresh(key, &self.lists.slot(key), None);
        }
        let mut tick = tokio::time::interval(RECOVERY_TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            for (key, slot) in self.lists.shared() {
                // It may have changed again while it was being listed, or said so too soon after it was.
                if slot.retry_due() || slot.change_due() {
                    self.refresh(key, &slot, None);
                }
            }
        }
    }
}
