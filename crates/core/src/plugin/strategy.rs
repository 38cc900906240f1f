//! Outgoing strategies: what a backend is sent on behalf of a caller.

use super::{BoxFuture, Credentials, Deps, Principal};
use http::HeaderName;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::Arc};

/// Gives credentials for requests to one backend.
///
/// It returns them; the gateway applies them through the header policy, which refuses any name that is not in
/// [`Self::managed_headers`].
pub trait OutgoingStrategy: Send + Sync + 'static {
    /// The header names that this strategy writes. No passthrough entry and no static header of the backend may use one of them.
    fn managed_headers(&self) -> &[HeaderName];

    /// What tells one caller's credentials from another's, stable while the credential itself is renewed.
    ///
    /// `None` when every caller is sent the same: then lists and sessions may be shared where nothing else forbids it.
    /// Never a token.
    fn subject_key<'a>(&self, _context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        None
    }

    /// Credentials that need neither waiting nor the caller, so that a call does not pay for a future. `None` asks [`Self::resolve`].
    fn fixed(&self) -> Option<&Credentials> {
        None
    }

    /// Gets the credentials for this caller.
    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>>;
}

/// What a strategy may know of the request that it gives credentials for: a narrowed, borrowed view of the identity.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct StrategyContext<'a> {
    /// The backend's name in the configuration.
    pub backend: &'a str,
    /// Who calls; `None` for requests of the gateway's own (probes, background lists, closing sessions).
    pub principal: Option<&'a Principal>,
    /// The caller's claims.
    pub claims: &'a Map<String, Value>,
}

impl<'a> StrategyContext<'a> {
    /// A view for one request.
    #[must_use]
    pub fn new(backend: &'a str, principal: Option<&'a Principal>, claims: &'a Map<String, Value>) -> Self {
        Self { backend, principal, claims }
    }
}

/// Builds strategies of one kind.
pub trait StrategyFactory: Send + Sync + 'static {
    /// The word behind `type:` in the configuration, in snake case. The strategy's own settings stand beside it under the same
    /// word in camel case (`type: header_injection`, `headerInjection: {…}`).
    const KIND: &'static str;
    /// The settings. A kind without any takes an empty struct with `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds a strategy.
    ///
    /// # Errors
    /// When the settings cannot work; the message says what to change.
    fn build(&self, config: Self::Config, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError>;
}

/// Why a strategy has no credentials. The text never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// The settings cannot work.
    #[error("{0}")]
    Config(String),
    /// The caller lacks what the strategy needs.
    #[error("{0}")]
    Caller(String),
    /// Whoever issues the credentials failed.
    #[error("{0}")]
    Issuer(String),
}
