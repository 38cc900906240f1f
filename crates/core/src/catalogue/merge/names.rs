//! Who gets which name.

use crate::{
    Era,
    catalogue::{BackendList, Collision, CollisionReason, ListKind, Rules, list::Item, rules::Override},
    config::ConflictResolution,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A tool or prompt that is to be shown.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'l> {
    pub(super) backend: usize,
    /// The era in which its backend was asked.
    pub(super) era: Era,
    /// The text of its list.
    pub(super) text: &'l str,
    pub(super) item: &'l Item,
    pub(super) change: Option<&'l Override>,
    /// Its name before conflicts are resolved.
    bare: &'l str,
}

/// The candidates of a list with the names that they get, in configuration order, then in list order. Losers are reported and gone.
pub(super) fn resolve<'l>(
    rules: &'l Rules,
    lists: &[(usize, &'l BackendList)],
    kind: ListKind,
    collisions: &mut Vec<Collision>,
) -> Vec<(Candidate<'l>, Arc<str>)> {
    let mut names = Names { rules, kind, collisions, candidates: Vec::new(), given: Vec::new(), holders: HashMap::new() };
    for (backend, list) in lists {
        names.gather(*backend, list);
    }
    names.given = vec![None; names.candidates.len()];
    let all = 0..names.candidates.len();
    match rules.strategy {
        ConflictResolution::Prefix => all.for_each(|at| names.give(at, names.prefixed(at), CollisionReason::Order)),
        ConflictResolution::Manual => all.for_each(|at| names.give(at, names.bare(at), CollisionReason::Unsolved)),
        ConflictResolution::Priority => names.by_priority(),
    }
    let Names { candidates, given, .. } = names;
    candidates.into_iter().zip(given).filter_map(|(candidate, name)| Some((candidate, name?))).collect()
}

struct Names<'l, 'c> {
    rules: &'l Rules,
    kind: ListKind,
    collisions: &'c mut Vec<Collision>,
    candidates: Vec<Candidate<'l>>,
    /// The name of each candidate, once it has one.
    given: Vec<Option<Arc<str>>>,
    /// The candidate that has a name.
    holders: HashMap<Arc<str>, usize>,
}

/// The candidates that want one name.
#[derive(Default)]
struct Rivals {
    count: usize,
    /// Rank and place of the one whose backend stands first in the order.
    winner: Option<(usize, usize)>,
}

impl<'l> Names<'l, '_> {
    /// Takes up what one backend shows. Of two with one name the first stays; a name that an override gives stays with its tool.
    fn gather(&mut self, backend: usize, list: &'l BackendList) {
        let tools = (self.kind == ListKind::Tools).then_some(&self.rules.backends[backend].tools);
        let (era, list) = (list.era(), list.list(self.kind));
        let mut own: Vec<Candidate<'l>> = Vec::new();
        let mut seen = HashSet::new();
        for item in list.items() {
            let original: &'l str = item.key();
            if tools.is_some_and(|tools| !tools.shows(original)) {
                continue;
            }
            let bare = tools.and_then(|tools| tools.new_name(original)).unwrap_or(original);
            let candidate = Candidate { backend, era, text: list.text(), item, change: tools.and_then(|t| t.change(original)), bare };
            if seen.insert(original) {
                own.push(candidate);
            } else {
                self.twice(&candidate);
            }
        }
        let renamed: HashSet<&str> = own.iter().filter(|candidate| candidate.is_renamed()).map(|candidate| candidate.bare).collect();
        for candidate in own {
            if !candidate.is_renamed() && renamed.contains(candidate.bare) {
                self.twice(&candidate);
            } else {
                self.candidates.push(candidate);
            }
        }
    }

    /// Conflicts first, so that a backend outside the order only gives way where there is one.
    fn by_priority(&mut self) {
        let rank = |candidate: &Candidate<'_>| self.rules.backends[candidate.backend].rank;
        let mut rivals: HashMap<&'l str, Rivals> = HashMap::new();
        for (at, candidate) in self.candidates.iter().enumerate() {
            let rivals = rivals.entry(candidate.bare).or_default();
            rivals.count += 1;
            let ranked = rank(candidate).map(|rank| (rank, at));
            rivals.winner = match (rivals.winner, ranked) {
                (Some(best), Some(new)) => Some(best.min(new)),
                (best, new) => best.or(new),
            };
        }
        let mut give_way = Vec::new();
        for at in 0..self.candidates.len() {
            let candidate = self.candidates[at];
            match rivals.get(candidate.bare).filter(|rivals| rivals.count > 1).map(|rivals| rivals.winner) {
                None => self.give(at, self.bare(at), CollisionReason::Priority),
                Some(Some((_, winner))) if winner == at => self.give(at, self.bare(at), CollisionReason::Priority),
                Some(Some((_, winner))) if rank(&candidate).is_some() => {
                    let (name, winner) = (self.bare(at), self.candidates[winner].backend);
                    self.lost(&candidate, name, winner, CollisionReason::Priority);
                }
                Some(_) => give_way.push(at),
            }
        }
        for at in give_way {
            self.give(at, self.prefixed(at), CollisionReason::Prefixed);
        }
    }

    fn bare(&self, at: usize) -> Arc<str> {
        let candidate = &self.candidates[at];
        if candidate.is_renamed() { candidate.bare.into() } else { Arc::clone(candidate.item.key()) }
    }

    fn prefixed(&self, at: usize) -> Arc<str> {
        let candidate = &self.candidates[at];
        format!("{}{}", self.rules.backends[candidate.backend].prefix, candidate.bare).into()
    }

    /// Gives a candidate a name unless another one has it.
    fn give(&mut self, at: usize, name: Arc<str>, reason: CollisionReason) {
        if let Some(holder) = self.holders.get(&name) {
            let (candidate, winner) = (self.candidates[at], self.candidates[*holder].backend);
            self.lost(&candidate, name, winner, reason);
        } else {
            self.given[at] = Some(Arc::clone(&name));
            self.holders.insert(name, at);
        }
    }

    fn twice(&mut self, candidate: &Candidate<'l>) {
        let prefix = if self.rules.strategy == ConflictResolution::Prefix { &*self.rules.backends[candidate.backend].prefix } else { "" };
        let name = format!("{prefix}{}", candidate.bare).into();
        self.lost(candidate, name, candidate.backend, CollisionReason::SameBackend);
    }

    fn lost(&mut self, candidate: &Candidate<'l>, name: Arc<str>, winner: usize, reason: CollisionReason) {
        let (winner, loser) = (self.rules.owner(winner), self.rules.owner(candidate.backend));
        let original = Arc::clone(candidate.item.key());
        self.collisions.push(Collision { kind: self.kind, name, winner, loser, original, reason });
    }
}

impl Candidate<'_> {
    fn is_renamed(&self) -> bool {
        *self.bare != **self.item.key()
    }
}
