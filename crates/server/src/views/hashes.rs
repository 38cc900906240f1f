//! One hash for each kind of list.

use vmcp_core::catalogue::{Catalogue, ListKind};

/// What a client was shown of each kind; all zero for a kind that it never listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindHashes([[u8; 16]; 4]);

impl KindHashes {
    pub(crate) fn of(catalogue: &Catalogue) -> Self {
        let mut hashes = Self::default();
        for kind in ListKind::ALL {
            hashes.set(kind, *catalogue.hash(kind));
        }
        hashes
    }

    pub(crate) fn set(&mut self, kind: ListKind, hash: [u8; 16]) {
        self.0[kind.index()] = hash;
    }

    fn get(&self, kind: ListKind) -> [u8; 16] {
        self.0[kind.index()]
    }

    /// Whether this kind was ever shown.
    pub(crate) fn has(&self, kind: ListKind) -> bool {
        self.get(kind) != [0; 16]
    }

    /// The kinds that were shown and are different now, with what was shown. They count as shown from now on.
    pub(crate) fn take_changed(&mut self, now: &Self) -> Vec<(ListKind, [u8; 16])> {
        let mut changed = Vec::new();
        for kind in ListKind::ALL {
            let seen = self.get(kind);
            if self.has(kind) && seen != now.get(kind) {
                self.set(kind, now.get(kind));
                changed.push((kind, seen));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_shown_and_differs_has_changed_and_only_once() {
        let (mut seen, mut now) = (KindHashes::default(), KindHashes::default());
        seen.set(ListKind::Tools, [1; 16]);
        seen.set(ListKind::Prompts, [2; 16]);
        now.set(ListKind::Tools, [3; 16]);
        now.set(ListKind::Prompts, [2; 16]);
        now.set(ListKind::Resources, [4; 16]);
        assert_eq!(seen.take_changed(&now), [(ListKind::Tools, [1; 16])]);
        assert_eq!(seen.take_changed(&now), []);
    }
}
