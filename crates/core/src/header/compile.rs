//! From the configuration to the policy, with every refusal at once.

use super::{
    BackendPolicy, BackendSpec, HeaderPolicy, Place, PolicyProblem, PolicySpec, Refusal, Side,
    backend::{Rule, Static},
    entry::{Entry, List, ListContext},
    normalise,
    outgoing::Outbound,
    problem::Problems,
    spec::strategy_entries,
    table::Table,
    towards::Towards,
    warning::Warnings,
};
use http::HeaderName;
use std::sync::Arc;

impl HeaderPolicy {
    /// Compiles the policy of a whole gateway.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place, header, backends and reason.
    pub fn compile(spec: &PolicySpec<'_>) -> Result<Self, Vec<PolicyProblem>> {
        match Self::compile_sound(spec) {
            (policy, problems) if problems.is_empty() => Ok(policy),
            (_, problems) => Err(problems),
        }
    }

    /// What would be left of the policy without that which is refused, and everything that is. For showing a configuration that is
    /// not finished: a gateway takes it whole or not at all ([`HeaderPolicy::compile`]).
    #[must_use]
    pub fn compile_sound(spec: &PolicySpec<'_>) -> (Self, Vec<PolicyProblem>) {
        let mut problems = Problems::default();
        let mut warnings = Warnings::default();
        let consumed: Vec<HeaderName> = spec.consumed.iter().map(normalise).collect();
        let context = ListContext { path: "passthroughHeaders", backend: None, consumed: &consumed };
        let global = context.read(spec.global, &mut problems);

        let mut drafts = Vec::with_capacity(spec.backends.len());
        for (index, backend) in spec.backends.iter().enumerate() {
            let path = format!("backends[{index}].passthroughHeaders");
            let context = ListContext { path: &path, backend: Some(backend.name), consumed: &consumed };
            let mut own = context.read(backend.passthrough, &mut problems);
            own.extend(&context, &strategy_entries(index), backend.stood_for, &mut problems);
            let mut entries = effective(&global, own, backend.inherit);
            let allow_credential = spec.allow_credential || backend.allow_credential;
            let statics = Towards::new(index, backend, allow_credential, &mut problems, &mut warnings).check(&mut entries);
            drafts.push(Draft { index, spec: backend, statics, entries, managed: backend.managed.to_vec() });
        }
        let problems = problems.into_list();
        for draft in &mut drafts {
            draft.leave_out(&problems);
        }

        let listed = drafts.iter().flat_map(|draft| draft.entries.iter().map(|entry| entry.key.clone()));
        let table = Arc::new(Table::new(listed));
        let backends = drafts.into_iter().map(|draft| Arc::new(draft.finish(&table))).collect();
        (Self::new(table, backends, warnings.into_list(), consumed), problems)
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
    index: usize,
    spec: &'a BackendSpec<'a>,
    statics: Vec<Static>,
    entries: Vec<Entry>,
    managed: Vec<HeaderName>,
}

impl Draft<'_> {
    /// Takes out what is refused.
    fn leave_out(&mut self, problems: &[PolicyProblem]) {
        let concerns = |problem: &&PolicyProblem| problem.backends.is_empty() || problem.backends.iter().any(|name| name == self.spec.name);
        for problem in problems.iter().filter(concerns) {
            match &problem.refusal {
                Refusal::Closed { side: Side::Strategy, .. } => self.managed.retain(|name| name.as_str() != problem.header),
                // One of them is named; none of them may travel.
                Refusal::Plaintext { .. } => {
                    self.managed.clear();
                    self.statics.clear();
                    self.entries.retain(|entry| !entry.credential);
                }
                _ => {
                    let index = self.index;
                    self.statics.retain(|own| {
                        let path = format!("backends[{index}].headers.{}", own.name.as_str());
                        !problem.path.eq_ignore_ascii_case(&path)
                    });
                    self.entries.retain(|entry| entry.path != problem.path);
                }
            }
        }
    }

    fn finish(self, table: &Arc<Table>) -> BackendPolicy {
        let is_process = matches!(self.spec.place, Place::Process(_));
        let rules = self.entries.into_iter().filter_map(|mut entry| {
            let slot = table.find(entry.key.as_str().as_bytes())?;
            let to = match entry.variable.take().filter(|_| is_process) {
                Some(variable) => Outbound::Variable(variable),
                None => Outbound::Header(entry.outbound.clone()),
            };
            Some(Rule::new(slot, entry, to))
        });
        BackendPolicy {
            name: self.spec.name.into(),
            rules: rules.collect(),
            table: Arc::clone(table),
            statics: self.statics.into(),
            managed: self.managed.into(),
        }
    }
}
