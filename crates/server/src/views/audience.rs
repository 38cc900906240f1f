//! Which backends a client on a stream may hear: those of which it is shown something.

use super::{current::Views, keys::ViewerKey};
use std::sync::{Arc, Weak};
use vmcp_backend::Backend;
use vmcp_core::catalogue::ListKind;

/// Who listens, where not everybody may see everything: what a backend says is for those alone who may see something of it.
pub(crate) struct Audience {
    views: Weak<Views>,
    key: ViewerKey,
}

impl Audience {
    /// Whether it may know that this backend says something. After a reload nobody is heard until the client listens again, and then
    /// the new backends alone: what ended may still be there for requests in flight.
    pub(crate) fn hears(&self, backend: &Backend) -> bool {
        let may = |views: Arc<Views>| !views.listeners.have_ended() && views.has(backend) && views.sees(&self.key, backend.index());
        self.views.upgrade().is_some_and(may)
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
}
