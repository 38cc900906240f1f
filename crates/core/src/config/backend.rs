//! One backend and what it is sent.

use super::Span;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// One MCP server behind the gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backend {
    /// The name: unique, `[a-z0-9][a-z0-9_-]*`. It stands in front of the backend's tool names under `prefix`.
    pub name: String,
    /// Where the server is, for example `https://mcp.example.com/mcp`.
    pub url: url::Url,
    /// How to talk to it.
    #[serde(default)]
    pub transport: Transport,
    /// Headers that every request to this backend carries, by name. Values may be secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretSource>,
    /// The caller's headers that this backend is sent. An entry replaces the global one with the same inbound name.
    #[serde(default)]
    pub passthrough_headers: Vec<PassthroughEntry>,
    /// Whether the global `passthroughHeaders` apply to this backend too.
    #[serde(default = "yes")]
    pub inherit_passthrough_headers: bool,
    /// Lets `authorization` and `cookie` of the caller be listed for this backend. MCP forbids passing on a token that was issued for vmcp.
    #[serde(default)]
    pub allow_credential_header_passthrough: bool,
    /// How long the backend may be silent before a request fails; every event starts it anew. Default: `operational.timeouts`.
    pub timeout: Option<Span>,
    /// How long one call may take in all, however lively.
    pub max_duration: Option<Span>,
    /// How long connecting may take.
    pub connect_timeout: Option<Span>,
    /// How many requests may be in flight at this backend; further ones wait in a bounded queue.
    pub max_concurrent: Option<u32>,
    /// Which era to speak. `auto` finds out.
    #[serde(default)]
    pub protocol_era: ProtocolEra,
    /// A PEM file with the certificate authorities to trust for this backend instead of the system's.
    pub ca_bundle_path: Option<PathBuf>,
    /// Speak HTTP/2 to it.
    #[serde(default)]
    pub http2: bool,
    /// Lets credentials go to a non-loopback `http://` URL.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Who lists the catalogue of a legacy backend.
    #[serde(default)]
    pub list_scope: ListScope,
    /// Free text for `/status`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// How a backend is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Streamable HTTP (specification, basic/transports). `streamable` and `http` mean the same.
    #[default]
    #[serde(alias = "streamable", alias = "http")]
    StreamableHttp,
}

/// Which era a backend is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProtocolEra {
    /// The caller's where the backend speaks it, else the other.
    #[default]
    Auto,
    /// Sessions and `initialize` only.
    Legacy,
    /// 2026-07-28 and later only.
    Modern,
}

/// Who lists the catalogue of a legacy backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListScope {
    /// A session of the gateway's own, unless the caller's credentials go to the backend.
    #[default]
    Shared,
    /// Every client session for itself: for servers whose catalogue depends on the session.
    Session,
}

/// One element of `passthroughHeaders`: a header name, or an object that says more.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PassthroughEntry {
    /// The header goes out under its own name.
    Name(String),
    /// The full form.
    Full(PassthroughHeader),
}

impl PassthroughEntry {
    /// The entry in its full form.
    #[must_use]
    pub fn to_full(&self) -> PassthroughHeader {
        match self {
            Self::Name(name) => PassthroughHeader::named(name.clone()),
            Self::Full(full) => full.clone(),
        }
    }
}

/// A passthrough header in full.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PassthroughHeader {
    /// The caller's header.
    pub name: String,
    /// Its name towards the backend; the same when left out.
    #[serde(rename = "as")]
    pub rename: Option<String>,
    /// The outgoing value, with `{}` once for the caller's (`Bearer {}`). Braces are doubled to stand for themselves.
    pub format: Option<String>,
    /// Without a non-empty value the backend is skipped in lists and its calls fail, naming the header.
    #[serde(default)]
    pub required: bool,
    /// Whether the value tells one caller's sessions and lists from another's. Default: true, except for correlation ids.
    pub credential: Option<bool>,
    /// Allows a name that proxies set and servers trust (`x-remote-user`, `x-auth-request-*` …).
    #[serde(default)]
    pub impersonation: bool,
}

impl PassthroughHeader {
    /// The short form: the header under its own name.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name, rename: None, format: None, required: false, credential: None, impersonation: false }
    }
}

/// A value that may be a secret: text, or where to read it. `${ENV}` in the text is replaced when the file is read.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecretSource {
    /// The value itself.
    Text(#[schemars(with = "String")] SecretString),
    /// From an environment variable.
    #[serde(rename_all = "camelCase")]
    Env {
        /// The variable's name.
        from_env: String,
    },
    /// From a file, without the line end at its end.
    #[serde(rename_all = "camelCase")]
    File {
        /// The file's path.
        from_file: PathBuf,
    },
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Env { from_env } => f.debug_struct("Env").field("from_env", from_env).finish(),
            Self::File { from_file } => f.debug_struct("File").field("from_file", from_file).finish(),
        }
    }
}
