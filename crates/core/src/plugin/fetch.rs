//! HTTP for plugins, without naming an HTTP library.

use super::BoxFuture;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;
use url::Url;

/// Makes HTTP requests for a plugin. The backend layer implements it.
pub trait Fetch: Send + Sync + 'static {
    /// Sends `request` and reads the whole response.
    ///
    /// Follows no redirect. Fails when `request.timeout` has passed or the body is longer than `request.max_body`.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>>;
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
}

impl FetchRequest {
    /// A request without headers and body, with ten seconds and 64 KiB.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: Duration::from_secs(10), max_body: 64 * 1024 }
    }
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
