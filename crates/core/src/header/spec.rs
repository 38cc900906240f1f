//! What a header policy is compiled from.

use crate::config::PassthroughEntry;
use http::HeaderName;
use secrecy::SecretString;
use url::Url;

/// The header settings of a whole gateway.
#[derive(Clone, Debug, Default)]
pub struct PolicySpec<'a> {
    /// The global `passthroughHeaders`.
    pub global: &'a [PassthroughEntry],
    /// The global `allowCredentialHeaderPassthrough`.
    pub allow_credential: bool,
    /// What the incoming authenticator reads; none of it can be passed on.
    pub consumed: &'a [HeaderName],
    /// The backends, in configuration order.
    pub backends: Vec<BackendSpec<'a>>,
}

/// The header settings of one backend.
#[derive(Clone, Debug)]
pub struct BackendSpec<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Where it is.
    pub place: Place<'a>,
    /// Its own `passthroughHeaders`.
    pub passthrough: &'a [PassthroughEntry],
    /// The entries that its outgoing strategy stands for. They count as its own, at the place [`strategy_entries`].
    pub stood_for: &'a [PassthroughEntry],
    /// `inheritPassthroughHeaders`.
    pub inherit: bool,
    /// Its own `allowCredentialHeaderPassthrough`.
    pub allow_credential: bool,
    /// `allowPlaintext`.
    pub allow_plaintext: bool,
    /// Its static headers. A value of `None` is not at hand (validation without secrets): the name is checked, nothing is sent.
    pub statics: Vec<(&'a str, Option<SecretString>)>,
    /// What its outgoing strategy writes.
    pub managed: &'a [HeaderName],
}

impl<'a> BackendSpec<'a> {
    /// A backend at a URL that is sent the global headers and nothing of its own.
    #[must_use]
    pub fn new(name: &'a str, url: &'a Url) -> Self {
        Self::at(name, Place::Url(url))
    }

    /// A backend that is given what the global headers say and nothing of its own.
    #[must_use]
    pub fn at(name: &'a str, place: Place<'a>) -> Self {
        Self {
            name,
            place,
            passthrough: &[],
            stood_for: &[],
            inherit: true,
            allow_credential: false,
            allow_plaintext: false,
            statics: Vec::new(),
            managed: &[],
        }
    }
}

/// The place, in problems, of the entries that the strategy of the backend with this index stands for. Where they really stand is the
/// strategy's to know.
#[must_use]
pub fn strategy_entries(index: usize) -> String {
    format!("backends[{index}].strategy")
}

/// Where a backend is, and so how it can be given anything of a caller's.
#[derive(Clone, Debug)]
pub enum Place<'a> {
    /// At a URL, which is sent headers; it decides whether credentials would travel in the clear.
    Url(&'a Url),
    /// In a process, which has variables.
    Process(StartedSpec<'a>),
    /// The configuration does not say. Nothing is refused for it.
    Unknown,
}

/// What the policy has to know of a backend that is a process.
#[derive(Clone, Debug, Default)]
pub struct StartedSpec<'a> {
    /// Whether callers share a process, which then can have no caller's variables.
    pub is_shared: bool,
    /// The names under `env`.
    pub env: Vec<&'a str>,
    /// `envPassthrough`.
    pub env_passthrough: &'a [String],
}
