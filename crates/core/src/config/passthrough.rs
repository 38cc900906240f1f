//! The caller's headers that backends are sent.

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// The environment variable that a server started with `command` finds the value in. It is set when the caller's process is started,
    /// so the server's `process` is `session` or `principal`. An entry with `asEnv` and without `as` goes to such servers alone.
    pub as_env: Option<String>,
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
        Self { name, rename: None, as_env: None, format: None, required: false, credential: None, impersonation: false }
    }
}
