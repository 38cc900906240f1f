//! The last good list of each key.

use super::keys::ListKey;
use dashmap::DashMap;
use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use vmcp_backend::ViewScope;
use vmcp_core::catalogue::{BackendList, ListKind};

/// Of how many pairs of caller and backend lists are kept; shared ones are kept always, being few.
const CALLER_LISTS: u64 = 50_000;
/// How long a caller's list is kept without being looked at.
const CALLER_LIST_IDLE: Duration = Duration::from_secs(30 * 60);

/// The last good list under one key, and the state of getting a newer one.
pub(super) struct Slot {
    state: Mutex<State>,
    /// Someone is listing. The one that sets it spawns the work and clears it.
    refreshing: AtomicBool,
    /// Counts finished attempts, so that waiters see the next one.
    finished: watch::Sender<u64>,
}

#[derive(Clone, Default)]
struct State {
    list: Option<Arc<BackendList>>,
    fetched: Option<Instant>,
    /// When the attempt under way began.
    started: Option<Instant>,
    /// How often the backend said that it changed, and how often it had when the attempt under way began.
    changes: u64,
    changes_at_start: u64,
    /// How many of these changes the list has.
    changes_listed: u64,
    /// The kinds that it said this of since the last attempt began, a bit for each.
    announced: u8,
    /// When the last attempt began, under way or not.
    last_start: Option<Instant>,
    error: Option<Arc<str>>,
    /// Attempts that failed since the last good one.
    failures: u32,
    last_failure: Option<Instant>,
}

/// How a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// There is none.
    Missing,
    /// The backend said that it is out of date.
    Changed,
    /// Older than it may be.
    Old,
    Fresh,
}

/// Waits between failed attempts grow from one second to this.
const MAX_BACK_OFF: Duration = Duration::from_secs(30);
/// A backend that says that its list changed has it fetched at most this often by that alone: some say so whenever they are listed.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), refreshing: AtomicBool::new(false), finished: watch::Sender::new(0) })
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn list(&self) -> Option<Arc<BackendList>> {
        self.state(|state| state.list.clone())
    }

    pub(super) fn fetched(&self) -> Option<Instant> {
        self.state(|state| state.fetched)
    }

    pub(super) fn error(&self) -> Option<Arc<str>> {
        self.state(|state| state.error.clone())
    }

    pub(super) fn freshness(&self, ttl: Duration) -> Freshness {
        self.state(|state| match (&state.list, state.fetched) {
            (None, _) => Freshness::Missing,
            (Some(_), Some(_)) if state.changes != state.changes_listed => Freshness::Changed,
            (Some(_), Some(fetched)) if fetched.elapsed() < ttl => Freshness::Fresh,
            (Some(_), _) => Freshness::Old,
        })
    }

    /// Takes down that one kind changed, or every kind. `false`: that was known, and nobody has looked since.
    pub(super) fn mark_changed(&self, kind: Option<ListKind>) -> bool {
        let kinds = kind.map_or(u8::MAX, |kind| 1 << kind.index());
        self.state(|state| {
            state.changes += 1;
            let known = state.announced;
            state.announced |= kinds;
            state.announced != known
        })
    }

    /// Whether a changed list is due to be fetched without anybody asking for it.
    pub(super) fn change_due(&self) -> bool {
        self.state(|state| {
            let rested = state.last_start.is_none_or(|start| start.elapsed() >= CHANGE_PAUSE);
            state.fetched.is_some() && state.changes != state.changes_listed && state.failures == 0 && rested
        })
    }

    /// Whether the caller of this is the one that lists now.
    pub(super) fn start(&self) -> bool {
        let first = !self.refreshing.swap(true, Ordering::AcqRel);
        if first {
            self.state(|state| {
                state.started = Some(Instant::now());
                state.last_start = state.started;
                state.changes_at_start = state.changes;
                state.announced = 0;
            });
        }
        first
    }

    /// Until when a caller waits for the attempt under way: `wait` from its beginning, so that a slow backend is waited for once.
    /// `None`: not at all, since the last attempt failed or none is under way.
    pub(super) fn wait_until(&self, wait: Duration) -> Option<Instant> {
        self.state(|state| if state.failures > 0 { None } else { state.started.map(|started| started + wait) })
    }

    /// Whether a failed list is due for another attempt.
    pub(super) fn retry_due(&self) -> bool {
        self.state(|state| match state.last_failure {
            Some(last) => last.elapsed() >= MAX_BACK_OFF.min(Duration::from_secs(1 << state.failures.saturating_sub(1).min(5))),
            None => false,
        })
    }

    /// Wakes when the attempt under way, or the next one, has finished.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.finished.subscribe()
    }

    /// Ends an attempt. Returns the kinds that differ from before. Where there are any, `changed` runs before anybody who waits wakes:
    /// who wakes must not be shown a catalogue from before.
    pub(super) fn finish(&self, outcome: Result<Arc<BackendList>, Arc<str>>, changed: impl FnOnce()) -> Vec<ListKind> {
        let kinds = self.state(|state| {
            state.started = None;
            match outcome {
                Ok(list) => {
                    let before = state.list.replace(Arc::clone(&list));
                    state.fetched = Some(Instant::now());
                    state.changes_listed = state.changes_at_start;
                    (state.error, state.failures, state.last_failure) = (None, 0, None);
                    let differs = |kind: &ListKind| before.as_ref().is_none_or(|before| before.hash(*kind) != list.hash(*kind));
                    ListKind::ALL.into_iter().filter(differs).collect()
                }
                Err(error) => {
                    state.error = Some(error);
                    state.failures += 1;
                    state.last_failure = Some(Instant::now());
                    Vec::new()
                }
            }
        });
        if !kinds.is_empty() {
            changed();
        }
        self.refreshing.store(false, Ordering::Release);
        self.finished.send_modify(|count| *count += 1);
        kinds
    }

    /// Takes a list that was fetched under another key and turned out to belong here too.
    pub(super) fn adopt(&self, list: Arc<BackendList>) {
        self.state(|state| {
            (state.list, state.fetched) = (Some(list), Some(Instant::now()));
            (state.error, state.failures, state.last_failure) = (None, 0, None);
        });
    }

    /// Puts a list that was kept over a restart: good until a newer one is there.
    pub(super) fn restore(&self, list: Arc<BackendList>) {
        self.state(|state| {
            if state.list.is_none() {
                state.list = Some(list);
            }
        });
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use vmcp_core::Era;

    #[test]
    fn a_change_is_news_once_until_somebody_looks_and_is_not_fetched_right_after_a_look() {
        let slot = Slot::new();
        let list = || Ok(Arc::new(BackendList::builder(Era::Modern).build()));
        assert!(slot.start());
        assert!(slot.mark_changed(Some(ListKind::Tools)) && !slot.mark_changed(Some(ListKind::Tools)));
        assert!(slot.mark_changed(None) && !slot.mark_changed(Some(ListKind::Prompts)));
        slot.finish(list(), || {});
        assert_eq!(slot.freshness(Duration::MAX), Freshness::Changed);
        assert!(!slot.change_due(), "it was fetched just now");
        slot.state(|state| state.last_start = Instant::now().checked_sub(CHANGE_PAUSE));
        assert!(slot.change_due());
        assert!(slot.start() && slot.mark_changed(Some(ListKind::Tools)), "somebody looks");
    }

    #[test]
    fn what_changed_is_known_before_anybody_who_waits_wakes() {
        let slot = Slot::new();
        let waiting = slot.subscribe();
        let told = Cell::new(0);
        let list = || Ok(Arc::new(BackendList::builder(Era::Modern).build()));
        let changed = || {
            assert!(slot.list().is_some() && !waiting.has_changed().unwrap());
            told.set(told.get() + 1);
        };
        assert!(slot.start() && !slot.start());
        assert_eq!(slot.finish(list(), changed), ListKind::ALL);
        assert!(waiting.has_changed().unwrap());
        slot.finish(list(), || told.set(told.get() + 1));
        slot.finish(Err("gone".into()), || told.set(told.get() + 1));
        assert_eq!(told.get(), 1, "the same list again and a failure change nothing");
    }
}
