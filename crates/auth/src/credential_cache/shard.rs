//! A part of the entries, under a lock of its own.

use super::{Given, Key, SWEEP, Slot};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockWriteGuard},
    time::SystemTime,
};

/// The entries of one shard.
pub(super) struct Slots {
    by_key: HashMap<Key, Slot>,
    swept: Option<SystemTime>,
}

pub(super) struct Shard {
    slots: RwLock<Slots>,
    most: usize,
}

impl Slots {
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Slot> {
        self.by_key.get_mut(key)
    }

    /// Drops what is over, once in a while.
    pub(super) fn sweep(&mut self, now: SystemTime) {
        let is_due = self.swept.is_none_or(|swept| now.duration_since(swept).map_or(true, |passed| passed >= SWEEP));
        if is_due {
            self.swept = Some(now);
            self.by_key.retain(|_, slot| !slot.is_over(now));
        }
    }
}

impl Shard {
    pub(super) fn new(most: usize) -> Self {
        Self { slots: RwLock::new(Slots { by_key: HashMap::new(), swept: None }), most }
    }

    /// Another one with those entries that are dated.
    pub(super) fn dated(&self) -> Self {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let by_key = slots.by_key.iter().filter_map(|(key, slot)| Some((key.clone(), slot.dated()?))).collect();
        Self { slots: RwLock::new(Slots { by_key, swept: slots.swept }), most: self.most }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).by_key.len()
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Slots> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Good credentials that need no renewing: what most requests find, under a lock that they share.
    pub(super) fn ready(&self, key: &Key, now: SystemTime) -> Option<Given> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).by_key.get(key)?.ready(now)
    }

    /// The entry of a key, made where there is none.
    pub(super) fn slot<'a>(&self, slots: &'a mut Slots, key: &Key, now: SystemTime) -> &'a mut Slot {
        if !slots.by_key.contains_key(key) && slots.by_key.len() >= self.most {
            make_room(&mut slots.by_key, now);
        }
        slots.by_key.entry(key.clone()).or_default()
    }
}

/// Drops what is over, or else what was used longest ago. What somebody waits for stays.
fn make_room(by_key: &mut HashMap<Key, Slot>, now: SystemTime) {
    let before = by_key.len();
    by_key.retain(|_, slot| !slot.is_over(now));
    if by_key.len() == before
        && let Some(oldest) =
            by_key.iter().filter(|(_, slot)| slot.flight.is_none()).min_by_key(|(_, slot)| slot.used()).map(|(key, _)| key)
    {
        let oldest = oldest.clone();
        by_key.remove(&oldest);
    }
}
