//! The calls that wait, and how many may.

use super::{state::State, task::Resume};
use crate::failure::Failure;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
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

/// The calls that wait for their callers, at all endpoints of one configuration.
pub(crate) struct Parking {
    waiting: Mutex<HashMap<[u8; 16], Waiting>>,
    pub(super) bounds: Bounds,
}

/// One that waits.
pub(super) struct Waiting {
    pub(super) round: u32,
    pub(super) principal: Principal,
    /// Of the backend session in which it runs: no other key's caller may go on with it.
    pub(super) key: SessionKey,
    /// The keys and the methods of what is asked.
    pub(super) asked: Vec<(String, String)>,
    pub(super) resume: oneshot::Sender<Resume>,
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
        Arc::new(Self { waiting: Mutex::default(), bounds })
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

pub(super) fn no_longer_waits() -> Failure {
    Failure::invalid_params("this `requestState` was used already, or its call has ended; send the request without it to begin anew")
}
