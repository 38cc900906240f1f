//! Under what a list and a catalogue are kept.

use crate::{admission::Grant, session::ClientSession};
use smallvec::SmallVec;
use std::sync::Arc;
use vmcp_auth::Identity;
use vmcp_backend::{Backend, ViewScope};
use vmcp_core::{CapabilitySet, Era};

/// Whose eyes a catalogue is made for, for the length of one request.
#[derive(Clone, Copy)]
pub(crate) struct Viewer<'a> {
    pub(crate) caller: &'a Identity,
    pub(crate) era: Era,
    pub(crate) capabilities: CapabilitySet,
    pub(crate) session: Option<&'a Arc<ClientSession>>,
}

/// Whose eyes a catalogue is made for, as a key: holds no header and nothing that leads back to one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ViewerKey {
    pub(crate) era: Era,
    pub(crate) capabilities: CapabilitySet,
    /// The one backend that is looked at, where it is only one: then names have no prefix.
    pub(super) lens: Option<usize>,
    /// One for each backend, in configuration order. `None`: left out, since a required header is missing or another one is looked at.
    pub(crate) scopes: SmallVec<[Option<ViewScope>; 4]>,
    /// Whom it is shown to, where not everybody may see everything. `None`: the whole of it.
    pub(super) granted: Option<Granted>,
}

/// Whom a catalogue is shown to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Granted {
    pub(super) grant: Arc<Grant>,
    /// The same viewer's key at the endpoint of all backends, where only one is looked at here: policies know things by their names there.
    pub(super) among_all: Option<Arc<ViewerKey>>,
}

/// What a backend is told of a viewer's capabilities.
pub(super) fn declared(era: Era, capabilities: CapabilitySet) -> CapabilitySet {
    if era == Era::Legacy { capabilities.legacy() } else { capabilities }
}

/// Under what one backend's list is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ListKey {
    pub(super) backend: usize,
    /// The era that the backend is spoken to in, as far as it is known.
    pub(super) era: Era,
    pub(super) capabilities: CapabilitySet,
    pub(super) scope: ViewScope,
}

impl ListKey {
    /// The same in the other era.
    pub(super) fn in_era(self, era: Era) -> Self {
        Self { era, capabilities: declared(era, self.capabilities), ..self }
    }
}

impl Viewer<'_> {
    /// The key of this viewer's catalogue of these backends, or of one alone: `lens` is its place.
    pub(crate) fn key(&self, backends: &[Arc<Backend>], lens: Option<usize>) -> ViewerKey {
        let scope = |backend: &Arc<Backend>| match backend.missing_required(self.caller) {
            None if lens.is_none_or(|only| only == backend.index()) => Some(backend.scope(self.caller)),
            _ => None,
        };
        ViewerKey { era: self.era, capabilities: self.capabilities, lens, scopes: backends.iter().map(scope).collect(), granted: None }
    }
}

impl ViewerKey {
    /// The same view as somebody may see it. `among_all` is the key of all backends, where this is one of a single one.
    pub(crate) fn granted(mut self, grant: Arc<Grant>, among_all: Option<Self>) -> Self {
        self.granted = Some(Granted { grant, among_all: among_all.map(Arc::new) });
        self
    }

    /// The whole of it, whoever looks.
    pub(crate) fn whole(&self) -> Self {
        Self { granted: None, ..self.clone() }
    }

    /// What whoever it is shown to may do: equal for credentials that allow the same. `None` where everybody may see everything.
    pub(crate) fn rights(&self) -> Option<[u8; 16]> {
        self.granted.as_ref().map(|granted| granted.grant.rights())
    }

    /// Whether it is not the same for everybody who looks through these scopes.
    pub(super) fn is_granted(&self) -> bool {
        self.granted.is_some()
    }

    /// The key of one backend's list for this viewer. `None` when the backend is left out.
    pub(super) fn list(&self, backend: &Backend) -> Option<ListKey> {
        let scope = (*self.scopes.get(backend.index())?)?;
        let era = backend.known_era(self.era).unwrap_or(self.era);
        let capabilities = declared(era, self.capabilities);
        Some(ListKey { backend: backend.index(), era, capabilities, scope })
    }

    /// Whether this viewer looks at that backend at all, headers aside.
    pub(super) fn looks_at(&self, backend: usize) -> bool {
        self.lens.is_none_or(|only| only == backend)
    }

    /// Whether this viewer looks at that backend through that scope.
    pub(super) fn looks_through(&self, backend: usize, scope: ViewScope) -> bool {
        self.scopes.get(backend).is_some_and(|own| *own == Some(scope))
    }
}
