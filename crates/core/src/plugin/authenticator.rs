//! Incoming authenticators: who is calling.

use super::{BoxFuture, Deps, Principal, StrategyError};
use http::{HeaderMap, HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{net::IpAddr, sync::Arc, time::SystemTime};

/// Tells who sent a request. Asked for every request, whether it belongs to a session or not.
pub trait Authenticator: Send + Sync + 'static {
    /// The headers that this authenticator reads. None of them can be passed on to a backend.
    fn consumed_headers(&self) -> &[HeaderName];

    /// An answer that needs neither waiting nor the request, so that anonymous calls do not pay for a future.
    fn fixed(&self) -> Option<&Authenticated> {
        None
    }

    /// Whether callers are told apart at all; `/status` is public only where they are not.
    fn is_anonymous(&self) -> bool {
        false
    }

    /// Authenticates one request.
    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Authenticated, Rejected>>;
}

/// The part of a request that an authenticator may read.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The address of the peer; `None` for in-process and local callers.
    pub peer: Option<IpAddr>,
}

impl<'a> RequestHead<'a> {
    /// A view of one request.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, peer: Option<IpAddr>) -> Self {
        Self { headers, peer }
    }
}

/// Who called.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Authenticated {
    /// Issuer and subject.
    pub principal: Principal,
    /// Further claims.
    pub claims: Map<String, Value>,
    /// When the credential expires; open streams close then.
    pub expires_at: Option<SystemTime>,
}

impl Authenticated {
    /// A caller without claims whose credential does not expire.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        Self { principal, claims: Map::new(), expires_at: None }
    }
}

/// Why a request was not let in.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Rejected {
    /// 401 or 403; 503 when the issuer cannot be reached.
    pub status: StatusCode,
    /// For the caller; never holds a credential.
    pub message: String,
    /// The value of `WWW-Authenticate`.
    pub challenge: Option<String>,
}

impl Rejected {
    /// A 401 with a message for the caller.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>, challenge: Option<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: message.into(), challenge }
    }
}

/// Builds authenticators of one kind.
pub trait AuthenticatorFactory: Send + Sync + 'static {
    /// The word behind `incomingAuth.type`.
    const KIND: &'static str;
    /// The settings, which stand beside `type` under the same word in camel case.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds an authenticator.
    ///
    /// # Errors
    /// When the settings cannot work; the message says what to change.
    fn build(&self, config: Self::Config, deps: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError>;
}
