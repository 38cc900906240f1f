//! Asking an issuer over HTTP, within what the configuration allows.

use super::kept::{PAUSE, Unavailable};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{sync::Arc, time::Duration};
use url::Url;
use vmcp_core::plugin::{CaBundle, Fetch, FetchRequest, Reach};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest document that is read, in bytes.
const LONGEST: usize = 512 * 1024;

/// How the documents of one issuer are reached.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) fetch: Arc<dyn Fetch>,
    /// The issuer, for the log.
    pub(super) issuer: Arc<str>,
    pub(super) reach: Reach,
    pub(super) ca_bundle: Option<CaBundle>,
    pub(super) allows_http: bool,
}

/// What came back from a place that could be reached.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Asker {
    /// Whether a URL, the operator's or one in a document, may be asked.
    pub(super) fn may_ask(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.allows_http && url.scheme() == "http")
    }

    /// GETs a JSON document.
    pub(super) async fn get(&self, what: &str, url: &Url) -> Result<Answer, Unavailable> {
        self.send(what, FetchRequest::new(Method::GET, url.clone())).await
    }

    /// POSTs a form.
    pub(super) async fn post(&self, what: &str, url: &Url, headers: HeaderMap, form: Bytes) -> Result<Answer, Unavailable> {
        let mut request = FetchRequest::new(Method::POST, url.clone());
        request.headers = headers;
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body = form;
        self.send(what, request).await
    }

    async fn send(&self, what: &str, mut request: FetchRequest) -> Result<Answer, Unavailable> {
        if !self.may_ask(&request.url) {
            return Err(self.failed(what, "its URL is not https; `insecureAllowHttp: true` would allow http"));
        }
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.timeout = LIMIT;
        request.max_body = LONGEST;
        request.reach = self.reach;
        request.ca_bundle.clone_from(&self.ca_bundle);
        match self.fetch.fetch(request).await {
            Ok(response) => Ok(Answer { status: response.status, body: response.body }),
            Err(error @ vmcp_core::plugin::FetchError::Private { .. }) => {
                Err(self.failed(what, &format!("{error}; `jwksAllowPrivateIp: true` would allow it")))
            }
            Err(error) => Err(self.failed(what, &error.to_string())),
        }
    }

    /// A URL for messages, without what may be a secret in it.
    pub(super) fn shown(url: &Url) -> String {
        let mut url = url.clone();
        // What cannot be set is not there.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.into()
    }

    /// Says in the log that something of the issuer's cannot be used.
    pub(super) fn failed(&self, what: &str, why: &str) -> Unavailable {
        tracing::warn!(issuer = %self.issuer, "incoming authentication: {what} cannot be read: {why}");
        Unavailable { retry_after: PAUSE }
    }
}
