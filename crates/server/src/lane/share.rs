//! How many calls one caller may have in flight, so that nobody fills a backend's places alone, also with calls whose connections are
//! gone.

use super::Caller;
use crate::failure::Failure;
use dashmap::DashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use vmcp_core::plugin::Principal;

/// The calls in flight of those callers who have no session to count them in, by principal.
#[derive(Debug, Default)]
pub(crate) struct Shares(DashMap<Principal, usize>);

/// One call's part of its caller's share, until this is dropped.
pub(crate) enum Place<'a> {
    Session(&'a AtomicUsize),
    Principal(&'a Shares, &'a Principal),
    /// Of a caller who cannot be told from others.
    Uncounted,
}

impl Shares {
    /// A place for one more call. A legacy caller's are counted in its session; a modern one's under its principal, where callers are told
    /// apart (`told_apart`): else one of them could use up everybody's.
    pub(crate) fn enter<'a>(&'a self, caller: &'a Caller, told_apart: bool, limit: usize) -> Result<Place<'a>, Failure> {
        let full =
            || Failure::too_many("too many calls of this caller are in flight (limits.maxRequestsPerSession); wait until some have ended");
        if let Some(session) = caller.session() {
            // Made before the comparison, so that what was counted is given back.
            let place = Place::Session(&session.calling);
            return if session.calling.fetch_add(1, Ordering::AcqRel) < limit { Ok(place) } else { Err(full()) };
        }
        if !told_apart {
            return Ok(Place::Uncounted);
        }
        let principal = caller.identity.principal();
        let mut calling = self.0.entry(principal.clone()).or_default();
        if *calling >= limit {
            return Err(full());
        }
        *calling += 1;
        Ok(Place::Principal(self, principal))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match self {
            Self::Session(calling) => drop(calling.fetch_sub(1, Ordering::AcqRel)),
            Self::Principal(Shares(shares), principal) => {
                if let dashmap::Entry::Occupied(mut calling) = shares.entry(principal.clone()) {
                    *calling.get_mut() -= 1;
                    if *calling.get() == 0 {
                        calling.remove();
                    }
                }
            }
            Self::Uncounted => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmcp_auth::Identity;
    use vmcp_core::{CapabilitySet, Era, Revision, plugin::Authenticated};

    fn principal(subject: &str) -> Principal {
        Principal { issuer: "test".into(), subject: subject.into() }
    }

    fn modern(subject: &str) -> Caller {
        let identity = Identity::new(Authenticated::new(principal(subject)));
        Caller { identity, era: Era::Modern, capabilities: CapabilitySet::NONE, log_level: None, session: None }
    }

    fn legacy(subject: &str) -> Caller {
        let hour = Duration::from_secs(3600);
        let settings = crate::session::Settings { max: 10, max_per_peer: 10, idle_timeout: hour, unused_timeout: hour, max_age: hour };
        let table = crate::session::SessionTable::new(settings, &[]).unwrap();
        let session =
            table.create(&crate::session::EndpointId::Main, &principal(subject), Revision::V2025_11_25, CapabilitySet::NONE, None).unwrap();
        Caller { era: Era::Legacy, session: Some(session), ..modern(subject) }
    }

    #[test]
    fn each_session_and_each_principal_has_a_share_and_gets_it_back() {
        let shares = Shares::default();
        for (one, other) in [(legacy("ann"), legacy("ann")), (modern("ann"), modern("bob"))] {
            let places: Vec<_> = (0..3).map(|_| shares.enter(&one, true, 3).unwrap()).collect();
            for _ in 0..3 {
                assert!(shares.enter(&one, true, 3).is_err());
            }
            assert!(shares.enter(&other, true, 3).is_ok(), "another one's share is its own");
            drop(places);
            assert_eq!((0..4).filter_map(|_| shares.enter(&one, true, 3).ok().map(std::mem::forget)).count(), 3);
        }
        assert_eq!(shares.0.len(), 1, "who has nothing in flight leaves nothing behind");
    }

    #[test]
    fn callers_who_are_not_told_apart_share_nothing_that_one_could_use_up() {
        let shares = Shares::default();
        let places: Vec<_> = (0..10).map(|_| shares.enter(&modern("anonymous"), false, 3).is_ok()).collect();
        assert_eq!(places, [true; 10]);
        assert!(shares.0.is_empty());
    }
}
