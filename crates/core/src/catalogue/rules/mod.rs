//! The operator's rules, compiled: who gets which name, and what is shown.

mod backend;
mod check;
mod problem;
mod unlisted;

#[cfg(test)]
mod tests;

pub(super) use backend::{Override, ToolRules};
pub use problem::{RuleProblem, RuleReason};
pub use unlisted::Unlisted;

use crate::config::{Aggregation, ConflictResolution, Lint, ToolVisibility};
use std::sync::Arc;

const WORKLOAD: &str = "{workload}";
const DEFAULT_PREFIX: &str = "{workload}_";

/// The rules of a gateway's catalogue: `aggregation`, made ready for its backends.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) strategy: ConflictResolution,
    pub(super) quarantine: bool,
    pub(super) backends: Arc<[BackendRules]>,
    /// The one backend that is shown, where only one is.
    pub(super) only: Option<usize>,
    warnings: Vec<RuleProblem>,
}

/// The rules for one backend.
#[derive(Clone, Debug)]
pub(super) struct BackendRules {
    pub(super) name: Arc<str>,
    /// What `prefix` puts before its names, and `priority` on conflict when it is outside the order.
    pub(super) prefix: Box<str>,
    /// Its place in `priorityOrder`.
    pub(super) rank: Option<usize>,
    pub(super) tools: ToolRules,
}

impl Rules {
    /// Compiles `aggregation` for backends in configuration order.
    ///
    /// # Errors
    /// All problems that can be known before anything is listed, each with its place.
    pub fn compile(aggregation: &Aggregation, backends: &[&str]) -> Result<Self, Vec<RuleProblem>> {
        let report = check::check(aggregation, backends);
        if !report.problems.is_empty() {
            return Err(report.problems);
        }
        let format = prefix_format(aggregation);
        let compiled = backends.iter().map(|name| {
            let entry = aggregation.tools.iter().find(|entry| entry.workload == *name);
            let denied = entry.is_none() && aggregation.default_tool_visibility == ToolVisibility::Deny;
            let hidden = aggregation.exclude_all_tools || denied;
            BackendRules {
                name: Arc::from(*name),
                prefix: format.replace(WORKLOAD, name).into(),
                rank: aggregation.conflict_resolution_config.priority_order.iter().position(|ranked| ranked == name),
                tools: entry.map_or_else(|| ToolRules::without_entry(hidden), |entry| ToolRules::new(entry, hidden)),
            }
        });
        Ok(Self {
            strategy: aggregation.conflict_resolution,
            quarantine: aggregation.lint == Lint::Quarantine,
            backends: compiled.collect(),
            only: None,
            warnings: report.warnings,
        })
    }

    /// The rules of a catalogue of one of these backends alone: its names without a prefix, filtered and overridden as before. Places of
    /// backends stay what they are; lists of the others are not for these rules.
    #[must_use]
    pub fn alone(&self, backend: usize) -> Self {
        Self {
            // Nobody is there to have a conflict with.
            strategy: ConflictResolution::Manual,
            quarantine: self.quarantine,
            backends: Arc::clone(&self.backends),
            only: Some(backend),
            warnings: Vec::new(),
        }
    }

    /// Settings that do nothing, to be told to the operator.
    #[must_use]
    pub fn warnings(&self) -> &[RuleProblem] {
        &self.warnings
    }
}

fn prefix_format(aggregation: &Aggregation) -> &str {
    aggregation.conflict_resolution_config.prefix_format.as_deref().unwrap_or(DEFAULT_PREFIX)
}
