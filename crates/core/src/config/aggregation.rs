//! How the backends' catalogues become one.

use super::Span;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How names are made and which tools are shown.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aggregation {
    /// What happens to names.
    #[serde(default)]
    pub conflict_resolution: ConflictResolution,
    /// Details of `conflictResolution`.
    #[serde(default)]
    pub conflict_resolution_config: ConflictResolutionConfig,
    /// Filters and overrides by backend.
    #[serde(default)]
    pub tools: Vec<WorkloadTools>,
    /// Shows no backend tool at all.
    #[serde(default)]
    pub exclude_all_tools: bool,
    /// Whether tools of a backend without an entry in `tools` are shown.
    #[serde(default)]
    pub default_tool_visibility: ToolVisibility,
    /// What happens to tools that clients are known to choke on.
    #[serde(default)]
    pub lint: Lint,
    /// How long a list waits for a backend before answering without it. When left out, the first list of a server that vmcp starts is
    /// waited for up to `30s`.
    #[schemars(extend("default" = "2s"))]
    pub list_wait: Option<Span>,
    /// How old a list may be before it is fetched again in the background.
    #[schemars(extend("default" = "30s"))]
    pub list_ttl: Option<Span>,
}

/// What happens to the names of tools and prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConflictResolution {
    /// Every name gets its backend's prefix.
    #[default]
    Prefix,
    /// Names stay; the first backend in `priorityOrder` wins, backends outside the order get a prefix on conflict.
    Priority,
    /// Names stay; every conflict must be solved by an override.
    Manual,
}

/// Details of the conflict resolution.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictResolutionConfig {
    /// For `prefix`: what is put in front, `{workload}` standing for the backend's name.
    #[schemars(extend("default" = "{workload}_"))]
    pub prefix_format: Option<String>,
    /// For `priority`: backend names, the winner first.
    #[serde(default)]
    pub priority_order: Vec<String>,
}

/// Filters and overrides for one backend's tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadTools {
    /// The backend's name.
    pub workload: String,
    /// The only tools to show, by their original names. All when left out.
    pub filter: Option<Vec<String>>,
    /// Changes to single tools, by original name.
    #[serde(default)]
    pub overrides: BTreeMap<String, ToolOverride>,
    /// Shows none of this backend's tools.
    #[serde(default)]
    pub exclude_all: bool,
}

/// What is changed about one tool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolOverride {
    /// Another name, before conflict resolution.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Annotations to set.
    pub annotations: Option<AnnotationOverrides>,
}

/// Tool annotations to set; what is left out stays (2025-11-25, schema `ToolAnnotations`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnnotationOverrides {
    /// A title for people.
    pub title: Option<String>,
    /// The tool changes nothing.
    pub read_only_hint: Option<bool>,
    /// The tool may destroy something.
    pub destructive_hint: Option<bool>,
    /// A second call with the same arguments changes nothing more.
    pub idempotent_hint: Option<bool>,
    /// The tool reaches things outside.
    pub open_world_hint: Option<bool>,
}

/// The original writes an empty text for the default.
fn empty_means_allow(schema: &mut Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.push(json!({ "const": "", "x-spelling-of": "allow" }));
    }
}

/// Whether tools without an entry are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = empty_means_allow)]
pub enum ToolVisibility {
    /// They are.
    #[default]
    #[serde(alias = "")]
    Allow,
    /// They are not.
    Deny,
}

/// What happens to a tool that the catalogue's lint complains about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lint {
    /// It is shown, and reported in `/status` and the log.
    #[default]
    Warn,
    /// It is left out.
    Quarantine,
}
