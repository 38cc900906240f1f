//! The settings of `authz: { type: cedar }`.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The settings of `type: cedar`, beside `type`. At least one policy has to be there: without one nobody may do anything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Cedar policies")]
pub struct CedarConfig {
    /// Policies, each entry one or more of them in Cedar's syntax. `@id("…")` in front of one is its name in decisions.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Files of policies (`.cedar`), each up to 1 MiB; read when the configuration is loaded.
    #[serde(default)]
    #[schemars(extend("items" = {"type": "string", "format": "path"}))]
    pub policy_files: Vec<PathBuf>,
    /// Further entities as a JSON array in Cedar's format: what groups are in, what tools belong together, attributes of either.
    pub entities_json: Option<String>,
    /// The claim whose values are groups of the caller, `a.b` for a claim within a claim. Looked at before `groups`, `roles` and
    /// `cognito:groups`, the first of which is taken where it is not there.
    pub group_claim_name: Option<String>,
    /// A claim whose values are groups of the caller too.
    pub role_claim_name: Option<String>,
    /// The entity type of groups, without `::`. `THVGroup` where nothing is said.
    pub group_entity_type: Option<String>,
}
