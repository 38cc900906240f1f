//! The last good list of each key, and of each content one copy.

use super::{keys::ListKey, slot::Slot};
use dashmap::DashMap;
use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use vmcp_backend::ViewScope;
use vmcp_core::catalogue::BackendList;

/// Of how many pairs of caller and backend lists are kept; shared ones are kept always, being few.
const CALLER_LISTS: u64 = 50_000;
/// How long a caller's list is kept without being looked at.
const CALLER_LIST_IDLE: Duration = Duration::from_secs(30 * 60);

/// What one caller sees of one backend: a list for each era and set of capabilities. Together under one key, so that a change of
/// theirs is not looked for among everybody's.
#[derive(Default)]
struct CallerLists(Mutex<Vec<(ListKey, Arc<Slot>)>>);

impl CallerLists {
    fn all(&self) -> Vec<(ListKey, Arc<Slot>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self, key: &ListKey) -> Option<Arc<Slot>> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.iter().find(|(known, _)| known == key).map(|(_, slot)| Arc::clone(slot))
    }

    fn slot(&self, key: ListKey) -> Arc<Slot> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = lists.iter().find(|(known, _)| *known == key) {
            return Arc::clone(slot);
        }
        let slot = Slot::new();
        lists.push((key, Arc::clone(&slot)));
        slot
    }
}

/// All slots.
pub(super) struct Lists {
    shared: DashMap<ListKey, Arc<Slot>>,
    callers: moka::sync::Cache<(usize, ViewScope), Arc<CallerLists>>,
    interned: DashMap<[u8; 16], Weak<BackendList>>,
    inserted: AtomicU64,
}

impl Lists {
    pub(super) fn new() -> Self {
        Self {
            shared: DashMap::new(),
            callers: moka::sync::Cache::builder().max_capacity(CALLER_LISTS).time_to_idle(CALLER_LIST_IDLE).build(),
            interned: DashMap::new(),
            inserted: AtomicU64::new(0),
        }
    }

    pub(super) fn slot(&self, key: ListKey) -> Arc<Slot> {
        match key.scope {
            ViewScope::Shared => match self.shared.get(&key) {
                Some(slot) => Arc::clone(&slot),
                None => Arc::clone(&self.shared.entry(key).or_insert_with(Slot::new)),
            },
            ViewScope::Caller(_) => self.callers.get_with((key.backend, key.scope), Arc::default).slot(key),
        }
    }

    /// The slot under a key, if anybody looked there before.
    pub(super) fn known(&self, key: &ListKey) -> Option<Arc<Slot>> {
        match key.scope {
            ViewScope::Shared => self.shared.get(key).map(|slot| Arc::clone(&slot)),
            ViewScope::Caller(_) => self.callers.get(&(key.backend, key.scope))?.known(key),
        }
    }

    /// The slots of one backend and scope, whatever the era and capabilities.
    pub(super) fn of(&self, backend: usize, scope: ViewScope) -> Vec<(ListKey, Arc<Slot>)> {
        let wanted = |key: &ListKey| key.backend == backend && key.scope == scope;
        match scope {
            ViewScope::Shared => {
                self.shared.iter().filter(|entry| wanted(entry.key())).map(|entry| (*entry.key(), Arc::clone(&entry))).collect()
            }
            ViewScope::Caller(_) => self.callers.get(&(backend, scope)).map_or_else(Vec::new, |lists| lists.all()),
        }
    }

    /// The slots of one backend, everybody's and each caller's.
    pub(super) fn of_all(&self, backend: usize) -> Vec<(ListKey, Arc<Slot>)> {
        let mut all = self.of(backend, ViewScope::Shared);
        for (_, lists) in self.callers.iter().filter(|(key, _)| key.0 == backend) {
            all.extend(lists.all());
        }
        all
    }

    /// All shared slots.
    pub(super) fn shared(&self) -> Vec<(ListKey, Arc<Slot>)> {
        self.shared.iter().map(|entry| (*entry.key(), Arc::clone(&entry))).collect()
    }

    /// The one copy of a list with this content: many callers of one backend mostly see the same.
    pub(super) fn intern(&self, list: BackendList) -> Arc<BackendList> {
        let hash = list.content_hash();
        if self.inserted.fetch_add(1, Ordering::Relaxed) % 1024 == 1023 {
            self.interned.retain(|_, list| list.strong_count() > 0);
        }
        let mut entry = self.interned.entry(hash).or_default();
        if let Some(same) = entry.upgrade() {
            return same;
        }
        let list = Arc::new(list);
        *entry = Arc::downgrade(&list);
        list
    }
}
