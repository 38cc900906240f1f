//! One request to a token endpoint.

use super::{Client, answer, discovery::Discovery, refused};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use url::{Url, form_urlencoded::byte_serialize};
use vmcp_core::{
    config::is_loopback,
    plugin::{CaBundle, Credentials, Deps, Fetch, FetchRequest, Reach, StrategyError},
};
use zeroize::Zeroizing;

/// How long a token endpoint may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// Where tokens are given out.
pub(crate) struct TokenEndpoint {
    fetch: Arc<dyn Fetch>,
    place: Place,
    client: Client,
    ca_bundle: Option<CaBundle>,
}

/// How the endpoint's address is known.
pub(crate) enum Place {
    /// It is said.
    Known(Url),
    /// It is found out from the issuer's metadata.
    Discovered(Discovery),
}

/// The parameters of a request. They are wiped when the request is over.
pub(crate) struct Form(Zeroizing<String>);

impl Form {
    /// The parameters of a grant.
    pub(crate) fn of_grant(grant: &str) -> Self {
        let mut form = Self::with_room();
        form.add("grant_type", grant);
        form
    }

    /// No parameters yet, and room for a token of which each character may take three, so that no part of one is left behind where the
    /// text grew.
    pub(crate) fn with_room() -> Self {
        Self(Zeroizing::new(String::with_capacity(52 * 1024)))
    }

    /// Adds a parameter.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(byte_serialize(value.as_bytes()));
    }

    /// The text as a request's body.
    pub(crate) fn into_body(self) -> Bytes {
        // The bytes stay where they are.
        Bytes::from_owner(Whole(self.0))
    }
}

struct Whole(Zeroizing<String>);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Place {
    /// A place that is said. Secrets go there, so it has to be HTTPS or on this machine.
    ///
    /// # Errors
    /// When it is neither, and nobody says that this is well.
    pub(crate) fn known(key: &str, url: &Url, allow_plaintext: bool) -> Result<Self, StrategyError> {
        check_url(key, "tokenUrl", url, allow_plaintext)?;
        Ok(Self::Known(url.clone()))
    }

    /// A place that the issuer's metadata name.
    ///
    /// # Errors
    /// When the issuer is no URL, or one that secrets must not be sent to.
    pub(crate) fn of_issuer(key: &str, issuer: &str, allow_plaintext: bool) -> Result<Self, StrategyError> {
        let url = Url::parse(issuer)
            .map_err(|_| refused(key, "issuer", "has an `issuer` that is no URL; write it as the issuer's metadata have it"))?;
        check_url(key, "issuer", &url, allow_plaintext)?;
        Ok(Self::Discovered(Discovery::new(issuer, url, allow_plaintext)))
    }
}

/// Whether a URL of the settings is one that secrets may be sent to.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(crate) fn check_url(key: &str, name: &str, url: &Url, allow_plaintext: bool) -> Result<(), StrategyError> {
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(refused(key, name, format!("has a `{name}` that is no http or https URL; correct it")));
    }
    // Messages name the server, and nothing in them is to be a secret.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(key, name, format!("has a `{name}` with a user name or a password, which is never sent; remove it")));
    }
    if !may_be_told(url, allow_plaintext) {
        return Err(refused(key, name, format!("sends secrets to a `{name}` without TLS; use https, or add `allowPlaintext: true`")));
    }
    Ok(())
}

/// Whether secrets may be sent to a URL.
pub(super) fn may_be_told(url: &Url, allow_plaintext: bool) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && (is_loopback(url) || allow_plaintext))
}

impl TokenEndpoint {
    /// Asked for with `client`, at a server whose certificate one of `ca_bundle` has signed, or one that the platform trusts.
    pub(crate) fn new(deps: &Deps, place: Place, client: Client, ca_bundle: Option<CaBundle>) -> Self {
        Self { fetch: Arc::clone(&deps.fetch), place, client, ca_bundle }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Asks for a token, and makes an `Authorization: Bearer` of it.
    ///
    /// # Errors
    /// [`StrategyError::Caller`] when the caller's token is refused, [`StrategyError::Issuer`] for all else.
    pub(crate) async fn ask(&self, mut form: Form) -> Result<Credentials, StrategyError> {
        let (url, reach) = match &self.place {
            Place::Known(url) => (url.clone(), Reach::Anywhere),
            Place::Discovered(discovery) => discovery.token_endpoint(&*self.fetch, self.ca_bundle.as_ref()).await?,
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // A signed statement is for the issuer itself where its name is known: another server's token endpoint could pass it on
        // (draft-ietf-oauth-rfc7523bis).
        let audience = match &self.place {
            Place::Known(url) => url.as_str(),
            Place::Discovered(discovery) => discovery.issuer(),
        };
        self.client.write(&mut form, &mut headers, audience)?;
        let host = url.authority().to_owned();
        let mut request = FetchRequest::new(Method::POST, url);
        request.headers = headers;
        request.body = form.into_body();
        request.timeout = LIMIT;
        request.max_body = LONGEST;
        (request.reach, request.ca_bundle) = (reach, self.ca_bundle.clone());
        // Its life is counted from before it was given, so that it is never taken for longer than it is.
        let asked = SystemTime::now();
        let response = self.fetch.fetch(request).await;
        let response = response.map_err(|error| StrategyError::Issuer(format!("the token endpoint failed: {error}")))?;
        answer::read(&host, &response, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in ["https://vmcp:hunter2@id.example.com/token", "https://hunter2@id.example.com/token", "http://:hunter2@127.0.0.1/"] {
            let error = Place::known("it", &Url::parse(url).unwrap(), false).err().unwrap();
            assert!(error.to_string().contains("password") && !format!("{error} {error:?}").contains("hunter2"), "{error}");
            assert!(Place::of_issuer("it", url, false).is_err());
        }
        assert!(Place::known("it", &Url::parse("https://id.example.com/token").unwrap(), false).is_ok());
    }
}
