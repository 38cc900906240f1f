//! The strategy that exchanges the caller's token for one of the backend's (RFC 8693).

use crate::{
    oauth::{ClientAuthMethod, ClientSettings, Form, Place, TokenSettings, Tokens, refused},
    subject_issuers::SubjectIssuers,
};
use http::{HeaderName, header::AUTHORIZATION};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{borrow::Cow, path::PathBuf, sync::Arc};
use url::Url;
use vmcp_core::{
    config::SecretSource,
    plugin::{BoxFuture, CallerTokens, Credentials, Deps, Keep, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};

const KEY: &str = "tokenExchange";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The settings of `type: token_exchange`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "An exchanged token")]
pub struct TokenExchangeConfig {
    /// The token endpoint.
    pub token_url: Url,
    /// The client that vmcp is registered as, where the authorization server wants one.
    pub client_id: Option<String>,
    /// The client's secret, or `fromEnv` or `fromFile` to say where it stands. With one, requests of the gateway's own carry a token that
    /// it gets for itself (`client_credentials`).
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
    /// For whom the token is to be.
    pub audience: Option<String>,
    /// For which server the token is to be (RFC 8707).
    pub resource: Option<String>,
    /// The scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What the caller's token is.
    #[serde(default)]
    pub subject_token_type: SubjectTokenType,
    /// The issuers of those callers whose tokens are shown to the token endpoint; of others' calls it does not hear, and `onError` says what
    /// becomes of them. Needed where `incomingAuth.oidc` has several issuers; otherwise it is the one that there is.
    #[schemars(length(min = 1))]
    pub subject_issuers: Option<Vec<String>>,
    /// The authorities to trust instead of the platform's, as PEM.
    #[schemars(extend("format" = "path"))]
    pub ca_bundle_path: Option<PathBuf>,
    /// Allows `http` to another machine, over which tokens can be read on the way.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// What a caller's token is (RFC 8693 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "What a caller's token is")]
pub enum SubjectTokenType {
    /// An access token.
    #[default]
    AccessToken,
    /// An ID token.
    IdToken,
    /// A JWT that is neither in particular.
    Jwt,
}

impl SubjectTokenType {
    fn identifier(self) -> &'static str {
        match self {
            Self::AccessToken => ACCESS_TOKEN,
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }
}

/// Builds `type: token_exchange`: every request for a caller carries a token that its own was exchanged for. Requests of the gateway's own
/// carry one that the gateway got for itself, if it has a client's secret, else none.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenExchangeFactory;

struct TokenExchange {
    tokens: Tokens,
    kind: SubjectTokenType,
    issuers: SubjectIssuers,
}

static MANAGED: [HeaderName; 1] = [AUTHORIZATION];

impl StrategyFactory for TokenExchangeFactory {
    const KIND: &'static str = "token_exchange";
    type Config = TokenExchangeConfig;

    fn build(&self, config: TokenExchangeConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        if deps.caller_tokens == CallerTokens::Absent {
            let why = "exchanges callers' tokens, and with this `incomingAuth.type` callers have none, so every call would fail; let callers in \
                       with `incomingAuth.type: oidc`, or give the backend another strategy";
            return Err(refused(KEY, "", why));
        }
        let issuers = SubjectIssuers::new(KEY, config.subject_issuers, deps)?;
        let place = Place::known(KEY, &config.token_url, config.allow_plaintext)?;
        let settings = TokenSettings {
            client: ClientSettings {
                key: KEY,
                id: config.client_id.as_deref(),
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
        Ok(Arc::new(TokenExchange { tokens, kind: config.subject_token_type, issuers }))
    }
}

impl OutgoingStrategy for TokenExchange {
    fn managed_headers(&self) -> &[HeaderName] {
        &MANAGED
    }

    /// What a backend shows depends on the token, and so on the caller.
    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        Some(context.by_token())
    }

    fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
        match (context.principal, context.subject_token) {
            (Some(_), Some(token)) => Keep::ForToken(token),
            (None, _) if self.tokens.may_be_own() => Keep::Shared,
            // There is nothing to keep.
            _ => Keep::Never,
        }
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        let failed = |error| Box::pin(std::future::ready(Err(error)));
        match (context.principal, context.subject_token) {
            (None, _) if self.tokens.may_be_own() => self.tokens.own(),
            (None, _) => Box::pin(std::future::ready(Ok(Credentials::none()))),
            (Some(_), None) => {
                let why = "the caller has no token that could be exchanged; let callers in with `incomingAuth.type: oidc`";
                failed(StrategyError::Caller(why.to_owned()))
            }
            (Some(_), Some(token)) => {
                if let Err(error) = self.issuers.admit(context) {
                    return failed(error);
                }
                let mut grant = Form::of_grant(GRANT);
                grant.add("subject_token", token.expose());
                grant.add("subject_token_type", self.kind.identifier());
                grant.add("requested_token_type", ACCESS_TOKEN);
                self.tokens.get(grant)
            }
        }
    }
}

#[cfg(test)]
mod tests;
