//! The catalogue that a viewer sees now.

use super::{
    catalogues::{Catalogues, Merged},
    complaints::Complaints,
    findings::Findings,
    keys::{ListKey, Viewer, ViewerKey},
    listeners::Listeners,
    lists::Lists,
    slot::Slot,
};
use crate::{
    admission::Admission,
    session::{EndpointId, SessionTable},
};
use arc_swap::ArcSwapOption;
use smallvec::SmallVec;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_backend::{Backend, ViewScope};
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::{BackendList, CacheScope, Catalogue, ListKind, Rules},
};

/// How lists are kept.
pub(crate) struct ViewsSettings {
    /// How long a list waits for a backend.
    pub(crate) wait: Duration,
    /// How long one waits for a backend that vmcp starts, and that nobody has listed yet.
    pub(crate) start_wait: Duration,
    /// How old a list may be before it is fetched anew.
    pub(crate) ttl: Duration,
    /// Where the last good lists are kept over a restart.
    pub(crate) state_dir: Option<PathBuf>,
    /// The endpoint whose lists they are.
    pub(crate) endpoint: EndpointId,
    /// What callers may see; everything where there is none.
    pub(crate) admission: Option<Arc<Admission>>,
}

/// All lists and catalogues of one configuration.
pub(crate) struct Views {
    pub(super) backends: Vec<Arc<Backend>>,
    pub(super) lists: Lists,
    pub(super) catalogues: Catalogues,
    pub(super) complaints: Complaints,
    pub(super) settings: ViewsSettings,
    pub(super) sessions: Arc<SessionTable>,
    /// The endpoint whose lists these are.
    pub(super) endpoint: EndpointId,
    pub(super) listeners: Listeners,
    pub(super) findings: Findings,
    pub(super) tracker: TaskTracker,
    pub(super) shutdown: CancellationToken,
    /// Counts the changes of any list: a catalogue made under the same count is current.
    epoch: AtomicU64,
    current: moka::sync::Cache<ViewerKey, Current>,
    /// What was looked at last, by a legacy and by a modern caller, of all backends together and then of each alone: mostly everybody
    /// looks at the same.
    last: Box<[Last]>,
}

#[derive(Clone)]
struct Current {
    epoch: u64,
    /// What was known of the backends' eras: it decides under which key a list is looked for.
    eras: Eras,
    merged: Merged,
}

type Last = [ArcSwapOption<(ViewerKey, Current)>; 2];
type Eras = SmallVec<[Option<Era>; 8]>;

/// How many viewers' current catalogues are at hand; the catalogues themselves are shared.
const VIEWERS: u64 = 100_000;

/// A catalogue as it is shown, with what a modern caller is told about its freshness.
pub(crate) struct Shown {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) key: ViewerKey,
    /// For how long it may be kept.
    pub(crate) ttl: Duration,
    /// Whether it may be shown to this caller only.
    pub(crate) private: bool,
}

impl Views {
    pub(crate) fn new(
        backends: Vec<Arc<Backend>>,
        rules: Rules,
        settings: ViewsSettings,
        sessions: Arc<SessionTable>,
        tracker: TaskTracker,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            complaints: Complaints::new(backends.len()),
            last: (0..=backends.len()).map(|_| Last::default()).collect(),
            catalogues: Catalogues::new(rules, backends.len()),
            backends,
            lists: Lists::new(),
            endpoint: settings.endpoint.clone(),
            settings,
            sessions,
            listeners: Listeners::default(),
            findings: Findings::default(),
            tracker,
            shutdown,
            epoch: AtomicU64::new(0),
            current: moka::sync::Cache::builder().max_capacity(VIEWERS).time_to_idle(Duration::from_secs(1800)).build(),
        })
    }

    /// The rules of what this viewer looks at.
    pub(crate) fn rules(&self, key: &ViewerKey) -> &Rules {
        self.catalogues.rules(key.lens)
    }

    /// A list changed: catalogues made before are out of date.
    pub(super) fn changed(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// The catalogue from the last good lists, without asking anybody, as whoever the key is for may see it.
    pub(crate) fn current(&self, key: &ViewerKey) -> Arc<Catalogue> {
        match (&key.granted, &self.settings.admission) {
            (None, _) => self.whole(key).catalogue,
            (Some(_), None) => self.whole(&key.whole()).catalogue,
            (Some(granted), Some(admission)) => self.granted(key, granted, admission),
        }
    }

    /// All of the catalogue from the last good lists, without asking anybody. For routing and for operators.
    pub(crate) fn whole(&self, key: &ViewerKey) -> Merged {
        let epoch = self.epoch.load(Ordering::Acquire);
        // Read before the lists: what is learned meanwhile makes this entry one that is not used again.
        let eras: Eras = self.backends.iter().map(|backend| backend.known_era(key.era)).collect();
        let is_current = |current: &Current| current.epoch == epoch && current.eras == eras;
        let last = self.last.get(key.lens.map_or(0, |lens| lens + 1)).map(|last| &last[usize::from(key.era == Era::Modern)]);
        if let Some((viewer, current)) = last.map(ArcSwapOption::load).as_ref().and_then(|last| last.as_deref())
            && viewer == key
            && is_current(current)
        {
            return current.merged.clone();
        }
        let current = self.current.get(key).filter(is_current).unwrap_or_else(|| {
            let merged = self.catalogues.merge(&self.known_lists(key), key.era, key.lens);
            let current = Current { epoch, eras: eras.clone(), merged };
            self.current.insert(key.clone(), current.clone());
            current
        });
        let merged = current.merged.clone();
        if let Some(last) = last {
            last.store(Some(Arc::new((key.clone(), current))));
        }
        merged
    }

    /// The last good list of each backend, as far as there is one.
    fn known_lists(&self, key: &ViewerKey) -> Vec<Option<Arc<BackendList>>> {
        self.backends.iter().map(|backend| self.known_list(key, backend)).collect()
    }

    pub(super) fn known_list(&self, key: &ViewerKey, backend: &Backend) -> Option<Arc<BackendList>> {
        let own = key.list(backend)?;
        let list = |key: &ListKey| self.lists.known(key)?.list();
        // Until its own is there, a list of the other era shows what the backend has.
        list(&own).or_else(|| list(&own.in_era(own.era.other())))
    }

    /// Which backends have a list of these kinds in this view. One that is left out has none: a call to it says which header is missing.
    pub(crate) fn listed(&self, key: &ViewerKey, kinds: &[ListKind]) -> Vec<bool> {
        let knows = |slot: Arc<Slot>| kinds.iter().all(|kind| slot.knows(*kind));
        self.backends.iter().map(|backend| key.list(backend).and_then(|list| self.lists.known(&list)).is_some_and(knows)).collect()
    }

    /// The catalogue for a list request: gets what is missing, for at most `listWait`, and has what is old renewed.
    pub(crate) async fn show(self: &Arc<Self>, viewer: &Viewer<'_>, key: ViewerKey, kind: ListKind) -> Shown {
        self.gather(viewer, &key, |_| true).await;
        let catalogue = self.current(&key);
        let (ttl, private) = self.hints(&catalogue, &key, kind);
        Shown { catalogue, key, ttl, private }
    }

    /// How old a list may be: what its backend said, if that is shorter than the setting.
    pub(super) fn ttl_of(&self, slot: &Slot) -> Duration {
        let own =
            slot.list().and_then(|list| ListKind::ALL.into_iter().filter_map(|kind| list.hints(kind)).map(|hints| hints.ttl_ms).min());
        own.filter(|ttl| *ttl > 0).map_or(self.settings.ttl, |ttl| Duration::from_millis(ttl).min(self.settings.ttl))
    }

    /// `ttlMs` and `cacheScope` of a merged list (2026-07-28, server/utilities/caching): the shortest remaining time of any
    /// contributing list, private as soon as one is. A legacy list promises nothing.
    fn hints(&self, shown: &Catalogue, key: &ViewerKey, kind: ListKind) -> (Duration, bool) {
        let (mut ttl, mut private) = (self.settings.ttl, key.is_granted() || shown.cache_scope(kind) == CacheScope::Private);
        for backend in self.backends.iter().filter(|backend| key.looks_at(backend.index())) {
            let own = key.list(backend);
            private |= own.is_none_or(|list| matches!(list.scope, ViewScope::Caller(_)));
            let slot = own.and_then(|list| self.lists.known(&list));
            let hints = slot.as_ref().and_then(|slot| slot.hints(kind));
            let age = slot.and_then(|slot| slot.fetched()).map_or(Duration::MAX, |fetched| fetched.elapsed());
            // A backend that is left out may come back at any moment.
            ttl = ttl.min(hints.map_or(Duration::ZERO, |hints| Duration::from_millis(hints.ttl_ms)).saturating_sub(age));
        }
        (ttl, private)
    }

    /// Why a backend has no list of tools in this view: what the last attempt said, as far as there was one. `None`: it has one, or is
    /// left out.
    pub(crate) fn lacks(&self, key: &ViewerKey, backend: &Backend) -> Option<Option<Arc<str>>> {
        let slot = self.lists.known(&key.list(backend)?);
        match slot {
            Some(slot) if slot.knows(ListKind::Tools) => None,
            slot => Some(slot.and_then(|slot| slot.error())),
        }
    }

    /// Marks one backend's list as out of date for this viewer and gets a new one.
    pub(crate) async fn renew(self: &Arc<Self>, viewer: &Viewer<'_>, key: &ViewerKey, backend: usize) {
        if let Some(list) = self.backends.get(backend).and_then(|backend| key.list(backend)) {
            self.lists.slot(list).mark_changed(None);
            self.gather(viewer, key, |index| index == backend).await;
        }
    }

    /// Whether a backend that lists the same for everybody has a tool with a page of MCP Apps (SEP-1865), as far as is known now: many servers
    /// that have one say so nowhere else.
    pub(crate) fn has_pages(&self, backend: &Backend, era: Era) -> bool {
        self.shared_list(backend, era).is_some_and(|list| list.has_pages())
    }

    fn shared_list(&self, backend: &Backend, era: Era) -> Option<Arc<BackendList>> {
        let era = backend.known_era(era).unwrap_or(era);
        let key = ListKey { backend: backend.index(), era, capabilities: CapabilitySet::NONE, scope: ViewScope::Shared };
        let list = |key: &ListKey| self.lists.known(key)?.list();
        list(&key).or_else(|| list(&key.in_era(era.other())))
    }

    /// The instructions of the backends that say the same to everybody, or of one alone, as far as they are known now.
    pub(crate) fn instructions(&self, era: Era, lens: Option<usize>) -> Vec<(Arc<str>, Arc<str>)> {
        let known = |backend: &Arc<Backend>| {
            let text = Arc::clone(self.shared_list(backend, era)?.instructions()?);
            Some((Arc::clone(backend.name()), text))
        };
        self.backends.iter().filter(|backend| lens.is_none_or(|only| only == backend.index())).filter_map(known).collect()
    }

    /// What was wrong when one backend was listed for everybody, for `/status`.
    pub(crate) fn listing_error(&self, backend: usize) -> Option<Arc<str>> {
        self.lists.of(backend, ViewScope::Shared).into_iter().find_map(|(_, slot)| slot.error())
    }
}
