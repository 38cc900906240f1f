//! The whole configuration.

use super::{
    Aggregation, Backend, ByteSize, Endpoint, IncomingAuth, InterceptorConfig, Listen, OutgoingAuth, PassthroughEntry, SecretSource, Span,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};
use url::Url;

/// The configuration of a gateway. Only `backends` is required.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Configuration of vmcp")]
pub struct Config {
    /// The name that the gateway gives itself towards clients and in `/status`.
    #[serde(default = "default_name")]
    pub name: String,
    /// Accepted for configurations of ToolHive's vMCP; shown in `/status`.
    pub group_ref: Option<String>,
    /// Free form; shown in `/status`.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// Address and port to listen on, or a map with more: a Unix socket, TLS, the proxies in front. Default: `127.0.0.1:4483`.
    #[serde(default)]
    pub listen: Listen,
    /// Scheme and host under which clients reach the gateway, for example `https://mcp.example.com`: what it calls itself towards them, such
    /// as in authorization metadata. Default: the request's `Host`, with `https` where `listen` has `tls` or `behindTlsProxy`.
    pub public_url: Option<Url>,
    /// The path of the endpoint of all backends. Each of them alone is below it (`/mcp/github`), its names without a prefix.
    #[serde(default = "default_path")]
    pub path: String,
    /// The path where clients of revision 2024-11-05 open an event stream (HTTP with server-sent events) and send their messages, for
    /// example `/sse`: the endpoint of all backends for clients that know nothing newer. When left out, there is none.
    pub sse_path: Option<String>,
    /// Text for clients about the whole; the backends' own instructions follow it.
    pub instructions: Option<String>,
    /// The MCP servers behind this gateway. May be empty where there are `endpoints`; then nothing is at `path`.
    pub backends: Vec<Backend>,
    /// The caller's headers that **every** backend is sent.
    #[serde(default)]
    pub passthrough_headers: Vec<PassthroughEntry>,
    /// Lets `authorization` and `cookie` of the caller be listed in `passthroughHeaders`. MCP forbids passing on a token that was issued for vmcp.
    #[serde(default)]
    pub allow_credential_header_passthrough: bool,
    /// How callers are told apart. Default: `type: anonymous`.
    #[serde(default)]
    pub incoming_auth: IncomingAuth,
    /// What backends are sent on behalf of a caller. Default: nothing.
    #[serde(default)]
    pub outgoing_auth: OutgoingAuth,
    /// What looks at calls and results on their way, in this order; at results in the other. For embedders, who register kinds of their own.
    #[serde(default)]
    pub interceptors: Vec<InterceptorConfig>,
    /// How the catalogues become one.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// More endpoints, each with backends, names and header rules of its own, on paths of their own.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Timeouts and the log level.
    #[serde(default)]
    pub operational: Operational,
    /// Client sessions of the legacy era.
    #[serde(default)]
    pub sessions: Sessions,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// `Host` names that are answered. Default on a loopback address or a Unix socket: `localhost`, `127.0.0.1`, `[::1]` and `publicUrl`'s
    /// host; elsewhere that host alone, or every host where there is no `publicUrl`, with a warning.
    pub allowed_hosts: Option<Vec<String>>,
    /// `Origin` values that are answered, for example `https://app.example.com`. Default: loopback origins only.
    pub allowed_origins: Option<Vec<String>>,
    /// A folder in which the last good lists are kept over a restart (never a caller's). A relative path starts at the
    /// configuration file's folder.
    #[schemars(extend("format" = "path"))]
    pub state_dir: Option<PathBuf>,
}

fn default_name() -> String {
    "vmcp".to_owned()
}

fn default_path() -> String {
    "/mcp".to_owned()
}

impl Config {
    /// Whether only this machine reaches the gateway, as far as is known.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.listen.is_local() && self.public_url.is_none()
    }

    /// A configuration with defaults around these backends.
    #[must_use]
    pub fn with_backends(backends: Vec<Backend>) -> Self {
        Self {
            name: default_name(),
            group_ref: None,
            metadata: BTreeMap::new(),
            listen: Listen::default(),
            public_url: None,
            path: default_path(),
            sse_path: None,
            instructions: None,
            backends,
            endpoints: Vec::new(),
            passthrough_headers: Vec::new(),
            allow_credential_header_passthrough: false,
            incoming_auth: IncomingAuth::default(),
            outgoing_auth: OutgoingAuth::default(),
            interceptors: Vec::new(),
            aggregation: Aggregation::default(),
            operational: Operational::default(),
            sessions: Sessions::default(),
            limits: Limits::default(),
            allowed_hosts: None,
            allowed_origins: None,
            state_dir: None,
        }
    }
}

/// Timeouts and the log level.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operational {
    /// How long backends may be silent.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How much is logged; the command line's `--log-level` wins.
    #[schemars(extend("default" = "info"))]
    pub log_level: Option<LogLevel>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What went wrong for good.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what happens to the gateway as a whole: start, reload, a backend coming or going.
    #[default]
    Info,
    /// And every request.
    Debug,
    /// And every step of it.
    Trace,
}

impl LogLevel {
    /// The level as configuration and `--log-level` spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How long backends may be silent before a request fails.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// For every backend without a value of its own.
    #[schemars(extend("default" = "120s"))]
    pub default: Option<Span>,
    /// By backend name.
    #[serde(default)]
    pub per_workload: BTreeMap<String, Span>,
}

/// Client sessions of the legacy era.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sessions {
    /// How many there may be; over it the least recently used idle one goes.
    pub max: u32,
    /// How many one peer address may have without authentication, loopback excepted.
    pub max_per_peer: u32,
    /// How long a session lives without a request in flight or an open stream.
    pub idle_timeout: Span,
    /// How long a session that was never used after `initialize` lives.
    pub unused_timeout: Span,
    /// How old an id may be that another process issued and this one takes over.
    pub max_age: Span,
    /// Keys that seal session ids, 32 bytes in base64, the current one first, older ones still accepted. Random when left out: then ids end with the process.
    pub keys: Vec<SecretSource>,
    /// Lets anonymous modern callers without a credential share a legacy backend's sessions, one call at a time, on a non-loopback listener too.
    pub share_anonymous: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            max: 100_000,
            max_per_peer: 1000,
            idle_timeout: Span::seconds(30 * 60),
            unused_timeout: Span::seconds(60),
            max_age: Span::seconds(24 * 3600),
            keys: Vec::new(),
            share_anonymous: false,
        }
    }
}

/// Bounds of memory and time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The longest request body.
    pub max_request_bytes: ByteSize,
    /// What all request bodies together may take while they are read and served.
    pub request_budget: ByteSize,
    /// The longest reply of a backend, and the longest event of one.
    pub max_response_bytes: ByteSize,
    /// What all buffered replies together may take.
    pub response_budget: ByteSize,
    /// How many requests may be in flight in all.
    pub max_requests_in_flight: u32,
    /// How many calls one client session may have in flight, those included whose connections are gone. Where callers are told apart, also
    /// how many one caller without a session may have.
    pub max_requests_per_session: u32,
    /// How many calls may wait for input that a server of an older revision asked for and that its caller, of 2026-07-28, brings with
    /// another request. Where callers are told apart, one of them has at most `maxRequestsPerSession` of these.
    pub max_parked_calls: u32,
    /// How long such a call waits. Then it is cancelled at the server.
    pub parked_call_timeout: Span,
    /// How many connections may be open in all.
    pub max_connections: u32,
    /// How long a client may take over the TLS handshake, over sending a request's head, and over each 16 KiB of its body.
    pub read_timeout: Span,
    /// How long a connection may be open between two requests.
    pub keep_alive_timeout: Span,
    /// How long a client may leave a response unread.
    pub write_timeout: Span,
    /// How long a stop may take in all. Requests in flight may go on for the first four fifths of it, the rest is for closing sessions at
    /// backends. The port is closed at once: that is what a probe sees of a stop.
    pub shutdown_timeout: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: ByteSize::mib(8),
            request_budget: ByteSize::mib(512),
            max_response_bytes: ByteSize::mib(16),
            response_budget: ByteSize::mib(512),
            max_requests_in_flight: 10_000,
            max_requests_per_session: 64,
            max_parked_calls: 1000,
            parked_call_timeout: Span::seconds(10 * 60),
            max_connections: 20_000,
            read_timeout: Span::seconds(30),
            keep_alive_timeout: Span::seconds(75),
            write_timeout: Span::seconds(30),
            shutdown_timeout: Span::seconds(10),
        }
    }
}
