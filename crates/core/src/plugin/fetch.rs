//! HTTP for plugins, without naming an HTTP library.

use super::BoxFuture;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use secrecy::SecretString;
use std::{fmt, path::Path, sync::Arc, time::Duration};
use url::Url;

/// Makes HTTP requests for a plugin. The backend layer implements it.
pub trait Fetch: Send + Sync + 'static {
    /// Sends `request` and reads the whole response.
    ///
    /// Follows no redirect. Fails when `request.timeout` has passed or the body is longer than `request.max_body`.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>>;

    /// Whether requests can be made with this bundle as their [`FetchRequest::ca_bundle`]. For whoever builds a plugin: with one that
    /// cannot be used, every request to an `https` URL would fail.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_ca_bundle(&self, ca_bundle: &CaBundle) -> Result<(), CaBundleError>;
}

/// One request of a plugin.
#[non_exhaustive]
pub struct FetchRequest {
    /// The method.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: Url,
    /// The headers, sent as they are.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// The longest body that is read, in bytes.
    pub max_body: usize,
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// Whose certificates are trusted instead of those that the platform trusts.
    pub ca_bundle: Option<CaBundle>,
    /// What is shown to a server that asks for a certificate.
    pub identity: Option<ClientIdentity>,
    /// The Unix socket to connect to instead of the URL's host. Only for `http`.
    pub socket: Option<Arc<Path>>,
}

impl FetchRequest {
    /// A request without headers and body, with ten seconds and 64 KiB, to any address.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(10),
            max_body: 64 * 1024,
            reach: Reach::default(),
            ca_bundle: None,
            identity: None,
            socket: None,
        }
    }
}

/// Which addresses a plugin's request may go to. Decided after the name was resolved, for the very address that is connected to, so that
/// no name that changes its address in between gets past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// All of them: the URL is the operator's own.
    #[default]
    Anywhere,
    /// Public ones only, since somebody else named the URL: no loopback, private, link-local, shared or reserved address, in whatever form it
    /// is written (RFC 6890).
    Public,
}

/// A certificate with its private key, for servers that ask who connects. Clones are one identity: connections are set up once for all of
/// them. The key is wiped from memory with the last one, and `Debug` shows nothing.
#[derive(Clone)]
pub struct ClientIdentity(Arc<(Vec<u8>, SecretString)>);

impl ClientIdentity {
    /// An identity of PEM texts: the certificate with those that lead to its authority, and the private key. They are looked into when they
    /// are first needed.
    #[must_use]
    pub fn new(certificates: Vec<u8>, key: SecretString) -> Self {
        Self(Arc::new((certificates, key)))
    }

    /// The certificates, as PEM.
    #[must_use]
    pub fn certificates(&self) -> &[u8] {
        &self.0.0
    }

    /// The private key, as PEM.
    #[must_use]
    pub fn key(&self) -> &SecretString {
        &self.0.1
    }
}

/// Equal when they are clones of one.
impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ClientIdentity {}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity")
    }
}

/// Certificates in PEM. Clones are one bundle: connections are set up once for all of them.
#[derive(Clone)]
pub struct CaBundle(Arc<[u8]>);

impl CaBundle {
    /// A bundle of PEM text. It is looked into when it is first needed, or by [`Fetch::check_ca_bundle`].
    #[must_use]
    pub fn new(pem: impl Into<Arc<[u8]>>) -> Self {
        Self(pem.into())
    }

    /// The PEM text.
    #[must_use]
    pub fn pem(&self) -> &[u8] {
        &self.0
    }
}

/// Equal when the bytes are.
impl PartialEq for CaBundle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for CaBundle {}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaBundle({} bytes)", self.0.len())
    }
}

/// Why no connection could be checked against a bundle of authorities. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaBundleError {
    /// A part of it is broken.
    #[error("it is not PEM")]
    NotPem,
    /// One of its certificates is none, or none that can vouch for others.
    #[error("it has a certificate that cannot be used")]
    Unusable,
    /// There is no certificate in it.
    #[error("it has no certificate")]
    Empty,
}

/// What came back.
#[non_exhaustive]
pub struct FetchResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl FetchResponse {
    /// A response; for implementations of [`Fetch`].
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body }
    }
}

/// Why a plugin's request failed. The text never holds a header value or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection could be made.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the operating system or TLS said.
        reason: String,
    },
    /// The address is not one that this request may go to ([`Reach::Public`]).
    #[error("{host} has no public address")]
    Private {
        /// Host and port.
        host: String,
    },
    /// The time was up.
    #[error("{host} did not answer within {timeout:?}")]
    Timeout {
        /// Host and port.
        host: String,
        /// The limit.
        timeout: Duration,
    },
    /// The response could not be read.
    #[error("unreadable response from {host}: {reason}")]
    Response {
        /// Host and port.
        host: String,
        /// What was wrong with it.
        reason: String,
    },
}
