//! The last good list under one key, and what becomes of getting a newer one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use vmcp_core::catalogue::{BackendList, ListHints, ListKind};

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
    /// Until when the attempts so far count, each for a [`CHANGE_PAUSE`].
    counted_until: Option<Instant>,
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
/// A backend that says that its list changed has it fetched at most this often by that alone, in the long run: some say so whenever they
/// are listed.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
/// So many changes in a row are looked at at once, before pauses begin.
const CHANGES_AT_ONCE: u32 = 4;

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
            let ahead = CHANGE_PAUSE * (CHANGES_AT_ONCE - 1);
            let rested = state.counted_until.is_none_or(|until| until <= Instant::now() + ahead);
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
                let now = Instant::now();
                state.started = Some(now);
                let counted = state.counted_until.map_or(now, |until| until.max(now)) + CHANGE_PAUSE;
                state.counted_until = Some(counted.min(now + CHANGE_PAUSE * CHANGES_AT_ONCE));
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

    /// Ends an attempt. Returns the kinds that differ from before. Where there are any, `changed` runs before anybody sees the new list
    /// and before anybody who waits wakes: whoever knows that there is a list must not be shown a catalogue from before. It runs under this
    /// slot's lock.
    pub(super) fn finish(&self, outcome: Result<Fetched, Arc<str>>, changed: impl FnOnce()) -> Vec<ListKind> {
        let kinds = self.state(|state| {
            state.started = None;
            match outcome {
                Ok(fetched) => {
                    state.changes_listed = state.changes_at_start;
                    state.judge(&fetched);
                    state.take(fetched, changed)
                }
                Err(error) => {
                    (state.error, state.is_dead) = (Some(error), true);
                    state.failures += 1;
                    state.last_failure = Some(Instant::now());
                    Vec::new()
                }
            }
        });
        self.refreshing.store(false, Ordering::Release);
        self.finished.send_modify(|count| *count += 1);
        kinds
    }

    /// Takes what an attempt has brought so far, while it goes on. Returns the kinds that differ from before. Whoever waits goes on
    /// waiting: what it wants may be among what is still to come.
    /// `changed` runs as in [`Self::finish`].
    pub(super) fn arrive(&self, fetched: Fetched, changed: impl FnOnce()) -> Vec<ListKind> {
        self.state(|state| state.take(fetched, changed))
    }

    /// Takes a list that was fetched under another key and turned out to belong here too.
    /// `changed` runs as in [`Self::finish`].
    pub(super) fn adopt(&self, fetched: Fetched, changed: impl FnOnce()) {
        self.state(|state| {
            state.judge(&fetched);
            state.take(fetched, changed);
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

    fn take(&mut self, Fetched { list, lacking, .. }: Fetched, changed: impl FnOnce()) -> Vec<ListKind> {
        let before = self.list.replace(Arc::clone(&list));
        self.fetched = Some(Instant::now());
        self.known |= !lacking;
        self.lacking = lacking;
        let differs = |kind: &ListKind| before.as_ref().is_none_or(|before| before.hash(*kind) != list.hash(*kind));
        let kinds: Vec<ListKind> = ListKind::ALL.into_iter().filter(differs).collect();
        if !kinds.is_empty() {
            changed();
        }
        kinds
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

#[cfg(test)]
pub(super) mod tests;
