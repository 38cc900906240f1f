//! What strategies gave, for as long as it is good: one exchange serves every request until it is nearly over.
//!
//! The cache decides and never waits. [`CredentialCache::find`] says what is at hand, or whose turn it is to get it; whoever has a
//! [`Turn`] asks the strategy and settles it, and those who come meanwhile wait for the same outcome ([`Waiting`]).

mod key;
mod shard;
mod slot;
mod turn;

pub use turn::{Turn, Waiting};

use self::{key::Key, shard::Shard, slot::Slot};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::{Credentials, OutgoingStrategy, StrategyContext, StrategyError};

/// How many credentials one backend's cache holds; beyond that the one that was used longest ago goes. Those that are being got come on
/// top: they are as many as there are requests at the backend.
const MOST: usize = 16 * 1024;

/// Locks, so that callers seldom meet at one.
const SHARDS: usize = 16;

/// Credentials are renewed this long before they expire, or in the last tenth of their life where that is shorter.
const AHEAD: Duration = Duration::from_secs(60);

/// How long credentials are kept that do not say when they expire, where the caller's own token does not say it either.
const UNDATED: Duration = Duration::from_secs(5 * 60);

/// How long they are kept at most where it does: a certificate may be good for a year, and what was taken back meanwhile has to be noticed.
const LONGEST_UNDATED: Duration = Duration::from_secs(60 * 60);

/// How long nobody is asked again after a failure: first, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A backend may refuse a caller's credentials so often and have them replaced: a backend that refuses all of them is no reason to get new
/// ones all the time.
const BETWEEN_REFUSALS: Duration = Duration::from_secs(1);

/// How often what is over is looked for and dropped.
const SWEEP: Duration = Duration::from_secs(60);

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The credentials of one backend, by whom they are for ([`vmcp_core::plugin::Keep`]).
///
/// Nothing is kept past its expiry, nor past the caller's own token. Values are wiped from memory when the last request that uses them
/// is over. `Debug` shows how many there are.
pub struct CredentialCache {
    shards: [Shard; SHARDS],
    /// The next one; the same for a cache and all that were made of it, so that no two credentials have one stamp, whichever got them.
    stamps: Arc<AtomicU64>,
    clock: Clock,
}

/// Credentials, and which ones they are.
#[derive(Clone, Debug)]
pub struct Given {
    /// What to put on the request.
    pub credentials: Credentials,
    /// Tells these from those that replace them.
    pub stamp: u64,
}

/// How a turn ended: for the one who had it and for all who waited.
pub type Outcome = Result<Given, Arc<StrategyError>>;

/// What is at hand for a caller.
#[derive(Debug)]
pub enum Found {
    /// The strategy lets nothing be kept for this caller: ask it.
    Nothing,
    /// Good credentials.
    Ready(Given),
    /// Good credentials that are over soon. Whoever gets this has others got in the background.
    Due(Given, Turn),
    /// None, and nobody gets any yet: whoever gets this has them got.
    Absent(Turn, Waiting),
    /// None yet, but somebody gets them.
    Coming(Waiting),
    /// There were none a moment ago.
    Failed(Arc<StrategyError>),
}

/// No entries, and the system's clock.
impl Default for CredentialCache {
    fn default() -> Self {
        Self::with_clock(SystemTime::now)
    }
}

impl CredentialCache {
    /// A cache that reads this clock.
    #[must_use]
    pub fn with_clock(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { shards: std::array::from_fn(|_| Shard::new(MOST / SHARDS)), stamps: Arc::new(AtomicU64::new(1)), clock: Arc::new(clock) }
    }

    /// Another cache with those credentials of this one that say themselves when they expire. Whatever is being got stays with this one.
    #[must_use]
    pub fn dated(&self) -> Self {
        Self { shards: std::array::from_fn(|n| self.shards[n].dated()), stamps: Arc::clone(&self.stamps), clock: Arc::clone(&self.clock) }
    }

    /// What is at hand for this caller. Never waits, and makes nothing when there is something.
    pub fn find(self: &Arc<Self>, strategy: &dyn OutgoingStrategy, context: &StrategyContext<'_>) -> Found {
        let Some(key) = Key::of(strategy.keep(context), context) else { return Found::Nothing };
        let now = (self.clock)();
        let shard = self.shard(&key);
        if let Some(given) = shard.ready(&key, now) {
            return Found::Ready(given);
        }
        let mut slots = shard.write();
        let slot = shard.slot(&mut slots, &key, now);
        match (slot.good(now), &slot.flight) {
            (Some(given), None) if slot.may_ask(now) => Found::Due(given, self.turn(slot, key, context).0),
            (Some(given), _) => Found::Ready(given),
            (None, Some(flight)) => Found::Coming(Waiting::new(flight.clone())),
            (None, None) => match slot.failure(now) {
                Some(error) => Found::Failed(error),
                None => {
                    let (turn, waiting) = self.turn(slot, key, context);
                    Found::Absent(turn, waiting)
                }
            },
        }
    }

    /// The backend refused credentials that were kept. They are dropped, unless others have replaced them already.
    ///
    /// Returns whether it makes sense to ask for others now: not, when those of the same caller were replaced for the same reason a moment
    /// ago.
    pub fn refused(&self, strategy: &dyn OutgoingStrategy, context: &StrategyContext<'_>, stamp: u64) -> bool {
        let Some(key) = Key::of(strategy.keep(context), context) else { return false };
        let now = (self.clock)();
        let mut slots = self.shard(&key).write();
        slots.get_mut(&key).is_none_or(|slot| slot.refuse(stamp, now))
    }

    /// How many callers' credentials there are, good or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &Key) -> &Shard {
        // A number below the count of them.
        &self.shards[key.spread() % SHARDS]
    }

    /// Takes the turn of a slot that nobody has.
    fn turn(self: &Arc<Self>, slot: &mut Slot, key: Key, context: &StrategyContext<'_>) -> (Turn, Waiting) {
        let limit = key.limit(context);
        let (turn, flight) = Turn::new(Arc::clone(self), key, limit);
        slot.flight = Some(flight.clone());
        (turn, Waiting::new(flight))
    }

    /// A turn is over.
    fn settle(&self, turn: &Turn, result: Result<Credentials, StrategyError>) -> Outcome {
        let now = (self.clock)();
        let stamp = self.stamps.fetch_add(1, Ordering::Relaxed);
        let shard = self.shard(turn.key());
        let mut slots = shard.write();
        slots.sweep(now);
        let slot = shard.slot(&mut slots, turn.key(), now);
        if slot.flight.as_ref().is_some_and(|flight| turn.is_of(flight)) {
            slot.flight = None;
        }
        match result {
            Ok(credentials) => Ok(slot.keep(credentials, stamp, now, turn.limit())),
            Err(error) => Err(slot.fail(error, now)),
        }
    }

    /// A turn was given up.
    fn release(&self, turn: &Turn) {
        if let Some(slot) = self.shard(turn.key()).write().get_mut(turn.key())
            && slot.flight.as_ref().is_some_and(|flight| turn.is_of(flight))
        {
            slot.flight = None;
        }
    }
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
