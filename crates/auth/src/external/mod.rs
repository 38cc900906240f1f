//! The strategy that asks a service for credentials.

use crate::{
    credential_helper::{self, Ask, Helped, Helper, HelperSettings},
    oauth::{ca_bundle, check_url, read_file, refused},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use url::Url;
use vmcp_core::{
    config::{SecretError, SecretSource, Span},
    plugin::{
        CaBundle, ClientIdentity, Credentials, Deps, Fetch, FetchRequest, OutgoingStrategy, Secrets, StrategyContext, StrategyError,
        StrategyFactory,
    },
};

const KEY: &str = "external";

/// How long the service may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest answer, in bytes.
const LONGEST: usize = 16 * 1024;

/// The settings of `type: external`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "A credential service")]
pub struct ExternalConfig {
    /// Where the service is asked with POST. It is told of the caller in JSON, and answers `{"headers": {…}, "expiresAt": …}`.
    pub url: Url,
    /// The Unix socket to reach it at, instead of the host in `url`.
    #[schemars(extend("format" = "path"))]
    pub socket: Option<PathBuf>,
    /// The certificate that vmcp shows it, as PEM, with those that lead to its authority.
    #[schemars(extend("format" = "path"))]
    pub client_certificate: Option<PathBuf>,
    /// The private key of that certificate, as PEM, or `fromEnv` or `fromFile` to say where it stands.
    pub client_key: Option<SecretSource>,
    /// The authorities to trust instead of the platform's, as PEM.
    #[schemars(extend("format" = "path"))]
    pub ca_bundle_path: Option<PathBuf>,
    /// How long the service may take; at most `30s`. Default: `5s`.
    pub timeout: Option<Span>,
    /// The headers that the service may give. Default: `authorization`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The caller's claims that the service is told, beside issuer, subject and groups.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Whether the service is given the caller's own token.
    #[serde(default)]
    pub send_token: bool,
    /// The issuers of those callers whose tokens the service is given; of others' calls it does not hear, and `onError` says what becomes of
    /// them. Goes with `sendToken`, and is needed there where `incomingAuth.oidc` has several issuers; otherwise it
    /// is the one that there is.
    #[schemars(length(min = 1))]
    pub subject_issuers: Option<Vec<String>>,
    /// Whether the credentials are the same for all callers: then the service is told of none, and is asked once for all.
    #[serde(default)]
    pub shared: bool,
    /// Allows `http` to another machine, over which credentials can be read on the way.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// Builds `type: external`: requests carry the headers that a service answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExternalFactory;

struct External {
    fetch: Arc<dyn Fetch>,
    url: Url,
    socket: Option<Arc<Path>>,
    ca_bundle: Option<CaBundle>,
    identity: Option<ClientIdentity>,
}

impl StrategyFactory for ExternalFactory {
    const KIND: &'static str = "external";
    type Config = ExternalConfig;

    fn build(&self, config: ExternalConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        // What goes through a socket stays on this machine.
        check_url(KEY, "url", &config.url, config.allow_plaintext || config.socket.is_some())?;
        let is_tls = config.url.scheme() == "https";
        if config.socket.is_some() && is_tls {
            return Err(refused(KEY, "url", "has a `socket` and a `url` with https, which is for the network; write the `url` with http"));
        }
        if config.socket.is_some() && cfg!(not(unix)) {
            return Err(refused(KEY, "socket", "has a `socket`, which this system has not; remove it"));
        }
        if !is_tls && (config.client_certificate.is_some() || config.ca_bundle_path.is_some()) {
            let why = "has a `clientCertificate` or `caBundlePath` and a `url` without TLS, which uses neither; use https, or remove them";
            return Err(refused(KEY, "url", why));
        }
        let identity = identity(&config, &deps.secrets)?;
        let settings = HelperSettings {
            key: KEY,
            timeout: config.timeout,
            headers: config.headers,
            claims: config.claims,
            send_token: config.send_token,
            subject_issuers: config.subject_issuers,
            shared: config.shared,
        };
        let helper = settings.build(LIMIT, deps)?;
        let way = External {
            fetch: Arc::clone(&deps.fetch),
            ca_bundle: ca_bundle(KEY, config.ca_bundle_path.as_deref(), deps)?,
            identity,
            socket: config.socket.map(Arc::from),
            url: config.url,
        };
        Ok(Arc::new(Helped { helper, way }))
    }
}

impl Ask for External {
    async fn ask(&self, helper: &Helper, context: &StrategyContext<'_>) -> Result<Credentials, StrategyError> {
        let mut request = FetchRequest::new(Method::POST, self.url.clone());
        request.headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        request.body = Bytes::from_owner(helper.summary(context));
        (request.timeout, request.max_body) = (helper.limit(), LONGEST);
        (request.socket, request.ca_bundle, request.identity) = (self.socket.clone(), self.ca_bundle.clone(), self.identity.clone());
        let host = self.url.authority();
        let failed = |why: String| StrategyError::Issuer(format!("the credential service at {host} {why}"));
        let response = self.fetch.fetch(request).await.map_err(|error| failed(format!("failed: {error}")))?;
        match response.status {
            StatusCode::OK => credential_helper::read(&format!("the credential service at {host}"), &response.body),
            // It says no to this caller, and all is well with it otherwise.
            StatusCode::FORBIDDEN => Err(StrategyError::Caller(format!("the credential service at {host} has none for this caller"))),
            status => Err(failed(format!("answered with HTTP status {}", status.as_u16()))),
        }
    }
}

/// What vmcp shows of itself.
fn identity(config: &ExternalConfig, secrets: &Secrets) -> Result<Option<ClientIdentity>, StrategyError> {
    let (certificate, key) = match (&config.client_certificate, &config.client_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Err(refused(KEY, "clientKey", "has a `clientCertificate` and no `clientKey`; add it")),
        (None, Some(_)) => return Err(refused(KEY, "clientCertificate", "has a `clientKey` and no `clientCertificate`; add it")),
    };
    let lacks = |error: SecretError| refused(KEY, key.place("clientKey"), format!("lacks its `clientKey`: {error}; {}", error.advice()));
    let key = secrets.get(key).map_err(lacks)?;
    let certificate = read_file(KEY, "clientCertificate", certificate, secrets)?;
    Ok(certificate.zip(key).map(|(certificate, key)| ClientIdentity::new(certificate.into_bytes(), key)))
}

#[cfg(test)]
mod tests;
