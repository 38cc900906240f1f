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
use vmcp_core::catalogue::{BackendList, ListHints, ListKind};

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
    /// The kinds that were ever fetched, and those that the last attempt did not bring; a bit for each.
    known: u8,
    lacking: u8,
    error: Option<Arc<str>>,
    /// Attempts since the last one that brought everything, and whether the last one brought nothing.
    failures: u32,
    is_dead: bool,
    last_failure: Option<Instant>,
}

/// What an attempt brought.
#[derive(Clone)]
pub(super) struct Fetched {
    /// Kinds that it did not bring are as they were.
    pub(super) list: Arc<BackendList>,
    /// The kinds that it did not bring, a bit for each.
    pub(super) lacking: u8,
    /// What was wrong.
    pub(super) trouble: Option<Arc<str>>,
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
    pub(super) fn new() -> Arc<Self> {
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

    /// Whether this kind was ever fetched, and what is not in it therefore does not exist.
    pub(super) fn knows(&self, kind: ListKind) -> bool {
        self.state(|state| state.known & 1 << kind.index() != 0)
    }

    /// What the backend said of caching this kind, unless what is shown of it is older than the last attempt.
    pub(super) fn hints(&self, kind: ListKind) -> Option<ListHints> {
        self.state(|state| state.list.as_ref().filter(|_| state.lacking & 1 << kind.index() == 0)?.hints(kind))
    }

    pub(super) fn freshness(&self, ttl: Duration) -> Freshness {
        self.state(|state| match (&state.list, state.fetched) {
            (None, _) => Freshness::Missing,
            (Some(_), Some(_)) if state.changes != state.changes_listed => Freshness::Changed,
            (Some(_), Some(fetched)) if fetched.elapsed() < ttl && !state.retry_due() => Freshness::Fresh,
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
            state.fetched.is_some() && state.changes != state.changes_listed && !state.is_dead && rested
        })
    }

    /// The backend is back: what failed until now may be tried again soon.
    pub(super) fn come_back(&self) {
        self.state(|state| (state.failures, state.is_dead) = (state.failures.min(1), false));
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
    /// `None`: not at all, since the last attempt brought nothing or none is under way.
    pub(super) fn wait_until(&self, wait: Duration) -> Option<Instant> {
        self.state(|state| if state.is_dead { None } else { state.started.map(|started| started + wait) })
    }

    /// Whether a failed list, or one that lacks a kind, is due for another attempt.
    pub(super) fn retry_due(&self) -> bool {
        self.state(|state| state.retry_due())
    }

    /// Wakes when the attempt under way, or the next one, has finished.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.finished.subscribe()
    }

    /// Ends an attempt. Returns the kinds that differ from before. Where there are any, `changed` runs before anybody who waits wakes:
    /// who wakes must not be shown a catalogue from before.
    pub(super) fn finish(&self, outcome: Result<Fetched, Arc<str>>, changed: impl FnOnce()) -> Vec<ListKind> {
        let kinds = self.state(|state| {
            state.started = None;
            match outcome {
                Ok(fetched) => {
                    state.changes_listed = state.changes_at_start;
                    state.judge(&fetched);
                    state.take(fetched)
                }
                Err(error) => {
                    (state.error, state.is_dead) = (Some(error), true);
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

    /// Takes what an attempt has brought so far, while it goes on. Returns the kinds that differ from before. Whoever waits goes on
    /// waiting: what it wants may be among what is still to come.
    pub(super) fn arrive(&self, fetched: Fetched) -> Vec<ListKind> {
        self.state(|state| state.take(fetched))
    }

    /// Takes a list that was fetched under another key and turned out to belong here too.
    pub(super) fn adopt(&self, fetched: Fetched) {
        self.state(|state| {
            state.judge(&fetched);
            state.take(fetched);
        });
    }

    /// Puts a list that was kept over a restart: good until a newer one is there.
    pub(super) fn restore(&self, list: Arc<BackendList>) {
        self.state(|state| {
            if state.list.is_none() {
                // Of a kind without hints nothing was kept: the backend may have had none, or it may have failed.
                state.known = bits(|kind| list.hints(kind).is_some());
                state.list = Some(list);
            }
        });
    }
}

impl State {
    fn retry_due(&self) -> bool {
        let pause = MAX_BACK_OFF.min(Duration::from_secs(1 << self.failures.saturating_sub(1).min(5)));
        self.last_failure.is_some_and(|last| last.elapsed() >= pause)
    }

    fn take(&mut self, Fetched { list, lacking, .. }: Fetched) -> Vec<ListKind> {
        let before = self.list.replace(Arc::clone(&list));
        self.fetched = Some(Instant::now());
        self.known |= !lacking;
        self.lacking = lacking;
        let differs = |kind: &ListKind| before.as_ref().is_none_or(|before| before.hash(*kind) != list.hash(*kind));
        ListKind::ALL.into_iter().filter(differs).collect()
    }

    /// Takes down how an attempt that is over went.
    fn judge(&mut self, fetched: &Fetched) {
        (self.error, self.is_dead) = (fetched.trouble.clone(), false);
        (self.failures, self.last_failure) = match fetched.lacking {
            0 => (0, None),
            _ => (self.failures + 1, Some(Instant::now())),
        };
    }
}

/// A bit for each kind of which this is true.
pub(super) fn bits(is: impl Fn(ListKind) -> bool) -> u8 {
    ListKind::ALL.into_iter().filter(|kind| is(*kind)).fold(0, |bits, kind| bits | 1 << kind.index())
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;
    use vmcp_core::Era;

    pub(in crate::views) fn whole(trouble: Option<&str>) -> Fetched {
        Fetched { list: Arc::new(BackendList::builder(Era::Modern).build()), lacking: 0, trouble: trouble.map(Into::into) }
    }

    #[test]
    fn a_change_is_news_once_until_somebody_looks_and_is_not_fetched_right_after_a_look() {
        let slot = Slot::new();
        let list = || Ok(whole(None));
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
        let list = || Ok(whole(None));
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
    #[test]
    fn a_kind_that_fails_is_tried_again_and_holds_up_neither_changes_nor_those_who_wait() {
        let slot = Slot::new();
        let tools = || Fetched { lacking: bits(|kind| kind != ListKind::Tools), trouble: Some("no prompts".into()), ..whole(None) };
        assert!(slot.start());
        slot.arrive(Fetched { trouble: None, ..tools() });
        assert_eq!((slot.freshness(Duration::MAX), slot.error()), (Freshness::Fresh, None), "what is there is there");
        assert!(slot.knows(ListKind::Tools) && !slot.knows(ListKind::Prompts));
        slot.finish(Ok(tools()), || {});
        assert_eq!(slot.error().as_deref(), Some("no prompts"));
        slot.mark_changed(Some(ListKind::Tools));
        slot.state(|state| {
            state.last_start = Instant::now().checked_sub(CHANGE_PAUSE);
            state.last_failure = Instant::now().checked_sub(CHANGE_PAUSE);
        });
        assert!(slot.change_due() && slot.retry_due());
        assert!(slot.start() && slot.wait_until(Duration::MAX / 4).is_some());
        slot.finish(Ok(whole(None)), || {});
        assert!(slot.knows(ListKind::Prompts) && slot.error().is_none() && !slot.retry_due());
        // What was known once stays known, while no list at all can be had.
        slot.finish(Err("gone".into()), || {});
        assert!(slot.knows(ListKind::Prompts) && slot.wait_until(Duration::ZERO).is_none());
    }
    #[test]
    fn a_dead_backends_list_is_due_as_soon_as_it_is_back() {
        let slot = Slot::new();
        assert!(slot.start());
        slot.finish(Ok(whole(None)), || {});
        for _ in 0..9 {
            assert!(slot.start());
            slot.finish(Err("refused".into()), || {});
        }
        slot.mark_changed(None);
        slot.state(|state| {
            state.last_start = Instant::now().checked_sub(CHANGE_PAUSE);
            state.last_failure = Instant::now().checked_sub(CHANGE_PAUSE);
        });
        assert!(!slot.change_due() && !slot.retry_due(), "nobody asks a dead backend again and again");
        slot.come_back();
        assert!(slot.change_due() && slot.retry_due());
    }
}
