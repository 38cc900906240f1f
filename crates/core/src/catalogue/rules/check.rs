//! Reading the rules for contradictions.

use super::{RuleProblem, RuleReason};
use crate::config::{Aggregation, AnnotationOverrides, ConflictResolution, ToolOverride, ToolVisibility, WorkloadTools};
use std::collections::{HashMap, HashSet};

const CONFIG: &str = "aggregation.conflictResolutionConfig";

/// All problems and all warnings of an `aggregation` section.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<RuleProblem>,
    pub(super) warnings: Vec<RuleProblem>,
}

/// Checks `aggregation` against the names of the backends.
pub(super) fn check(aggregation: &Aggregation, backends: &[&str]) -> Report {
    let mut report = Report::default();
    report.prefix(aggregation);
    report.order(aggregation, backends);
    let mut entries = HashSet::new();
    for (at, entry) in aggregation.tools.iter().enumerate() {
        let path = format!("aggregation.tools[{at}]");
        report.known(format!("{path}.workload"), &entry.workload, backends);
        if !entries.insert(entry.workload.as_str()) {
            report.problem(format!("{path}.workload"), RuleReason::SecondEntry(entry.workload.clone()));
        }
        report.entry(&path, entry);
    }
    report.names(aggregation);
    if aggregation.conflict_resolution == ConflictResolution::Priority && aggregation.default_tool_visibility == ToolVisibility::Deny {
        for (at, name) in aggregation.conflict_resolution_config.priority_order.iter().enumerate() {
            if !entries.contains(name.as_str()) {
                report.problem(format!("{CONFIG}.priorityOrder[{at}]"), RuleReason::HiddenWinner(name.clone()));
            }
        }
    }
    report
}

impl Report {
    fn problem(&mut self, path: String, reason: RuleReason) {
        self.problems.push(RuleProblem { path, reason });
    }

    fn no_effect(&mut self, path: String, why: &'static str) {
        self.warnings.push(RuleProblem { path, reason: RuleReason::NoEffect(why) });
    }

    fn known(&mut self, path: String, name: &str, backends: &[&str]) {
        if backends.contains(&name) {
            return;
        }
        let distances = backends.iter().map(|backend| (strsim::osa_distance(name, backend), *backend));
        let near = distances.filter(|(distance, _)| *distance <= 1.max(name.len() / 3)).min_by_key(|(distance, _)| *distance);
        let nearest = near.map(|(_, backend)| backend.to_owned());
        self.problem(path, RuleReason::UnknownBackend { name: name.to_owned(), nearest });
    }

    fn prefix(&mut self, aggregation: &Aggregation) {
        let Some(format) = &aggregation.conflict_resolution_config.prefix_format else { return };
        let path = format!("{CONFIG}.prefixFormat");
        if format.is_empty() {
            self.problem(path, RuleReason::EmptyPrefix);
        } else if aggregation.conflict_resolution == ConflictResolution::Manual && format != super::DEFAULT_PREFIX {
            self.no_effect(path, "under `manual`");
        }
    }

    fn order(&mut self, aggregation: &Aggregation, backends: &[&str]) {
        let order = &aggregation.conflict_resolution_config.priority_order;
        let path = format!("{CONFIG}.priorityOrder");
        let mut seen = HashSet::new();
        for (at, name) in order.iter().enumerate() {
            self.known(format!("{path}[{at}]"), name, backends);
            if !seen.insert(name) {
                self.problem(format!("{path}[{at}]"), RuleReason::OrderedTwice(name.clone()));
            }
        }
        match aggregation.conflict_resolution {
            ConflictResolution::Priority if order.is_empty() => self.problem(path, RuleReason::NoOrder),
            ConflictResolution::Prefix if !order.is_empty() => self.no_effect(path, "under `prefix`"),
            ConflictResolution::Manual if !order.is_empty() => self.no_effect(path, "under `manual`"),
            _ => {}
        }
    }

    fn entry(&mut self, path: &str, entry: &WorkloadTools) {
        if entry.exclude_all && entry.filter.is_some() {
            self.no_effect(format!("{path}.filter"), "beside `excludeAll: true`");
        }
        if entry.exclude_all && !entry.overrides.is_empty() {
            self.no_effect(format!("{path}.overrides"), "beside `excludeAll: true`");
        }
        if entry.filter.as_ref().is_some_and(Vec::is_empty) {
            self.problem(format!("{path}.filter"), RuleReason::EmptyFilter);
        }
        for (original, change) in &entry.overrides {
            let path = override_path(path, original);
            if is_empty(change) {
                self.problem(path, RuleReason::EmptyOverride);
            } else if change.name.as_deref() == Some("") {
                self.problem(format!("{path}.name"), RuleReason::EmptyName);
            } else if entry.filter.as_ref().is_some_and(|filter| !filter.contains(original)) {
                self.no_effect(path, "because the filter leaves the tool out");
            }
        }
    }

    /// No two overrides may give one name where only one tool can have it.
    fn names(&mut self, aggregation: &Aggregation) {
        let across = match aggregation.conflict_resolution {
            ConflictResolution::Manual => true,
            ConflictResolution::Priority => false,
            ConflictResolution::Prefix => !super::prefix_format(aggregation).contains(super::WORKLOAD),
        };
        let mut taken: HashMap<(&str, &str), (&str, &str)> = HashMap::new();
        for (at, entry) in aggregation.tools.iter().enumerate().filter(|(_, entry)| !entry.exclude_all) {
            let shown = |original: &str| entry.filter.as_ref().is_none_or(|filter| filter.iter().any(|name| name == original));
            let scope = if across { "" } else { entry.workload.as_str() };
            for (original, change) in entry.overrides.iter().filter(|(original, _)| shown(original)) {
                let Some(name) = change.name.as_deref().filter(|name| !name.is_empty()) else { continue };
                if let Some((backend, other)) = taken.get(&(scope, name)) {
                    let reason =
                        RuleReason::NameTaken { name: name.to_owned(), other: (*other).to_owned(), backend: (*backend).to_owned() };
                    self.problem(format!("{}.name", override_path(&format!("aggregation.tools[{at}]"), original)), reason);
                } else {
                    taken.insert((scope, name), (&entry.workload, original));
                }
            }
        }
    }
}

fn is_empty(change: &ToolOverride) -> bool {
    let ToolOverride { name, description, annotations } = change;
    let annotates = annotations.as_ref().is_some_and(|a| {
        let AnnotationOverrides { title, read_only_hint, destructive_hint, idempotent_hint, open_world_hint } = a;
        title.is_some() || [read_only_hint, destructive_hint, idempotent_hint, open_world_hint].iter().any(|hint| hint.is_some())
    });
    name.is_none() && description.is_none() && !annotates
}

/// The place of an override; names with other characters than a plain key's are quoted.
fn override_path(entry: &str, original: &str) -> String {
    if original.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        format!("{entry}.overrides.{original}")
    } else {
        format!("{entry}.overrides[{original:?}]")
    }
}
