//! What an authenticator and the edge tell each other beside the identity: challenges, metadata, pages, certificates.

use bytes::Bytes;
use http::{Method, StatusCode};
use std::time::{Duration, SystemTime};
use url::Url;

/// What a rejected caller is told in `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1). The gateway adds `resource_metadata`, which differs
/// between endpoints, and the rejection's message as `error_description`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge {
    /// The scheme that would do, `Bearer` for tokens.
    pub scheme: &'static str,
    /// `invalid_request`, `invalid_token` or `insufficient_scope`; none where the request brought no credential.
    pub error: Option<&'static str>,
    /// The scopes that are needed, with spaces between them.
    pub scope: Option<String>,
}

impl Challenge {
    /// A challenge for a bearer token, without an error.
    #[must_use]
    pub fn bearer() -> Self {
        Self { scheme: "Bearer", error: None, scope: None }
    }

    /// The same with an error.
    #[must_use]
    pub fn with_error(self, error: &'static str) -> Self {
        Self { error: Some(error), ..self }
    }

    /// The same with the scopes that are needed.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }
}

/// What clients are told about getting a credential for an endpoint (RFC 9728 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectedResource {
    /// The resource's identifier, a URL, in place of the endpoint's own. Told to the letter: clients and issuers compare texts.
    pub resource: Option<String>,
    /// The issuers. None: the gateway's own origin, where an OAuth façade is.
    pub authorization_servers: Vec<String>,
    /// The scopes that a client should ask for.
    pub scopes_supported: Vec<String>,
}

/// A request for a public page of an authenticator.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct PageRequest<'a> {
    /// GET or POST.
    pub method: &'a Method,
    /// The path.
    pub path: &'a str,
    /// The query, without the `?`.
    pub query: Option<&'a str>,
    /// The gateway's public origin, without a slash at its end.
    pub origin: &'a str,
    /// The whole body, bounded by the gateway.
    pub body: &'a [u8],
}

impl<'a> PageRequest<'a> {
    /// A request without query and body.
    #[must_use]
    pub fn new(method: &'a Method, path: &'a str, origin: &'a str) -> Self {
        Self { method, path, query: None, origin, body: &[] }
    }
}

/// A public page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// The body's type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Where a redirect leads.
    pub location: Option<Url>,
    /// For how long it may be kept; not at all when left out.
    pub max_age: Option<Duration>,
}

impl Page {
    /// A page of JSON that nobody keeps.
    #[must_use]
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json", body: body.into(), location: None, max_age: None }
    }

    /// A redirect (302).
    #[must_use]
    pub fn redirect(location: Url) -> Self {
        Self {
            status: StatusCode::FOUND,
            content_type: "text/plain; charset=utf-8",
            body: Bytes::new(),
            location: Some(location),
            max_age: None,
        }
    }
}

/// A client's certificate, verified against the listener's authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The subject's distinguished name (RFC 4514).
    pub subject: String,
    /// The issuer's distinguished name (RFC 4514): what the certificate says, which an authority may write of any other.
    pub issuer: String,
    /// Alternative names that are URIs (SPIFFE ids among them).
    pub uris: Vec<String>,
    /// Alternative names that are host names.
    pub dns_names: Vec<String>,
    /// Alternative names that are e-mail addresses.
    pub emails: Vec<String>,
    /// The authority of the listener's that vouches for it, with the certificates between: its distinguished name, and the SHA-256 of its key
    /// (`CN=ca;sha256=…`). `None` where whoever made the connection does not know.
    pub authority: Option<String>,
    /// When it expires.
    pub not_after: SystemTime,
    /// The SHA-256 of the whole certificate in DER (RFC 8705 §3.1). Without it, no token that is bound to a certificate is taken.
    pub thumbprint: Option<[u8; 32]>,
}

impl ClientCertificate {
    /// A certificate without alternative names, authority and thumbprint.
    #[must_use]
    pub fn new(subject: impl Into<String>, issuer: impl Into<String>, not_after: SystemTime) -> Self {
        Self {
            subject: subject.into(),
            issuer: issuer.into(),
            uris: Vec::new(),
            dns_names: Vec::new(),
            emails: Vec::new(),
            authority: None,
            not_after,
            thumbprint: None,
        }
    }
}
