//! The settings of `type: apiKey`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;
use vmcp_core::config::SecretSource;

/// Keys that callers bring, and who each of them is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "API keys")]
pub struct ApiKeyConfig {
    /// The header that holds the key. With `authorization` it stands behind `Bearer`.
    #[serde(default = "header")]
    pub header: String,
    /// The keys.
    #[serde(default)]
    pub keys: Vec<ApiKeyEntry>,
    /// A JSON file with more of them: a list of the same entries.
    #[schemars(extend("format" = "path"))]
    pub keys_file: Option<PathBuf>,
}

/// One key. Exactly one of `hash` and `key` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "An API key", extend("oneOf" = [{"required": ["hash"]}, {"required": ["key"]}]))]
pub struct ApiKeyEntry {
    /// Who brings it. Several keys may be of one subject, so that one can be replaced without a gap.
    #[schemars(length(min = 1))]
    pub subject: String,
    /// `sha256:` and the SHA-256 of the key in hexadecimal, as `vmcp auth new-key` prints it.
    #[schemars(regex(pattern = "^sha256:[0-9a-fA-F]{64}$"))]
    pub hash: Option<String>,
    /// The key itself: `fromEnv` or `fromFile` to say where it stands. At least 24 characters.
    pub key: Option<SecretSource>,
    /// What is known of the subject, as a token would say it.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The groups that it is in.
    #[serde(default)]
    pub groups: Vec<String>,
}

fn header() -> String {
    "x-api-key".to_owned()
}
