//! What came of listing a backend.

use crate::Error;
use vmcp_core::{
    Era,
    catalogue::{BackendList, BackendListBuilder, ListKind},
};

/// What a backend listed: the kinds that are there, and what became of the others.
#[derive(Debug)]
pub struct Listed {
    pub(super) builder: BackendListBuilder,
    pub(super) era: Era,
    pub(super) failed: Vec<(ListKind, Error)>,
    pub(super) pending: Vec<ListKind>,
    pub(super) warnings: Vec<Error>,
}

impl Listed {
    /// The era in which the backend was asked.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// The kinds that could not be fetched, and why.
    #[must_use]
    pub fn failed(&self) -> &[(ListKind, Error)] {
        &self.failed
    }

    /// What is wrong with kinds that are there all the same.
    #[must_use]
    pub fn warnings(&self) -> &[Error] {
        &self.warnings
    }

    /// Whether this kind is not there: it failed, or is still waited for.
    #[must_use]
    pub fn lacks(&self, kind: ListKind) -> bool {
        self.pending.contains(&kind) || self.failed.iter().any(|(failed, _)| *failed == kind)
    }

    /// The list: kinds that are not there are as `last` has them, or empty.
    #[must_use]
    pub fn over(mut self, last: Option<&BackendList>) -> BackendList {
        let lacking: Vec<ListKind> = ListKind::ALL.into_iter().filter(|kind| self.lacks(*kind)).collect();
        for (kind, last) in lacking.into_iter().zip(last.into_iter().cycle()) {
            self.builder.keep(kind, last);
        }
        self.builder.build()
    }
}
