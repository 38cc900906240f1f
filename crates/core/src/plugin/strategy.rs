//! Outgoing strategies: what a backend is sent on behalf of a caller.

use super::{BoxFuture, Credentials, Deps, Principal, SubjectToken};
use crate::config::PassthroughEntry;
use http::HeaderName;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::Arc, time::SystemTime};

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

    /// Entries of the header policy that this strategy stands for, as if the backend had listed them itself.
    fn passthrough(&self) -> &[PassthroughEntry] {
        &[]
    }

    /// For whom the outcome of [`Self::resolve`] may be kept. It is kept until it expires, and never longer than the caller's own token; also
    /// over a reload where it says when it expires, unless the settings change, or a secret that was looked up to build the strategy, or who
    /// callers are.
    fn keep<'a>(&self, _context: &StrategyContext<'a>) -> Keep<'a> {
        Keep::Never
    }

    /// Gets the credentials for this caller, or for a request of the gateway's own. A strategy that has nothing for the latter gives nothing
    /// ([`Credentials::none`]); when it fails they fail like a caller's.
    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>>;
}

/// For whom credentials are good.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Keep<'a> {
    /// For one request.
    Never,
    /// For everybody whom the backend serves.
    Shared,
    /// For whoever brings this token.
    ForToken(&'a SubjectToken),
    /// For the caller, whatever credential it brings of those that allow the same ([`super::Authenticated::standing`]).
    ForPrincipal,
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
    /// The caller's groups.
    pub groups: &'a [Arc<str>],
    /// Who acts for the caller, the nearest first.
    pub delegation: &'a [Principal],
    /// The token that the caller was let in with, for exchanging it.
    pub subject_token: Option<&'a SubjectToken>,
    /// What tells apart this caller's credentials that allow different things ([`super::Authenticated::standing`]).
    pub standing: Option<&'a Arc<str>>,
    /// When the caller's credential expires.
    pub expires_at: Option<SystemTime>,
}

impl<'a> StrategyContext<'a> {
    /// A view for one request, without groups, actors and a token.
    #[must_use]
    pub fn new(backend: &'a str, principal: Option<&'a Principal>, claims: &'a Map<String, Value>) -> Self {
        Self { backend, principal, claims, groups: &[], delegation: &[], subject_token: None, standing: None, expires_at: None }
    }

    /// A [`OutgoingStrategy::subject_key`] for strategies that are given something for a caller's token: the same for all tokens of a caller that
    /// allow the same, and empty for the gateway itself.
    #[must_use]
    pub fn by_token(&self) -> Cow<'a, str> {
        Cow::Borrowed(self.standing.or_else(|| self.principal.map(|principal| &principal.subject)).map_or("", |text| text))
    }
}

/// Builds strategies of one kind.
pub trait StrategyFactory: Send + Sync + 'static {
    /// The word behind `type:` in the configuration, in snake case. The strategy's own settings stand beside it under the same
    /// word in camel case (`type: header_injection`, `headerInjection: {…}`).
    const KIND: &'static str;
    /// Whether what it gives is known when it is built. Then it cannot fail later, and takes no `onError`.
    const IS_FIXED: bool = false;
    /// The settings. A kind without any takes an empty struct with `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds a strategy.
    ///
    /// # Errors
    /// When the settings cannot work; the message says what to change.
    fn build(&self, config: Self::Config, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError>;
}

/// Why a plugin could not be built, or a strategy has no credentials. The text never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// The settings as a whole cannot work. Where one of them is to blame, [`Self::at`] says which.
    #[error("{0}")]
    Config(String),
    /// The same, each at its own place.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<Misplaced>),
    /// The caller lacks what the strategy needs.
    #[error("{0}")]
    Caller(String),
    /// Whoever issues the credentials failed.
    #[error("{0}")]
    Issuer(String),
}

impl StrategyError {
    /// What is wrong with one setting: `place` as in [`Misplaced::place`].
    #[must_use]
    pub fn at(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Settings(vec![Misplaced::new(place, message)])
    }
}

/// Something that is wrong with one of a plugin's settings. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The setting, below the plugin's own (`policies[1]`). Empty for all of them. One that is lacking has a
    /// place too: where it would stand.
    pub place: String,
    /// What is wrong there; what to do stands behind its last semicolon.
    pub message: String,
}

impl Misplaced {
    /// Something that is wrong with this setting.
    #[must_use]
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    /// The same, seen from outside of `parent`.
    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let place = if self.place.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.place) };
        Self { place, message: self.message }
    }
}

impl std::fmt::Display for Misplaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, message } = self;
        if place.is_empty() { f.write_str(message) } else { write!(f, "{place}: {message}") }
    }
}
