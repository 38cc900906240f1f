//! Tokens for one backend: of which client, and what for.

use super::{ClientSettings, Form, Place, TokenEndpoint, ca_bundle};
use std::path::Path;
use vmcp_core::plugin::{BoxFuture, Credentials, Deps, StrategyError};

/// What the settings say of them, by the names of their keys.
pub(crate) struct TokenSettings<'a> {
    pub(crate) client: ClientSettings<'a>,
    pub(crate) ca_bundle_path: Option<&'a Path>,
    pub(crate) scopes: &'a [String],
    pub(crate) audience: Option<&'a str>,
    pub(crate) resource: Option<&'a str>,
}

/// Where they come from, and what for.
pub(crate) struct Tokens {
    endpoint: TokenEndpoint,
    scopes: Option<String>,
    audience: Option<String>,
    resource: Option<String>,
}

impl TokenSettings<'_> {
    /// The tokens that they describe, from this place.
    ///
    /// # Errors
    /// When they contradict each other, or a secret or a file is missing.
    pub(crate) fn build(&self, place: Place, deps: &Deps) -> Result<Tokens, StrategyError> {
        let client = self.client.build(&deps.secrets)?;
        let authorities = ca_bundle(self.client.key, self.ca_bundle_path, deps)?;
        Ok(Tokens {
            endpoint: TokenEndpoint::new(deps, place, client, authorities),
            scopes: (!self.scopes.is_empty()).then(|| self.scopes.join(" ")),
            audience: self.audience.map(str::to_owned),
            resource: self.resource.map(str::to_owned),
        })
    }
}

impl Tokens {
    /// Whether the client could be given one of its own.
    pub(crate) fn may_be_own(&self) -> bool {
        self.endpoint.client().is_confidential()
    }

    /// Gets one of the client's own (RFC 6749 §4.4).
    pub(crate) fn own(&self) -> BoxFuture<'_, Result<Credentials, StrategyError>> {
        self.get(Form::of_grant("client_credentials"))
    }

    /// Gets one for what this grant says.
    pub(crate) fn get(&self, mut grant: Form) -> BoxFuture<'_, Result<Credentials, StrategyError>> {
        for (name, value) in [("scope", &self.scopes), ("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                grant.add(name, value);
            }
        }
        Box::pin(self.endpoint.ask(grant))
    }
}
