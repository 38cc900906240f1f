//! The gateway's own sessions at a backend: one for each set of capabilities that lists are fetched for.

use super::{Holder, SessionCell};
use std::sync::{Arc, Mutex, PoisonError};
use vmcp_core::CapabilitySet;

/// How many there are at most. Further sets are served by the session that declares nothing.
const LIMIT: usize = 8;

#[derive(Default)]
pub(crate) struct OwnedSessions(Mutex<Vec<Arc<SessionCell>>>);

impl OwnedSessions {
    /// The place of the session that declares this.
    pub(crate) fn at(&self, capabilities: CapabilitySet) -> Arc<SessionCell> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let declaring = |cells: &[Arc<SessionCell>], set| cells.iter().find(|cell| cell.holder().capabilities == set).cloned();
        if let Some(known) = declaring(&cells, capabilities) {
            return known;
        }
        // One place is left for the session that declares nothing.
        let room = LIMIT - usize::from(declaring(&cells, CapabilitySet::NONE).is_none());
        let capabilities = if cells.len() < room { capabilities } else { CapabilitySet::NONE };
        if let Some(known) = declaring(&cells, capabilities) {
            return known;
        }
        let cell = SessionCell::new(Holder::new(capabilities, None));
        cells.push(Arc::clone(&cell));
        cell
    }

    /// All places there are.
    pub(crate) fn all(&self) -> Vec<Arc<SessionCell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_its_place_and_there_are_not_too_many() {
        let owned = OwnedSessions::default();
        let places: Vec<_> = (0..20).map(|bits| owned.at(CapabilitySet::from_bits(bits))).collect();
        assert_eq!(owned.all().len(), LIMIT);
        assert!(Arc::ptr_eq(&places[3], &owned.at(CapabilitySet::from_bits(3))));
        assert!(Arc::ptr_eq(&places[0], &places[19]));
    }
}
