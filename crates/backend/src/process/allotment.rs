//! How many processes a backend has, and who has them.

use crate::{ErrorKind, SessionKey};
use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::Notify,
    time::{Duration, Instant, timeout_at},
};

/// The places for processes of one backend.
pub(crate) struct Allotment {
    max: u32,
    max_per_principal: u32,
    taken: Mutex<Taken>,
    /// A place has come free.
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    all: u32,
    by_principal: HashMap<SessionKey, u32>,
}

/// A place, given back when dropped.
pub(crate) struct Seat {
    allotment: Arc<Allotment>,
    principal: Option<SessionKey>,
}

impl Allotment {
    pub(crate) fn new(max: u32, max_per_principal: u32) -> Arc<Self> {
        Arc::new(Self { max, max_per_principal, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a process of `principal`, or of nobody's in particular.
    ///
    /// # Errors
    /// [`ErrorKind::Processes`] when there is none left.
    pub(crate) fn take(self: &Arc<Self>, principal: Option<SessionKey>) -> Result<Seat, ErrorKind> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.max {
            return Err(ErrorKind::Processes { limit: self.max, is_principals: false });
        }
        if let Some(principal) = principal {
            let own = taken.by_principal.entry(principal).or_default();
            if *own >= self.max_per_principal {
                return Err(ErrorKind::Processes { limit: self.max_per_principal, is_principals: true });
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Seat { allotment: Arc::clone(self), principal })
    }

    /// The same, waiting for so long at most: one that is to be taken may be about to come free.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) async fn take_soon(self: &Arc<Self>, principal: Option<SessionKey>, wait: Duration) -> Result<Seat, ErrorKind> {
        let until = Instant::now() + wait;
        loop {
            let mut freed = pin!(self.freed.notified());
            // A place that comes free from here on is heard of.
            freed.as_mut().enable();
            match self.take(principal) {
                Err(full) if timeout_at(until, freed).await.is_err() => return Err(full),
                Err(_) => {}
                taken => return taken,
            }
        }
    }

    /// How many processes there are.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.allotment.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(principal) = self.principal
            && let Some(own) = taken.by_principal.get_mut(&principal)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_principal.remove(&principal);
            }
        }
        drop(taken);
        self.allotment.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyMaker;
    use vmcp_core::plugin::Principal;

    #[test]
    fn there_is_a_cap_for_all_and_one_for_each_caller_and_places_come_back() {
        let key = |subject: &str| {
            let principal = Principal { issuer: "i".into(), subject: subject.into() };
            Some(KeyMaker::new(&[7; 32], 1, "b").key(&principal, None, std::iter::empty()))
        };
        let allotment = Allotment::new(3, 2);
        let limit = |taken: Result<Seat, ErrorKind>| taken.err().map(|error| error.to_string());
        let seats = [allotment.take(key("ann")).unwrap(), allotment.take(key("ann")).unwrap()];
        assert!(limit(allotment.take(key("ann"))).unwrap().contains("`maxProcessesPerPrincipal` (2)"));
        let last = allotment.take(key("bob")).unwrap();
        assert!(limit(allotment.take(None)).unwrap().contains("`maxProcesses` (3)"));
        drop(seats);
        assert_eq!(allotment.taken(), 1);
        assert!(allotment.take(key("ann")).is_ok());
        drop(last);
        assert_eq!((allotment.taken(), allotment.taken.lock().unwrap().by_principal.len()), (0, 0));
    }
}
