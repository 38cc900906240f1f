//! One backend and what it is sent.

use super::{PassthroughEntry, ProcessScope, SecretSource, Span, Transport};
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
    /// Where the server is, for example `https://mcp.example.com/mcp`. A server that vmcp starts has a `command` instead.
    pub url: Option<url::Url>,
    /// What kind of server it is. Accepted for configurations of ToolHive's vMCP, where it may be empty too.
    #[serde(default, rename = "type")]
    pub kind: BackendKind,
    /// How to talk to it. When left out: `stdio` where there is a `command`; at a `url` `streamable-http`, and `sse` if the server
    /// turns out to know nothing else.
    #[schemars(extend("default" = "streamable-http"))]
    pub transport: Option<Transport>,
    /// The program that is the server, as the system finds it: a name on the `PATH`, or a path. A relative path with a separator
    /// starts at the configuration file's folder. No shell reads it.
    #[schemars(extend("format" = "command"))]
    pub command: Option<String>,
    /// What the program is given on its command line.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables that the program is given, by name. Values may be secrets. Of vmcp's own environment it sees a few
    /// variables that programs cannot do without, and those that `envPassthrough` names.
    #[serde(default)]
    pub env: BTreeMap<String, SecretSource>,
    /// Names of variables of vmcp's own environment that the program is given too.
    #[serde(default)]
    pub env_passthrough: Vec<String>,
    /// The folder that the program starts in; vmcp's own when left out. A relative path starts at the configuration file's folder.
    #[schemars(extend("format" = "path"))]
    pub cwd: Option<PathBuf>,
    /// Whose process it is. When left out: `session` for a server of a legacy era and where a header goes into its environment,
    /// `shared` for a modern one.
    pub process: Option<ProcessScope>,
    /// How many processes of this server may run at a time.
    #[schemars(extend("default" = 64))]
    pub max_processes: Option<u32>,
    /// How many of them one caller may have.
    #[schemars(extend("default" = 16))]
    pub max_processes_per_principal: Option<u32>,
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
        if let Some(url) = &mut url {
            url.set_query(None);
        }
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("url", &url.as_ref().map(url::Url::as_str))
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

impl Backend {
    /// A streamable HTTP backend with the defaults of a configuration file that says no more.
    #[must_use]
    pub fn new(name: impl Into<String>, url: url::Url) -> Self {
        Self { url: Some(url), ..Self::named(name.into()) }
    }

    /// A backend that is a process, started as `command` with `args`, with the defaults of a configuration file that says no more.
    #[must_use]
    pub fn started(name: impl Into<String>, command: impl Into<String>, args: Vec<String>) -> Self {
        Self { command: Some(command.into()), args, ..Self::named(name.into()) }
    }

    /// How it is reached, said or not.
    #[must_use]
    pub fn reached_by(&self) -> Transport {
        match self.transport {
            Some(transport) => transport,
            None if self.command.is_some() && self.url.is_none() => Transport::Stdio,
            None => Transport::StreamableHttp,
        }
    }

    fn named(name: String) -> Self {
        Self {
            name,
            url: None,
            kind: BackendKind::default(),
            transport: None,
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            env_passthrough: Vec::new(),
            cwd: None,
            process: None,
            max_processes: None,
            max_processes_per_principal: None,
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
    /// A server at a URL or behind a command. There is no other kind.
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
