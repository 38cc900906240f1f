//! How a backend is reached, and whose process a started one is.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a backend is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = other_spellings)]
pub enum Transport {
    /// Streamable HTTP (specification, basic/transports). `streamable` and `http` mean the same.
    #[default]
    #[serde(alias = "streamable", alias = "http")]
    StreamableHttp,
    /// HTTP with a stream of events, as revision 2024-11-05 has it.
    Sse,
    /// A process that vmcp starts and talks to over its standard input and output.
    Stdio,
}

impl Transport {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamableHttp => "streamable-http",
            Self::Sse => "sse",
            Self::Stdio => "stdio",
        }
    }
}

/// The words that `transport` accepts besides its own.
fn other_spellings(schema: &mut Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        for word in ["streamable", "http"] {
            choices.push(json!({ "const": word, "x-spelling-of": "streamable-http" }));
        }
    }
}

/// Who has a process of a backend for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessScope {
    /// Every session of a client: what one does there no other sees.
    Session,
    /// Every caller with the same identity and credentials, over all its sessions.
    Principal,
    /// Everybody uses one process.
    Shared,
}
