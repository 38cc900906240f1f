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

    /// The kinds that were shown and are told to be out of date now, with what was shown: all those that one notification stands for
    /// together. They are not told of again until they are shown anew.
    pub(crate) fn outdate(&mut self, kind: Option<ListKind>) -> Vec<(ListKind, [u8; 16])> {
        let is_meant = |one: ListKind| kind.is_none_or(|kind| kind.changed_notification() == one.changed_notification());
        let outdated = ListKind::ALL.into_iter().filter(|one| is_meant(*one) && self.has(*one));
        let outdated: Vec<_> = outdated.map(|kind| (kind, self.get(kind))).collect();
        for (kind, _) in &outdated {
            self.set(*kind, [0; 16]);
        }
        outdated
    }

    /// Takes kinds that count as not shown for shown as they are now.
    pub(crate) fn fill(&mut self, now: &Self) {
        for kind in ListKind::ALL.into_iter().filter(|kind| !self.has(*kind)).collect::<Vec<_>>() {
            self.set(kind, now.get(kind));
        }
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
    #[test]
    fn what_is_told_to_be_out_of_date_is_told_once_until_it_is_shown_anew() {
        let mut seen = KindHashes::default();
        seen.set(ListKind::Resources, [1; 16]);
        seen.set(ListKind::ResourceTemplates, [2; 16]);
        let both = [(ListKind::Resources, [1; 16]), (ListKind::ResourceTemplates, [2; 16])];
        assert_eq!(seen.outdate(Some(ListKind::Tools)), []);
        assert_eq!(seen.outdate(Some(ListKind::Resources)), both, "one notification stands for both");
        assert_eq!(seen.outdate(Some(ListKind::ResourceTemplates)), []);
        let mut now = KindHashes::default();
        now.set(ListKind::Resources, [3; 16]);
        assert_eq!(seen.take_changed(&now), [], "that is what was told");
        seen.fill(&now);
        assert_eq!(seen.outdate(None), [(ListKind::Resources, [3; 16])]);
    }
}
