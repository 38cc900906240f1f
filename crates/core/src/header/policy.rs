//! The policy of a whole gateway.

use super::{BackendPolicy, PolicyWarning, table::Table};
use http::HeaderName;
use std::{fmt, sync::Arc};

/// Which of a caller's headers reach which backend. Compiled once from a configuration ([`HeaderPolicy::compile`]), asked for every
/// request ([`HeaderPolicy::capture`]).
pub struct HeaderPolicy {
    pub(super) table: Arc<Table>,
    /// What holds for the values of each slot of the table.
    pub(super) demands: Box<[Demand]>,
    /// The most bytes that any backend's formats add to the values in all.
    pub(super) overhead: usize,
    pub(super) backends: Vec<Arc<BackendPolicy>>,
    warnings: Vec<PolicyWarning>,
    /// Normalised.
    consumed: Vec<HeaderName>,
}

/// What the backends that list a header demand of its values, with the first backend that does.
#[derive(Default)]
pub(super) struct Demand {
    /// At most one value.
    pub(super) once: Option<Arc<str>>,
    /// At most one value that is not empty: an empty one counts as not sent there.
    pub(super) once_filled: Option<Arc<str>>,
    /// token68, where it is not empty.
    pub(super) token68: Option<Arc<str>>,
}

impl HeaderPolicy {
    pub(super) fn new(
        table: Arc<Table>,
        backends: Vec<Arc<BackendPolicy>>,
        warnings: Vec<PolicyWarning>,
        consumed: Vec<HeaderName>,
    ) -> Self {
        let mut demands: Vec<Demand> = table.names().iter().map(|_| Demand::default()).collect();
        for backend in &backends {
            for rule in &backend.rules {
                let demand = &mut demands[rule.slot];
                let once = if rule.skips_empty() { &mut demand.once_filled } else { &mut demand.once };
                if rule.once {
                    once.get_or_insert_with(|| Arc::clone(&backend.name));
                }
                if rule.takes_token68() {
                    demand.token68.get_or_insert_with(|| Arc::clone(&backend.name));
                }
            }
        }
        let overhead = backends.iter().map(|backend| backend.format_overhead()).max().unwrap_or(0);
        Self { table, demands: demands.into(), overhead, backends, warnings, consumed }
    }

    /// The part of one backend, by its place in the configuration.
    ///
    /// # Panics
    /// When there is no such backend.
    #[must_use]
    pub fn backend(&self, index: usize) -> &Arc<BackendPolicy> {
        &self.backends[index]
    }

    /// All backends, in configuration order.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Arc<BackendPolicy>> {
        self.backends.iter()
    }

    /// What deserves a line at start-up.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyWarning] {
        &self.warnings
    }

    /// The headers that incoming authentication reads, normalised. No configuration lets a caller's pass.
    #[must_use]
    pub fn consumed(&self) -> &[HeaderName] {
        &self.consumed
    }

    /// The inbound headers that some backend lists, normalised.
    #[must_use]
    pub fn listed(&self) -> &[HeaderName] {
        self.table.names()
    }

    /// Whether some backend lists this header, in whatever spelling.
    #[must_use]
    pub fn lists(&self, name: &HeaderName) -> bool {
        self.table.find(name.as_str().as_bytes()).is_some()
    }
}

impl fmt::Debug for HeaderPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderPolicy").field("backends", &self.backends).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}
