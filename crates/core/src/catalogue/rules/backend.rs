//! The rules for one backend's tools.

use crate::config::{AnnotationOverrides, ToolOverride, WorkloadTools};
use crate::frame::json_string;
use std::collections::{HashMap, HashSet};

/// Which tools of a backend are shown, and under which name before conflicts are resolved.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct ToolRules {
    hidden: bool,
    filter: Option<HashSet<Box<str>>>,
    overrides: HashMap<Box<str>, Override>,
    /// From the names that overrides give to the originals, of tools that are shown.
    renamed: HashMap<Box<str>, Box<str>>,
}

/// What is changed about one tool.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct Override {
    /// Its name before conflicts are resolved.
    name: Option<Box<str>>,
    /// A description, as JSON text.
    pub(in crate::catalogue) description: Option<String>,
    /// Annotations to set, as key and JSON text.
    pub(in crate::catalogue) annotations: Vec<(&'static str, String)>,
}

impl ToolRules {
    /// Rules that show every tool, or none.
    pub(super) fn without_entry(hidden: bool) -> Self {
        Self { hidden, ..Self::default() }
    }

    pub(super) fn new(entry: &WorkloadTools, hidden: bool) -> Self {
        let filter: Option<HashSet<Box<str>>> = entry.filter.as_ref().map(|names| names.iter().map(|name| name.as_str().into()).collect());
        let overrides: HashMap<Box<str>, Override> =
            entry.overrides.iter().map(|(original, change)| (original.as_str().into(), Override::new(original, change))).collect();
        let mut rules = Self { hidden: hidden || entry.exclude_all, filter, overrides, renamed: HashMap::new() };
        let shown = rules.overrides.iter().filter(|(original, _)| rules.shows(original));
        rules.renamed = shown.filter_map(|(original, change)| Some((change.name.clone()?, original.clone()))).collect();
        rules
    }

    /// Whether a tool is shown at all.
    pub(in crate::catalogue) fn shows(&self, original: &str) -> bool {
        !self.hidden && self.filter.as_ref().is_none_or(|filter| filter.contains(original))
    }

    /// What is changed about a tool.
    pub(in crate::catalogue) fn change(&self, original: &str) -> Option<&Override> {
        self.overrides.get(original)
    }

    /// The name that an override gives to a tool.
    pub(in crate::catalogue) fn new_name(&self, original: &str) -> Option<&str> {
        self.overrides.get(original)?.name.as_deref()
    }

    /// The original of the tool that is shown as `bare` before conflicts are resolved, if this backend has it.
    pub(super) fn original_of<'a>(&'a self, bare: &'a str) -> Option<&'a str> {
        if let Some(original) = self.renamed.get(bare) {
            return Some(original);
        }
        (self.new_name(bare).is_none() && self.shows(bare)).then_some(bare)
    }
}

impl Override {
    fn new(original: &str, change: &ToolOverride) -> Self {
        Self {
            name: change.name.as_deref().filter(|name| *name != original).map(Into::into),
            description: change.description.as_deref().map(literal),
            annotations: change.annotations.as_ref().map(members).unwrap_or_default(),
        }
    }

    /// Whether anything but the name is changed.
    pub(in crate::catalogue) fn edits(&self) -> bool {
        self.description.is_some() || !self.annotations.is_empty()
    }
}

fn literal(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    json_string(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn members(annotations: &AnnotationOverrides) -> Vec<(&'static str, String)> {
    let AnnotationOverrides { title, read_only_hint, destructive_hint, idempotent_hint, open_world_hint } = annotations;
    let hints = [
        ("readOnlyHint", read_only_hint),
        ("destructiveHint", destructive_hint),
        ("idempotentHint", idempotent_hint),
        ("openWorldHint", open_world_hint),
    ];
    let title = title.as_deref().map(|title| ("title", literal(title)));
    title.into_iter().chain(hints.into_iter().filter_map(|(key, hint)| Some((key, hint.as_ref()?.to_string())))).collect()
}
