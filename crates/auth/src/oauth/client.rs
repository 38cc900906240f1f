//! The client that vmcp is towards an authorization server, and how it proves that (RFC 6749 §2.3, RFC 7523 §2.2).

use super::{Form, assertion::Signer, refused};
use crate::secret_value::basic;
use http::{HeaderMap, header::AUTHORIZATION};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;
use vmcp_core::{
    config::SecretSource,
    plugin::{Secrets, StrategyError},
};

/// How a client proves who it is (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "How a client proves who it is")]
pub enum ClientAuthMethod {
    /// Identifier and secret in `Authorization: Basic`.
    ClientSecretBasic,
    /// Identifier and secret in the form.
    ClientSecretPost,
    /// A JWT that is signed with the client's private key.
    PrivateKeyJwt,
}

/// What the settings say of a client.
pub(crate) struct ClientSettings<'a> {
    /// The key that the strategy's settings stand under, for messages.
    pub(crate) key: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) secret: Option<&'a SecretSource>,
    pub(crate) secret_env: Option<&'a str>,
    pub(crate) secret_file: Option<&'a PathBuf>,
    pub(crate) method: Option<ClientAuthMethod>,
    pub(crate) private_key: Option<&'a SecretSource>,
    pub(crate) private_key_id: Option<&'a str>,
}

/// A client, ready to ask.
pub(crate) enum Client {
    /// Nobody says who asks.
    Nobody,
    /// One that has no secret.
    Public { id: String },
    /// One that has one.
    Secret { id: String, secret: SecretString, in_form: bool },
    /// One that signs.
    Key { id: String, signer: Signer },
    /// Its secret is not at hand, since settings are only checked.
    Unknown,
}

impl ClientSettings<'_> {
    /// The client that the settings describe.
    ///
    /// # Errors
    /// When they contradict each other, or a secret is missing.
    pub(crate) fn build(&self, secrets: &Secrets) -> Result<Client, StrategyError> {
        let refused = |place: &str, what: &str| refused(self.key, place, what);
        let mut sources = self.sources();
        let source = sources.next();
        if let Some((place, _)) = sources.next() {
            return Err(refused(&place, "has several of `clientSecret`, `clientSecretEnv` and `clientSecretFile`; keep one"));
        }
        let signs = self.method == Some(ClientAuthMethod::PrivateKeyJwt);
        let Some(id) = self.id.filter(|id| !id.is_empty()).map(str::to_owned) else {
            if source.is_some() || self.private_key.is_some() || self.method.is_some() {
                return Err(refused("clientId", "has a client's secret and no `clientId`; add it"));
            }
            return Ok(Client::Nobody);
        };
        if signs != self.private_key.is_some() {
            return Err(if signs {
                let why =
                    "has `clientAuthMethod: private_key_jwt` and no `privateKey`; give a PEM file with `privateKey: { fromFile: PATH }`";
                refused("clientAuthMethod", why)
            } else {
                refused("privateKey", "has a `privateKey`, which nothing uses; add `clientAuthMethod: private_key_jwt`, or remove it")
            });
        }
        if let Some(key) = self.private_key {
            if let Some((place, _)) = source {
                return Err(refused(&place, "has a secret and `clientAuthMethod: private_key_jwt`; remove one"));
            }
            let place = key.place("privateKey");
            let Some(pem) = self.look_up(&place, key, secrets)? else { return Ok(Client::Unknown) };
            let signer =
                Signer::new(&pem, self.private_key_id).map_err(|why| refused(&place, &format!("has a `privateKey` that {why}")))?;
            return Ok(Client::Key { id, signer });
        }
        if self.private_key_id.is_some() {
            return Err(refused("privateKeyId", "has a `privateKeyId`, which goes with `privateKey`; remove it"));
        }
        let Some((place, source)) = source else {
            if self.method.is_some() {
                let why = "has a `clientAuthMethod` and no `clientSecret`; give one, or `clientSecretEnv`";
                return Err(refused("clientAuthMethod", why));
            }
            return Ok(Client::Public { id });
        };
        let Some(secret) = self.look_up(&place, &source, secrets)? else { return Ok(Client::Unknown) };
        if secret.expose_secret().is_empty() {
            return Err(refused(&place, "has an empty client secret; set it"));
        }
        Ok(Client::Secret { id, secret, in_form: self.method == Some(ClientAuthMethod::ClientSecretPost) })
    }

    /// Where the secret is, with the place that says so.
    fn sources(&self) -> impl Iterator<Item = (String, SecretSource)> {
        let own = self.secret.map(|source| (source.place("clientSecret"), source.clone()));
        let env = self.secret_env.map(|name| ("clientSecretEnv".to_owned(), SecretSource::Env { from_env: name.to_owned() }));
        let file = self.secret_file.map(|path| ("clientSecretFile".to_owned(), SecretSource::File { from_file: path.clone() }));
        [own, env, file].into_iter().flatten()
    }

    fn look_up(&self, place: &str, source: &SecretSource, secrets: &Secrets) -> Result<Option<SecretString>, StrategyError> {
        secrets.get(source).map_err(|error| refused(self.key, place, format!("lacks a secret: {error}; {}", error.advice())))
    }
}

impl Client {
    /// Whether it could be given a token of its own.
    pub(crate) fn is_confidential(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Key { .. } | Self::Unknown)
    }

    /// Writes into a request to the token endpoint who asks. `audience` is who a signed statement is for.
    pub(super) fn write(&self, form: &mut Form, headers: &mut HeaderMap, audience: &str) -> Result<(), StrategyError> {
        match self {
            Self::Nobody => {}
            Self::Public { id } => form.add("client_id", id),
            Self::Secret { id, secret, in_form: true } => {
                form.add("client_id", id);
                form.add("client_secret", secret.expose_secret());
            }
            Self::Secret { id, secret, in_form: false } => {
                headers.extend(basic(id, secret.expose_secret()).map(|basic| (AUTHORIZATION, basic)));
            }
            Self::Key { id, signer } => {
                form.add("client_id", id);
                form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                form.add("client_assertion", &signer.statement(id, audience)?);
            }
            Self::Unknown => return Err(StrategyError::Config("the client's secret is not at hand".to_owned())),
        }
        Ok(())
    }
}
