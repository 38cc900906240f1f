//! From the configuration to the policy, with every refusal at once.

use super::{
    BackendPolicy, BackendSpec, HeaderPolicy, PolicyProblem, PolicySpec,
    backend::{Rule, Static},
    entry::{Entry, List, ListContext},
    normalise,
    problem::{Problems, Warnings},
    table::Table,
    towards::Towards,
};
use http::HeaderName;
use std::sync::Arc;

impl HeaderPolicy {
    /// Compiles the policy of a whole gateway.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place, header, backends and reason.
    pub fn compile(spec: &PolicySpec<'_>) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Problems::default();
        let mut warnings = Warnings::default();
        let consumed: Vec<HeaderName> = spec.consumed.iter().map(normalise).collect();
        let context = ListContext { path: "passthroughHeaders", backend: None, consumed: &consumed };
        let global = context.read(spec.global, &mut problems);

        let mut drafts = Vec::with_capacity(spec.backends.len());
        for (index, backend) in spec.backends.iter().enumerate() {
            let path = format!("backends[{index}].passthroughHeaders");
            let context = ListContext { path: &path, backend: Some(backend.name), consumed: &consumed };
            let own = context.read(backend.passthrough, &mut problems);
            let entries = effective(&global, own, backend.inherit);
            let allow_credential = spec.allow_credential || backend.allow_credential;
            let statics = Towards::new(index, backend, allow_credential, &mut problems, &mut warnings).check(&entries);
            drafts.push(Draft { spec: backend, statics, entries });
        }
        problems.into_result()?;

        let listed = drafts.iter().flat_map(|draft| draft.entries.iter().map(|entry| entry.key.clone()));
        let table = Arc::new(Table::new(listed));
        let backends = drafts.into_iter().map(|draft| Arc::new(draft.finish(&table))).collect();
        Ok(Self::new(table, backends, warnings.into_list()))
    }
}

/// The global entries that a backend inherits, then its own. An own entry replaces the global one even where it is refused, so that
/// one mistake is one problem.
fn effective(global: &List, own: List, inherit: bool) -> Vec<Entry> {
    let inherited = global.entries.iter().filter(|entry| inherit && !own.keys.contains(&entry.key)).cloned();
    inherited.chain(own.entries).collect()
}

/// One backend's part, before the table of all inbound names exists.
struct Draft<'a> {
    spec: &'a BackendSpec<'a>,
    statics: Vec<Static>,
    entries: Vec<Entry>,
}

impl Draft<'_> {
    fn finish(self, table: &Arc<Table>) -> BackendPolicy {
        let rules = self.entries.into_iter().filter_map(|entry| {
            let slot = table.find(entry.key.as_str().as_bytes())?;
            Some(Rule::new(slot, entry))
        });
        BackendPolicy {
            name: self.spec.name.into(),
            rules: rules.collect(),
            table: Arc::clone(table),
            statics: self.statics.into(),
            managed: self.spec.managed.into(),
        }
    }
}
