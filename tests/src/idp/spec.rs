//! What a provider is like, and how it fails.

use super::{Algorithm, Api};
use serde_json::{Map, Value};
use std::time::Duration;

/// A provider's traits. The default speaks OpenID Connect and RFC 8414, signs RS256, and knows the client `vmcp` with the secret
/// `vmcp-secret`.
#[derive(Clone, Debug)]
pub struct IdpSpec {
    /// The issuer's path, such as `/realms/acme`; empty for none.
    pub path: String,
    /// How its first key signs.
    pub algorithm: Algorithm,
    /// Whether it has `/.well-known/openid-configuration`.
    pub openid: bool,
    /// Whether it has `/.well-known/oauth-authorization-server`.
    pub oauth: bool,
    /// Whether it registers clients (RFC 7591).
    pub registers: bool,
    /// Whether it refuses the parameter `resource` (RFC 8707) at every endpoint.
    pub refuses_resource: bool,
    /// Whether it gives refresh tokens.
    pub renews: bool,
    /// The one API that it gives tokens for, and then it judges `resource` and scopes by that.
    pub api: Option<Api>,
    /// Whether it says in its answers to browsers who it is (RFC 9207).
    pub names_itself: bool,
    /// How long its tokens are good.
    pub lifetime: Duration,
    /// The clients that it knows.
    pub clients: Vec<Client>,
    /// Members of its metadata that differ from the true ones; `null` takes one away.
    pub metadata: Map<String, Value>,
}

impl Default for IdpSpec {
    fn default() -> Self {
        Self {
            path: String::new(),
            algorithm: Algorithm::Rs256,
            openid: true,
            oauth: true,
            registers: false,
            refuses_resource: false,
            renews: true,
            api: None,
            names_itself: true,
            lifetime: Duration::from_secs(3600),
            clients: vec![Client::confidential("vmcp", "vmcp-secret")],
            metadata: Map::new(),
        }
    }
}

/// A client of the provider's.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret; a public client has none.
    pub secret: Option<String>,
    /// Where codes may be sent, exactly; a loopback address matches with any port (RFC 8252 §7.3). Empty: anywhere.
    pub redirects: Vec<String>,
}

impl Client {
    /// A client with a secret.
    #[must_use]
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: Some(secret.to_owned()), redirects: Vec::new() }
    }

    /// A client without a secret, such as an editor.
    #[must_use]
    pub fn public(id: &str) -> Self {
        Self { id: id.to_owned(), secret: None, redirects: Vec::new() }
    }
}

/// What can be asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/.well-known/openid-configuration`.
    OpenId,
    /// `/.well-known/oauth-authorization-server` (RFC 8414).
    OAuth,
    /// The keys.
    Keys,
    /// Where a browser logs in. Here everybody is let in at once, as `login_hint` or `alice`.
    Authorize,
    /// Where tokens are given.
    Token,
    /// RFC 7662.
    Introspect,
    /// RFC 7591.
    Register,
    /// Anything else.
    Unknown,
}

/// How an endpoint fails.
#[derive(Clone, Debug)]
pub enum Outage {
    /// This status with a small JSON body.
    Status(u16),
    /// This body with status 200 and `application/json`.
    Body(String),
    /// A redirect (302) to this place.
    Redirect(String),
    /// The request is read and not answered until the outage is over; then the connection closes.
    Hang,
    /// The answer comes this late.
    Slow(Duration),
    /// The connection closes without an answer.
    Cut,
}
