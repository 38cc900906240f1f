//! What a strategy hands back.

use super::StrategyError;
use http::{HeaderMap, Method};
use std::{fmt, sync::Arc, time::SystemTime};
use url::Url;

/// Credentials for one backend, to be put on requests by the gateway.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// Headers to add; every name must be one that the strategy manages.
    Headers {
        /// The headers.
        headers: Arc<HeaderMap>,
        /// When they stop being valid; `None` when they do not expire.
        expires_at: Option<SystemTime>,
    },
    /// Headers that depend on the request.
    Signer(Arc<dyn Signer>),
}

impl Credentials {
    /// Nothing to add.
    #[must_use]
    pub fn none() -> Self {
        Self::headers(HeaderMap::new())
    }

    /// Headers that do not expire.
    #[must_use]
    pub fn headers(headers: HeaderMap) -> Self {
        Self::Headers { headers: Arc::new(headers), expires_at: None }
    }

    /// When they stop being valid; `None` when they do not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self {
            Self::Headers { expires_at, .. } => *expires_at,
            Self::Signer(signer) => signer.expires_at(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Names only: values are secrets.
            Self::Headers { headers, expires_at } => {
                f.debug_struct("Headers").field("names", &headers.keys().collect::<Vec<_>>()).field("expires_at", expires_at).finish()
            }
            Self::Signer(_) => f.write_str("Signer"),
        }
    }
}

/// Computes headers over a request, as request signing needs it.
pub trait Signer: Send + Sync + 'static {
    /// The headers for this request; every name must be one that the strategy manages.
    ///
    /// # Errors
    /// When the request cannot be signed.
    fn sign(&self, request: &SignRequest<'_>) -> Result<HeaderMap, StrategyError>;

    /// When what it signs with stops being valid; `None` when it does not.
    fn expires_at(&self) -> Option<SystemTime> {
        None
    }
}

/// The request that a [`Signer`] signs.
#[non_exhaustive]
pub struct SignRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole URL.
    pub url: &'a Url,
    /// The headers so far.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> SignRequest<'a> {
    /// A request to sign.
    #[must_use]
    pub fn new(method: &'a Method, url: &'a Url, headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self { method, url, headers, body }
    }
}
