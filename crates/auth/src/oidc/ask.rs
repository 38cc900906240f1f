//! Asking an issuer over HTTP, within what the configuration allows.

use super::kept::{PAUSE, Unavailable};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{fmt, sync::Arc, time::Duration};
use url::Url;
use vmcp_core::{
    Seldom,
    plugin::{CaBundle, Fetch, FetchError, FetchRequest, Reach},
};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest document that is read, in bytes.
const LONGEST: usize = 512 * 1024;

/// The log says so often that one sort of documents cannot be read: anybody can send tokens that have to be asked about.
const SAID: Duration = Duration::from_secs(60);

/// What an issuer is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Document {
    /// What it has.
    Metadata,
    /// Its keys.
    Keys,
    /// What it says of a token.
    Answer,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the metadata",
            Self::Keys => "the keys",
            Self::Answer => "the answer about a token",
        })
    }
}

/// Which complaints about an issuer were made a short while ago.
pub(super) struct Complaints {
    metadata: Seldom,
    keys: Seldom,
    answers: Seldom,
}

impl Default for Complaints {
    fn default() -> Self {
        let seldom = || Seldom::new(1, SAID);
        Self { metadata: seldom(), keys: seldom(), answers: seldom() }
    }
}

impl Complaints {
    fn may_be_said_of(&self, what: Document) -> bool {
        match what {
            Document::Metadata => &self.metadata,
            Document::Keys => &self.keys,
            Document::Answer => &self.answers,
        }
        .may()
    }
}

/// How the documents of one issuer are reached.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) fetch: Arc<dyn Fetch>,
    /// The issuer, for the log.
    pub(super) issuer: Arc<str>,
    pub(super) reach: Reach,
    pub(super) ca_bundle: Option<CaBundle>,
    pub(super) allows_http: bool,
    pub(super) complaints: Arc<Complaints>,
}

/// What came back from a place that could be reached.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Asker {
    /// Whether a URL, the operator's or one in a document, may be asked.
    pub(super) fn may_ask(&self, url: &Url) -> bool {
        self.objection(url).is_none()
    }

    fn objection(&self, url: &Url) -> Option<&'static str> {
        match url.scheme() {
            _ if !url.username().is_empty() || url.password().is_some() => {
                Some("its URL has a user name or a password, which is never sent")
            }
            "https" => None,
            "http" if self.allows_http => None,
            "http" => Some("its URL is not https; `insecureAllowHttp: true` would allow http"),
            _ => Some("its URL is not https"),
        }
    }

    /// GETs a JSON document.
    pub(super) async fn get(&self, what: Document, url: &Url) -> Result<Answer, Unavailable> {
        self.send(what, FetchRequest::new(Method::GET, url.clone())).await
    }

    /// POSTs a form.
    pub(super) async fn post(&self, what: Document, url: &Url, headers: HeaderMap, form: Bytes) -> Result<Answer, Unavailable> {
        let mut request = FetchRequest::new(Method::POST, url.clone());
        request.headers = headers;
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body = form;
        self.send(what, request).await
    }

    async fn send(&self, what: Document, mut request: FetchRequest) -> Result<Answer, Unavailable> {
        if let Some(objection) = self.objection(&request.url) {
            return Err(self.failed(what, objection));
        }
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.timeout = LIMIT;
        request.max_body = LONGEST;
        request.reach = self.reach;
        request.ca_bundle.clone_from(&self.ca_bundle);
        match self.fetch.fetch(request).await {
            Ok(response) => Ok(Answer { status: response.status, body: response.body }),
            Err(error @ FetchError::Private { .. }) => {
                Err(self.failed(what, &format!("{error}; `jwksAllowPrivateIp: true` would allow it")))
            }
            // The reason is the TLS library's, and all of those that a bundle would settle speak of the certificate.
            Err(error @ FetchError::Connect { .. }) if error.to_string().contains("certificate") => {
                Err(self.failed(what, &format!("{error}; `caBundlePath` names the authorities that are trusted")))
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

    /// Says in the log that something of the issuer's cannot be used, unless it said so just now.
    pub(super) fn failed(&self, what: Document, why: &str) -> Unavailable {
        if self.complaints.may_be_said_of(what) {
            tracing::warn!(issuer = %self.issuer, "incoming authentication: {what} cannot be read: {why}");
        }
        Unavailable { retry_after: PAUSE }
    }
}
