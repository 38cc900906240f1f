//! Finding an issuer's token endpoint in its metadata (RFC 8414, OpenID Connect Discovery).

use super::endpoint::{LIMIT, LONGEST, may_be_told};
use crate::well_known::{First, are_own, places};
use http::{HeaderValue, Method, StatusCode, header::ACCEPT};
use serde::Deserialize;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use url::Url;
use vmcp_core::plugin::{CaBundle, Fetch, FetchRequest, Reach, StrategyError};

/// How long what was found is taken to be true.
const TRUE_FOR: Duration = Duration::from_secs(60 * 60);

/// An issuer, and what was found of it last.
pub(crate) struct Discovery {
    issuer: String,
    url: Url,
    allow_plaintext: bool,
    found: Mutex<Option<(Url, Instant)>>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: Option<Url>,
}

impl Discovery {
    pub(super) fn new(issuer: &str, url: Url, allow_plaintext: bool) -> Self {
        Self { issuer: issuer.to_owned(), url, allow_plaintext, found: Mutex::default() }
    }

    /// The issuer's name.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The endpoint: as it was found within the last hour, or asked for now. What was found before is better than nothing.
    /// Comes with where it may be: what is named on another host than the issuer's has to be a public place, so that no metadata lead into the
    /// network behind the gateway.
    pub(super) async fn token_endpoint(&self, fetch: &dyn Fetch, ca_bundle: Option<&CaBundle>) -> Result<(Url, Reach), StrategyError> {
        let url = self.known_or_asked(fetch, ca_bundle).await?;
        let reach = if url.host() == self.url.host() { Reach::Anywhere } else { Reach::Public };
        Ok((url, reach))
    }

    async fn known_or_asked(&self, fetch: &dyn Fetch, ca_bundle: Option<&CaBundle>) -> Result<Url, StrategyError> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((url, since)) if since.elapsed() < TRUE_FOR => Ok(url),
            known => match self.ask(fetch, ca_bundle).await {
                Ok(url) => {
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((url.clone(), Instant::now()));
                    Ok(url)
                }
                Err(error) => known.map(|(url, _)| url).ok_or(error),
            },
        }
    }

    async fn ask(&self, fetch: &dyn Fetch, ca_bundle: Option<&CaBundle>) -> Result<Url, StrategyError> {
        let wrong = |what: &str| StrategyError::Issuer(format!("the metadata of the issuer at {} {what}", self.url.authority()));
        let mut unread = wrong("were not found");
        for place in places(&self.url, First::OAuth) {
            let mut request = FetchRequest::new(Method::GET, place);
            request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            (request.timeout, request.max_body, request.ca_bundle) = (LIMIT, LONGEST, ca_bundle.cloned());
            let response = match fetch.fetch(request).await {
                Ok(response) if response.status == StatusCode::OK => response,
                Ok(_) => continue,
                Err(error) => {
                    unread = wrong(&format!("cannot be read: {error}"));
                    continue;
                }
            };
            let metadata: Metadata = serde_json::from_slice(&response.body).map_err(|_| wrong("are none"))?;
            if !are_own(Some(&metadata.issuer), &self.issuer) {
                return Err(wrong("are of another issuer than the one configured; write `issuer` exactly as they have it"));
            }
            let endpoint = metadata.token_endpoint.ok_or_else(|| wrong("name no token_endpoint"))?;
            if !endpoint.username().is_empty() || endpoint.password().is_some() {
                return Err(wrong("name a token_endpoint with a user name or a password"));
            }
            if !may_be_told(&endpoint, self.allow_plaintext) {
                return Err(wrong("name a token_endpoint without TLS"));
            }
            return Ok(endpoint);
        }
        Err(unread)
    }
}
