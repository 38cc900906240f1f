//! Merged catalogues, shared by everybody who sees the same.

use std::sync::Arc;
use vmcp_core::{
    Era,
    catalogue::{BackendList, Catalogue, Rules},
};

/// How many bytes of catalogues are kept.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// A catalogue, and what tells it from every other one of the same configuration.
#[derive(Clone)]
pub(crate) struct Merged {
    pub(crate) id: [u8; 16],
    pub(crate) catalogue: Arc<Catalogue>,
}

/// One catalogue for each combination of lists and audience.
pub(super) struct Catalogues {
    rules: Rules,
    /// The rules of each backend alone.
    alone: Vec<Rules>,
    merged: moka::sync::Cache<[u8; 16], Arc<Catalogue>>,
}

impl Catalogues {
    pub(super) fn new(rules: Rules, backends: usize) -> Self {
        let merged = moka::sync::Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|_: &[u8; 16], catalogue: &Arc<Catalogue>| u32::try_from(catalogue.weight()).unwrap_or(u32::MAX))
            .build();
        Self { alone: (0..backends).map(|backend| rules.alone(backend)).collect(), rules, merged }
    }

    /// The rules for one backend alone, or for all of them.
    pub(super) fn rules(&self, lens: Option<usize>) -> &Rules {
        lens.and_then(|backend| self.alone.get(backend)).unwrap_or(&self.rules)
    }

    pub(super) fn merge(&self, lists: &[Option<Arc<BackendList>>], audience: Era, lens: Option<usize>) -> Merged {
        let rules = self.rules(lens);
        let id = rules.merge_key(lists, audience);
        Merged { id, catalogue: self.merged.get_with(id, || Arc::new(rules.merge(lists, audience))) }
    }
}
