//! Incoming authenticators: who is calling.

use super::{
    BoxFuture, CallerTokens, Challenge, ClientCertificate, Deps, Page, PageRequest, Principal, ProtectedResource, StrategyError,
    SubjectToken,
};
use http::{HeaderMap, HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A setting that is taken and does not do what it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingWarning {
    /// Where it stands below the plugin's own settings, such as `issuers[0].clientId`.
    pub place: String,
    /// What is wrong with it, without a value of the settings.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

/// Tells who sent a request. Asked for every request, whether it belongs to a session or not.
pub trait Authenticator: Send + Sync + 'static {
    /// The headers that this authenticator reads. None of them can be passed on to a backend.
    fn consumed_headers(&self) -> &[HeaderName];

    /// An answer that needs neither waiting nor the request, so that anonymous calls do not pay for a future.
    fn fixed(&self) -> Option<&Arc<Authenticated>> {
        None
    }

    /// Whether callers are told apart at all; `/status` is public only where they are not.
    fn is_anonymous(&self) -> bool {
        false
    }

    /// Whether it is good for callers of this machine only. Such a one is refused where others can connect.
    fn is_local(&self) -> bool {
        false
    }

    /// The one issuer of everybody who is let in. `None` where there are several or it is not known: then equal subjects of two issuers are
    /// kept apart by naming the issuer wherever a subject or group is named.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// The groups of somebody of whom the claims are known and whose credential nobody has: those that [`Self::authenticate`] finds for a
    /// credential with these claims. Asked by whoever looks what somebody may do (`vmcp authz explain --as`), never for a request.
    fn groups(&self, _principal: &Principal, _claims: &Map<String, Value>) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// What is known of callers' tokens before anybody calls, for strategies that show them to others.
    fn caller_tokens(&self) -> CallerTokens {
        CallerTokens::Unknown
    }

    /// An answer that is at hand, since this credential was looked at before: it costs no future. `None` asks [`Self::authenticate`].
    fn known(&self, _head: &RequestHead<'_>) -> Option<Arc<Authenticated>> {
        None
    }

    /// Authenticates one request.
    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>>;

    /// What clients are told about getting a credential (RFC 9728). `None`: nothing, and every path below `/.well-known/` is a plain 404.
    fn resource(&self) -> Option<&ProtectedResource> {
        None
    }

    /// What whoever wrote its settings should know of them: they are taken, but hardly meant so.
    fn warnings(&self) -> &[SettingWarning] {
        &[]
    }

    /// The paths outside of `/.well-known/` at which [`Self::page`] has pages. A configuration with an endpoint at one of them is refused.
    fn page_paths(&self) -> &[&'static str] {
        &[]
    }

    /// A public page beside the endpoints, which an OAuth façade has. Asked for GET and POST of paths where nothing else is; `None`: there is
    /// no such page.
    fn page<'a>(&'a self, _request: &'a PageRequest<'a>) -> Option<BoxFuture<'a, Page>> {
        None
    }
}

/// The part of a request that an authenticator may read.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query of the request's URL, without the `?`: no credential is taken from there.
    pub query: Option<&'a str>,
    /// The address of the peer; `None` for in-process and local callers.
    pub peer: Option<IpAddr>,
    /// The certificate that the client proved to have, on a listener that asks for one.
    pub client_certificate: Option<&'a ClientCertificate>,
    /// The operating system's name for the user at the other end of a Unix socket or of standard input.
    pub local_user: Option<&'a str>,
}

impl<'a> RequestHead<'a> {
    /// A view of one request without a query, a certificate and a local user.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, peer: Option<IpAddr>) -> Self {
        Self { headers, query: None, peer, client_certificate: None, local_user: None }
    }
}

/// Who called. Immutable once it is authenticated. `Debug` shows the issuer and names of claims, no value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Authenticated {
    /// Issuer and subject.
    pub principal: Principal,
    /// Further claims.
    pub claims: Map<String, Value>,
    /// The groups and roles that the authenticator was told to look for.
    pub groups: Vec<Arc<str>>,
    /// The scopes that the credential was given for.
    pub scopes: Vec<Arc<str>>,
    /// Who acts for the subject (RFC 8693 §4.1, `act`), the nearest first.
    pub delegation: Vec<Principal>,
    /// The credential itself where a strategy may exchange it for another.
    pub subject_token: Option<SubjectToken>,
    /// What tells apart credentials of one principal that allow different things, and is the same for those that allow the same: it stays when
    /// a credential is renewed. No secret, and never a credential. `None` where all credentials of a principal allow the same.
    pub standing: Option<Arc<str>>,
    /// When the credential expires. What strategies get for it is good no longer.
    pub expires_at: Option<SystemTime>,
    /// When the bearer has to show the credential again though it has not expired, for authenticators that cannot tell when it does: open
    /// streams close then. It is no end of the credential's, and says nothing of how long what strategies get for it is good.
    pub check_again_at: Option<SystemTime>,
    /// How long after `expires_at` its bearer is still let in, because the clock of whoever gave it may be behind this one. Zero unless the
    /// authenticator says otherwise.
    pub leeway: Duration,
}

impl Authenticated {
    /// A caller without claims whose credential does not expire.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        Self {
            principal,
            claims: Map::new(),
            groups: Vec::new(),
            scopes: Vec::new(),
            delegation: Vec::new(),
            subject_token: None,
            standing: None,
            expires_at: None,
            check_again_at: None,
            leeway: Duration::ZERO,
        }
    }

    /// When the bearer of the credential is let in no more, or has to show it again; open streams close then. `None`: never.
    #[must_use]
    pub fn good_until(&self) -> Option<SystemTime> {
        let end = self.expires_at.map(|end| end.checked_add(self.leeway).unwrap_or(end));
        end.into_iter().chain(self.check_again_at).min()
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("principal", &self.principal)
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a request was not let in.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Rejected {
    /// 400, 401 or 403; 503 when the issuer cannot be reached.
    pub status: StatusCode,
    /// For the caller; never holds a credential.
    pub message: String,
    /// What the gateway says in `WWW-Authenticate`.
    pub challenge: Option<Challenge>,
    /// When to try again, with a 503.
    pub retry_after: Option<Duration>,
}

impl Rejected {
    /// A 401 with a message for the caller.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>, challenge: Option<Challenge>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: message.into(), challenge, retry_after: None }
    }

    /// A 403: who calls is known, and the credential does not reach (RFC 6750 §3.1, `insufficient_scope`).
    #[must_use]
    pub fn forbidden(message: impl Into<String>, challenge: Option<Challenge>) -> Self {
        Self { status: StatusCode::FORBIDDEN, message: message.into(), challenge, retry_after: None }
    }

    /// A 400: the request brings its credential in a way that nobody takes.
    #[must_use]
    pub fn malformed(message: impl Into<String>, challenge: Option<Challenge>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), challenge, retry_after: None }
    }

    /// A 503: whoever could tell cannot be asked now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into(), challenge: None, retry_after: Some(retry_after) }
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
