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
    /// Where it is; decides whether credentials would travel in the clear.
    pub url: &'a Url,
    /// Its own `passthroughHeaders`.
    pub passthrough: &'a [PassthroughEntry],
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
    /// A backend that is sent the global headers and nothing of its own.
    #[must_use]
    pub fn new(name: &'a str, url: &'a Url) -> Self {
        Self {
            name,
            url,
            passthrough: &[],
            inherit: true,
            allow_credential: false,
            allow_plaintext: false,
            statics: Vec::new(),
            managed: &[],
        }
    }
}
