//! Merged catalogues, shared by everybody who sees the same.

use std::sync::Arc;
use vmcp_core::{
    Era,
    catalogue::{BackendList, Catalogue, Rules},
};

/// How many bytes of catalogues are kept.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// One catalogue for each combination of lists and audience.
pub(super) struct Catalogues {
    rules: Rules,
    merged: moka::sync::Cache<[u8; 16], Arc<Catalogue>>,
}

impl Catalogues {
    pub(super) fn new(rules: Rules) -> Self {
        let merged = moka::sync::Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|_: &[u8; 16], catalogue: &Arc<Catalogue>| u32::try_from(catalogue.weight()).unwrap_or(u32::MAX))
            .build();
        Self { rules, merged }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn merge(&self, lists: &[Option<Arc<BackendList>>], audience: Era) -> Arc<Catalogue> {
        let key = self.rules.merge_key(lists, audience);
        self.merged.get_with(key, || Arc::new(self.rules.merge(lists, audience)))
    }
}
