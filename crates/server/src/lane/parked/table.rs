//! The calls that wait, and how many may.

use super::{state::State, task::Resume};
use crate::failure::Failure;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;
use vmcp_backend::SessionKey;
use vmcp_core::plugin::Principal;

/// How many calls may wait, and how long.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max: usize,
    /// Of one principal; `None` where callers are not told apart.
    pub(crate) share: Option<usize>,
    pub(crate) timeout: Duration,
}

/// What all calls may be asked together, in bytes.
pub(super) const ASKED: usize = 64 << 20;
/// Shorter questions are not counted: a call has so few that the bound of calls bounds them.
const SHORT: usize = 16 * 1024;

/// The calls that wait for their callers, at all endpoints of one configuration.
pub(crate) struct Parking {
    waiting: Mutex<HashMap<[u8; 16], Waiting>>,
    asked: AtomicUsize,
    pub(super) bounds: Bounds,
}

/// One that waits.
pub(super) struct Waiting {
    pub(super) round: u32,
    pub(super) principal: Principal,
    /// Of the backend session in which it runs: no other key's caller may go on with it.
    pub(super) key: SessionKey,
    pub(super) sent: Option<Arc<Sent>>,
    /// The keys and the methods of what is asked.
    pub(super) asked: Vec<(String, String)>,
    pub(super) resume: oneshot::Sender<Resume>,
}

/// The arguments with which a call was sent, where those who decide what callers may do have to be asked about them again.
pub(super) struct Sent {
    /// JSON text.
    pub(super) arguments: String,
    _part: Part,
}

/// A question's part of what is asked, given back when this is dropped.
pub(super) struct Part {
    parking: Arc<Parking>,
    bytes: usize,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.parking.asked.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A place in the table, given back when this is dropped.
pub(super) struct Place {
    parking: Arc<Parking>,
    handle: [u8; 16],
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parking.locked().remove(&self.handle);
    }
}

impl Parking {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), asked: AtomicUsize::new(0), bounds })
    }

    /// Room for a question of this length. `None` where there is none left.
    pub(super) fn room(self: &Arc<Self>, length: usize) -> Option<Part> {
        let bytes = if length > SHORT { length } else { 0 };
        let part = Part { parking: Arc::clone(self), bytes };
        (self.asked.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= ASKED || bytes == 0).then_some(part)
    }

    /// Keeps arguments for as long as their call is there. `None` where there is no room left.
    pub(super) fn keep(self: &Arc<Self>, arguments: &str) -> Option<Arc<Sent>> {
        let part = self.room(arguments.len())?;
        Some(Arc::new(Sent { arguments: arguments.to_owned(), _part: part }))
    }

    /// What was kept of the call that this state stands for.
    pub(super) fn sent(&self, state: &State) -> Option<Arc<Sent>> {
        self.locked().get(&state.handle).and_then(|call| call.sent.clone())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 16], Waiting>> {
        // The map is consistent after every statement, so a panic elsewhere spoils nothing.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call wait.
    pub(super) fn park(self: &Arc<Self>, handle: [u8; 16], call: Waiting) -> Result<Place, Failure> {
        let mut waiting = self.locked();
        if waiting.len() >= self.bounds.max {
            return Err(Failure::busy("too many calls wait for their callers' input (limits.maxParkedCalls); try again later"));
        }
        let of_same = || waiting.values().filter(|other| other.principal == call.principal).count();
        if self.bounds.share.is_some_and(|share| of_same() >= share) {
            return Err(Failure::too_many(
                "too many calls of this caller wait for its input (limits.maxRequestsPerSession); answer or let some expire",
            ));
        }
        waiting.insert(handle, call);
        Ok(Place { parking: Arc::clone(self), handle })
    }

    /// Takes the call that this state stands for, once `check` has found nothing wrong in view of what was asked.
    pub(super) fn take(
        &self,
        state: &State,
        key: SessionKey,
        check: impl FnOnce(&[(String, String)]) -> Result<(), Failure>,
    ) -> Result<oneshot::Sender<Resume>, Failure> {
        let mut waiting = self.locked();
        let call = waiting.get(&state.handle).filter(|call| call.round == state.round).ok_or_else(no_longer_waits)?;
        if call.key != key {
            return Err(Failure::invalid_params("this `requestState` was given for a request with other credentials"));
        }
        check(&call.asked)?;
        waiting.remove(&state.handle).map(|call| call.resume).ok_or_else(no_longer_waits)
    }
}

pub(super) fn is_full() -> Failure {
    Failure::busy("the calls that wait for their callers' input hold too much already; try again later")
}

pub(super) fn no_longer_waits() -> Failure {
    Failure::invalid_params("this `requestState` was used already, or its call has ended; send the request without it to begin anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_questions_share_their_room_and_give_it_back() {
        let parking = Parking::new(Bounds { max: 1, share: None, timeout: Duration::from_secs(1) });
        let first = parking.room(ASKED - SHORT).unwrap();
        assert!(parking.room(SHORT + 1).is_none());
        assert!((0..100).all(|_| parking.room(SHORT).is_some()), "short ones are not counted");
        drop(first);
        assert!(parking.room(ASKED).is_some());
        assert_eq!(parking.asked.load(Ordering::Relaxed), 0);
    }
}
