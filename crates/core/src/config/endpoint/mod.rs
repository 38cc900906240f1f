//! One more endpoint of the same gateway, on a path of its own.

mod check;
mod derive;
mod places;

#[cfg(test)]
mod tests;

pub(super) use check::check;
pub use derive::EndpointConfig;

use super::{Aggregation, Backend, OutgoingAuth, PassthroughEntry, SecretSource};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One more endpoint of the same gateway: its own backends, names, filters and header rules on a path of its own. It shares no session,
/// list, header policy or backend connection with any other endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "One more endpoint")]
pub struct Endpoint {
    /// Its path: not the top level's `path`, nor where one of the top level's backends has its endpoint (`/mcp/github`).
    pub path: String,
    /// The name that the gateway gives itself here. When left out, the top level's.
    pub name: Option<String>,
    /// Text for clients about this endpoint; the backends' own instructions follow it. The top level's is not used.
    pub instructions: Option<String>,
    /// The MCP servers behind this endpoint: names of the top level's, such with changes (`use`), or entries as at the top level.
    pub backends: Vec<EndpointBackend>,
    /// The caller's headers that every backend of this endpoint is sent. The top level's list is not used.
    #[serde(default)]
    pub passthrough_headers: Vec<PassthroughEntry>,
    /// Lets `authorization` and `cookie` of the caller be listed for this endpoint. The top level's setting is not used.
    #[serde(default)]
    pub allow_credential_header_passthrough: bool,
    /// What the backends are sent on behalf of a caller. When left out, each backend of the top level has the strategy that it has there,
    /// and an entry of this endpoint's own has none.
    pub outgoing_auth: Option<OutgoingAuth>,
    /// How the catalogues become one. When left out, the top level's rules hold for the backends that are used from there.
    pub aggregation: Option<Aggregation>,
}

/// One backend of an endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "A backend of an endpoint")]
pub enum EndpointBackend {
    /// A backend of the top level, as it is there.
    Name(String),
    /// A backend of the top level with changes.
    Used(UsedBackend),
    /// An entry of the endpoint's own.
    Own(Box<Backend>),
}

/// A backend of the top level, with these keys in place of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "A backend of the top level with changes")]
pub struct UsedBackend {
    /// The name of the top level's backend.
    #[serde(rename = "use")]
    pub from: String,
    /// Its name at this endpoint. When left out, the same: one endpoint can use a backend twice under two names.
    pub name: Option<String>,
    /// Headers that every request to it carries from this endpoint, instead of all those of its entry.
    pub headers: Option<BTreeMap<String, SecretSource>>,
    /// The caller's headers that it is sent from this endpoint, instead of all those of its entry.
    pub passthrough_headers: Option<Vec<PassthroughEntry>>,
    /// Whether this endpoint's `passthroughHeaders` apply to it too. When left out, as its entry says.
    pub inherit_passthrough_headers: Option<bool>,
    /// Lets `authorization` and `cookie` of the caller be listed for it at this endpoint. When left out, as its entry says.
    pub allow_credential_header_passthrough: Option<bool>,
}

impl EndpointBackend {
    /// The name of the top level's backend that is used.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Used(used) => Some(&used.from),
            Self::Own(_) => None,
        }
    }
}
