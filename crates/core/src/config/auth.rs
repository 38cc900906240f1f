//! Who may call, and what each backend is given for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};

/// How callers are told apart. The settings of a kind stand beside `type` under the kind's name in camel case.
#[derive(Clone, Deserialize)]
pub struct IncomingAuth {
    /// The kind: `anonymous`, or one that an embedder registered.
    #[serde(rename = "type")]
    pub kind: String,
    /// What callers may do. When left out, everything.
    pub authz: Option<AuthzConfig>,
    /// The kind's settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

impl Default for IncomingAuth {
    fn default() -> Self {
        Self { kind: "anonymous".to_owned(), authz: None, settings: Map::new() }
    }
}

/// What callers may do. The settings of a kind stand beside `type`.
#[derive(Clone, Deserialize)]
pub struct AuthzConfig {
    /// The kind: `none`, or one that is registered.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind's settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// One interceptor. The settings of a kind stand beside `type` under the kind's name in camel case.
#[derive(Clone, Deserialize)]
pub struct InterceptorConfig {
    /// The kind: one that an embedder registered.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind's settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// What backends are sent on behalf of a caller.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutgoingAuth {
    /// Where the strategies stand. Only `inline` works without a cluster.
    #[serde(default)]
    pub source: OutgoingSource,
    /// The strategy of every backend that has none of its own.
    pub default: Option<StrategyConfig>,
    /// Strategies by backend name.
    #[serde(default)]
    pub backends: BTreeMap<String, StrategyConfig>,
}

/// Where outgoing strategies come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutgoingSource {
    /// This file.
    #[default]
    Inline,
}

/// One outgoing strategy. The settings of a kind stand beside `type` under the kind's name in camel case.
#[derive(Clone, Deserialize)]
pub struct StrategyConfig {
    /// The kind: `unauthenticated`, `header_injection`, or one that an embedder registered.
    #[serde(rename = "type")]
    pub kind: String,
    /// What becomes of a request for which the strategy has no credentials.
    #[serde(default, rename = "onError")]
    pub on_error: OnError,
    /// The kind's settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// What becomes of a request for which a strategy has no credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It fails, and says why.
    #[default]
    Deny,
    /// It goes to the backend without them.
    Skip,
}

impl StrategyConfig {
    /// The strategy of this kind without settings.
    #[must_use]
    pub fn of_kind(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), on_error: OnError::default(), settings: Map::new() }
    }
}

/// What the objects with a `type` have in common: their settings may hold a secret, which `Debug` does not show, and their schema says without
/// a registry only that there is a `type`; the registered kinds replace it ([`super::json_schema`]).
macro_rules! of_a_kind {
    ($($config:ident as $schema:literal),+ $(,)?) => { $(
        impl std::fmt::Debug for $config {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($config)).field("kind", &self.kind).finish_non_exhaustive()
            }
        }

        impl JsonSchema for $config {
            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "object",
                    "required": ["type"],
                    "properties": { "type": { "type": "string" } },
                })
            }
        }
    )+ };
}

of_a_kind! {
    IncomingAuth as "IncomingAuthenticator",
    AuthzConfig as "Authorizer",
    InterceptorConfig as "Interceptor",
    StrategyConfig as "OutgoingStrategy",
}
