//! The strategy that gives the gateway's own token (RFC 6749 §4.4).

use crate::oauth::{ClientAuthMethod, ClientSettings, Place, TokenSettings, Tokens, refused};
use http::{HeaderName, header::AUTHORIZATION};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};
use url::Url;
use vmcp_core::{
    config::SecretSource,
    plugin::{BoxFuture, Credentials, Deps, Keep, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};

const KEY: &str = "clientCredentials";

/// The settings of `type: client_credentials`. One of `tokenUrl` and `issuer` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    title = "The gateway's own token",
    extend("oneOf" = [{"required": ["tokenUrl"]}, {"required": ["issuer"]}])
)]
pub struct ClientCredentialsConfig {
    /// The token endpoint.
    pub token_url: Option<Url>,
    /// The authorization server, exactly as its metadata call it; the token endpoint is found there (RFC 8414).
    /// One that they name on another host has to be at a public address; otherwise write `tokenUrl`.
    pub issuer: Option<String>,
    /// The client that vmcp is registered as.
    pub client_id: String,
    /// The client's secret, or `fromEnv` or `fromFile` to say where it stands.
    pub client_secret: Option<SecretSource>,
    /// The environment variable that holds the client's secret.
    pub client_secret_env: Option<String>,
    /// The file that holds the client's secret.
    #[schemars(extend("format" = "path"))]
    pub client_secret_file: Option<PathBuf>,
    /// How the client proves who it is. Default: `client_secret_basic`.
    pub client_auth_method: Option<ClientAuthMethod>,
    /// The client's private key for `private_key_jwt`: PKCS #8 as PEM; RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA).
    pub private_key: Option<SecretSource>,
    /// The key's name at the authorization server (`kid`).
    pub private_key_id: Option<String>,
    /// The scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// For whom the token is to be, where the authorization server wants `audience`.
    pub audience: Option<String>,
    /// For which server the token is to be (RFC 8707).
    pub resource: Option<String>,
    /// The authorities to trust instead of the platform's, as PEM.
    #[schemars(extend("format" = "path"))]
    pub ca_bundle_path: Option<PathBuf>,
    /// Allows `http` to another machine, over which the client's secret can be read on the way.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// Builds `type: client_credentials`: every request to the backend carries a token that the gateway got for itself, the same for all
/// callers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCredentialsFactory;

struct ClientCredentials(Tokens);

static MANAGED: [HeaderName; 1] = [AUTHORIZATION];

impl StrategyFactory for ClientCredentialsFactory {
    const KIND: &'static str = "client_credentials";
    type Config = ClientCredentialsConfig;

    fn build(&self, config: ClientCredentialsConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        let place = match (&config.token_url, &config.issuer) {
            (Some(url), None) => Place::known(KEY, url, config.allow_plaintext)?,
            (None, Some(issuer)) => Place::of_issuer(KEY, issuer, config.allow_plaintext)?,
            (Some(_), Some(_)) => return Err(refused(KEY, "issuer", "has both `tokenUrl` and `issuer`; remove one")),
            (None, None) => return Err(refused(KEY, "tokenUrl", "needs `tokenUrl` or `issuer`")),
        };
        let settings = TokenSettings {
            client: ClientSettings {
                key: KEY,
                id: Some(&config.client_id),
                secret: config.client_secret.as_ref(),
                secret_env: config.client_secret_env.as_deref(),
                secret_file: config.client_secret_file.as_ref(),
                method: config.client_auth_method,
                private_key: config.private_key.as_ref(),
                private_key_id: config.private_key_id.as_deref(),
            },
            ca_bundle_path: config.ca_bundle_path.as_deref(),
            scopes: &config.scopes,
            audience: config.audience.as_deref(),
            resource: config.resource.as_deref(),
        };
        let tokens = settings.build(place, deps)?;
        if !tokens.may_be_own() {
            return Err(refused(
                KEY,
                "clientSecret",
                "needs a `clientId` and its secret: `clientSecret`, `clientSecretEnv`, `clientSecretFile` or `privateKey`",
            ));
        }
        Ok(Arc::new(ClientCredentials(tokens)))
    }
}

impl OutgoingStrategy for ClientCredentials {
    fn managed_headers(&self) -> &[HeaderName] {
        &MANAGED
    }

    fn keep<'a>(&self, _: &StrategyContext<'a>) -> Keep<'a> {
        Keep::Shared
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        self.0.own()
    }
}

#[cfg(test)]
mod tests;
