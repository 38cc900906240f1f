//! Authorizers: what a caller may do.

use super::{Deps, Principal, StrategyError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Decides what callers may see and do. It decides at once, from what it is given: it waits for nobody.
pub trait Authorizer: Send + Sync + 'static {
    /// Whether decisions about calls read their arguments; only then are these parsed.
    fn reads_arguments(&self) -> bool {
        true
    }

    /// Decides one question. Asked once for each call with its arguments; a second time only where an interceptor changed these, or the
    /// tool's hints are others when the backend has the call repeated. And asked once for each item of a catalogue and each set of claims
    /// and groups that it is shown to, whatever sessions there are. Without [`Self::reads_arguments`] decisions on calls are kept likewise.
    fn decide(&self, question: &Question<'_>) -> Decision;
}

/// What is decided.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Question<'a> {
    /// Who wants to.
    pub principal: &'a Principal,
    /// The caller's claims.
    pub claims: &'a Map<String, Value>,
    /// The caller's groups.
    pub groups: &'a [Arc<str>],
    /// The name of the gateway's endpoint.
    pub server: &'a str,
    /// The backend that owns the item.
    pub backend: &'a str,
    /// What the caller wants to do.
    pub action: Action,
    /// With what: the name of a tool or prompt, or a URI, as clients know it.
    pub name: &'a str,
    /// A tool's hints about itself.
    pub annotations: Option<&'a Map<String, Value>>,
    /// The arguments of a call; none while listing.
    pub arguments: Option<&'a Map<String, Value>>,
    /// Whether something is done now; otherwise it is only looked for whether it can be shown.
    pub is_call: bool,
}

impl<'a> Question<'a> {
    /// Whether this caller may be shown an item.
    #[must_use]
    pub fn new(principal: &'a Principal, claims: &'a Map<String, Value>, action: Action, name: &'a str) -> Self {
        Self { principal, claims, groups: &[], server: "", backend: "", action, name, annotations: None, arguments: None, is_call: false }
    }
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Call a tool.
    CallTool,
    /// Get a prompt.
    GetPrompt,
    /// Read a resource, or follow it.
    ReadResource,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the caller may.
    pub is_allowed: bool,
    /// The rules that decided.
    pub reasons: Vec<String>,
    /// What went wrong in rules; never a value.
    pub errors: Vec<String>,
}

impl Decision {
    /// A decision without reasons.
    #[must_use]
    pub fn new(is_allowed: bool) -> Self {
        Self { is_allowed, ..Self::default() }
    }
}

/// Builds authorizers of one kind.
pub trait AuthorizerFactory: Send + Sync + 'static {
    /// The word behind `incomingAuth.authz.type`.
    const KIND: &'static str;
    /// The settings, which stand beside `type`.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds an authorizer.
    ///
    /// # Errors
    /// When the settings cannot work; the message says what to change.
    fn build(&self, config: Self::Config, deps: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError>;
}
