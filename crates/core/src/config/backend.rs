//! One backend and what it is sent.

use super::{SecretSource, Span};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// One MCP server behind the gateway.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "One MCP server behind the gateway")]
pub struct Backend {
    /// The name: unique, `[a-z0-9][a-z0-9_-]*`. It stands in front of the backend's tool names under `prefix`.
    pub name: String,
    /// Where the server is, for example `https://mcp.example.com/mcp`.
    pub url: url::Url,
    /// What kind of server it is. Accepted for configurations of ToolHive's vMCP, where it may be empty too.
    #[serde(default, rename = "type")]
    pub kind: BackendKind,
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
    /// How long the backend may be silent before a request fails; every event starts it anew. When left out: `operational.timeouts`.
    pub timeout: Option<Span>,
    /// How long one call may take in all, however lively.
    #[schemars(extend("default" = "1h"))]
    pub max_duration: Option<Span>,
    /// How long connecting may take.
    #[schemars(extend("default" = "5s"))]
    pub connect_timeout: Option<Span>,
    /// How many requests may be in flight at this backend; further ones wait in a bounded queue.
    #[schemars(extend("default" = 256))]
    pub max_concurrent: Option<u32>,
    /// Which era to speak. `auto` finds out.
    #[serde(default)]
    pub protocol_era: ProtocolEra,
    /// A PEM file with the certificate authorities to trust for this backend instead of the system's. A relative path
    /// starts at the configuration file's folder.
    #[schemars(extend("format" = "path"))]
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

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL can hold a key in its query.
        let mut url = self.url.clone();
        url.set_query(None);
        f.debug_struct("Backend").field("name", &self.name).field("url", &url.as_str()).finish_non_exhaustive()
    }
}

impl Backend {
    /// A streamable HTTP backend with the defaults of a configuration file that says no more.
    #[must_use]
    pub fn new(name: impl Into<String>, url: url::Url) -> Self {
        Self {
            name: name.into(),
            url,
            kind: BackendKind::default(),
            transport: Transport::default(),
            headers: BTreeMap::new(),
            passthrough_headers: Vec::new(),
            inherit_passthrough_headers: true,
            allow_credential_header_passthrough: false,
            timeout: None,
            max_duration: None,
            connect_timeout: None,
            max_concurrent: None,
            protocol_era: ProtocolEra::default(),
            ca_bundle_path: None,
            http2: false,
            allow_plaintext: false,
            list_scope: ListScope::default(),
            metadata: BTreeMap::new(),
        }
    }
}

fn yes() -> bool {
    true
}

/// What kind of server a backend is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = empty_means_entry)]
pub enum BackendKind {
    /// A server at a URL. There is no other kind.
    #[default]
    #[serde(alias = "")]
    Entry,
}

/// The original writes an empty text for the default.
fn empty_means_entry(schema: &mut Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.push(json!({ "const": "", "x-spelling-of": "entry" }));
    }
}

/// How a backend is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = other_spellings)]
pub enum Transport {
    /// Streamable HTTP (specification, basic/transports). `streamable` and `http` mean the same.
    #[default]
    #[serde(alias = "streamable", alias = "http")]
    StreamableHttp,
}

/// The words that `transport` accepts besides its own.
fn other_spellings(schema: &mut Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        for word in ["streamable", "http"] {
            choices.push(json!({ "const": word, "x-spelling-of": "streamable-http" }));
        }
    }
}

/// Which era a backend is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[schemars(title = "A header of the caller to pass on")]
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
