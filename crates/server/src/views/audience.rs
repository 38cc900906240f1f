//! Who listens on a stream, where not everybody may see everything: which backends it may hear, and of which resources.

use super::{
    current::Views,
    keys::{ListKey, ViewerKey},
    told::Told,
};
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use vmcp_backend::Backend;
use vmcp_core::catalogue::ListKind;

/// Who listens, where not everybody may see everything: what a backend says is for those alone who may see something of it.
pub(crate) struct Audience {
    views: Weak<Views>,
    key: ViewerKey,
}

impl Audience {
    /// The lists that decide about a backend. After a reload nobody is heard until the client listens again, and then the new backends
    /// alone: what ended may still be there for requests in flight.
    fn views(&self, backend: &Backend) -> Option<Arc<Views>> {
        self.views.upgrade().filter(|views| !views.listeners.have_ended() && views.has(backend))
    }

    /// Whom catalogues are shown to that are shown to this.
    pub(crate) fn key(&self) -> &ViewerKey {
        &self.key
    }

    /// Whether it may know that this backend says something.
    pub(crate) fn hears(&self, backend: &Backend) -> bool {
        self.views(backend).is_some_and(|views| views.sees(&self.key, backend.index()))
    }

    /// Whether it may be told of this backend's resource.
    pub(crate) fn hears_of(&self, backend: &Backend, told: &Told) -> bool {
        self.views(backend).is_some_and(|views| views.may_be_told(&self.key, backend.index(), told))
    }

    /// As [`Self::hears_of`], for a subscription: it ends with its configuration, and its backends are all of that one.
    pub(super) fn hears_of_own(&self, backend: usize, told: &Told) -> bool {
        self.views.upgrade().is_some_and(|views| views.may_be_told(&self.key, backend, told))
    }

    /// Whether it is known which it is that [`Self::hears`] says.
    pub(crate) fn is_settled(&self, backend: &Backend) -> bool {
        self.views(backend).is_none_or(|views| views.unsettled(&self.key, backend.index()).is_none())
    }

    /// Waits until [`Self::is_settled`], as long as that takes.
    pub(crate) async fn settled(&self, backend: &Backend) {
        while let Some(mut listed) = self.views(backend).and_then(|views| views.unsettled(&self.key, backend.index())) {
            if listed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Views {
    /// Whom the key is for, as a listener. `None` where everybody may see everything.
    pub(crate) fn audience(self: &Arc<Self>, key: ViewerKey) -> Option<Audience> {
        key.is_granted().then(|| Audience { views: Arc::downgrade(self), key })
    }

    /// Whether this backend is of this configuration.
    fn has(&self, backend: &Backend) -> bool {
        self.backends.get(backend.index()).is_some_and(|own| own.id() == backend.id())
    }

    /// Whether something of a backend is in this viewer's lists, as far as they are known. Where everybody may see everything, it always
    /// may be.
    pub(crate) fn sees(&self, key: &ViewerKey, backend: usize) -> bool {
        if !key.is_granted() {
            return true;
        }
        let shown = self.current(key);
        ListKind::ALL.into_iter().any(|kind| shown.count_of(backend, kind) > 0)
    }

    /// Whether it is known that a viewer may see nothing of a backend.
    pub(crate) fn hides(&self, key: &ViewerKey, backend: usize) -> bool {
        key.is_granted() && self.listed(key, &ListKind::ALL).get(backend).copied().unwrap_or(false) && !self.sees(key, backend)
    }

    fn may_be_told(&self, key: &ViewerKey, backend: usize, told: &Told) -> bool {
        let (Some(granted), Some(admission), Some(own)) = (&key.granted, &self.settings.admission, self.backends.get(backend)) else {
            return false;
        };
        let among_all = granted.among_all.as_deref().map(|key| self.whole(key));
        admission.may_hear(&granted.grant, backend, &told.known(among_all.as_ref(), (backend, own.name())))
    }

    /// Wakes when a list of this backend has been asked for, as long as its lists are missing that say whether a viewer may see something
    /// of it. `None` where that is known. A backend that is left out for this viewer has none to wait for.
    fn unsettled(&self, key: &ViewerKey, backend: usize) -> Option<watch::Receiver<u64>> {
        let list: ListKey = key.list(self.backends.get(backend)?)?;
        let slot = self.lists.slot(list);
        // Listening from before the look, so that no list arrives unheard in between.
        let finished = slot.subscribe();
        let is_known = ListKind::ALL.into_iter().all(|kind| slot.knows(kind)) || self.sees(key, backend);
        (!is_known).then_some(finished)
    }
}
