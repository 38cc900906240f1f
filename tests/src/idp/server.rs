//! The handle that a test holds.

use super::{
    Algorithm, Asked, Client, Endpoint, IdpSpec, Key, Outage, Token,
    serve::handle,
    state::{State, lock},
};
use crate::{PATIENCE, port::Port};
use anyhow::{Context, Result, anyhow};
use hyper::service::service_fn;
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::net::TcpListener;

/// A running provider. Dropping it stops it.
pub struct Idp {
    state: Arc<State>,
    port: Port,
}

/// The first RSA key, made once for all providers of a test program: making one takes a moment.
fn first_rsa() -> Result<Arc<Key>> {
    static KEY: OnceLock<Option<Arc<Key>>> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("key-0", Algorithm::Rs256).ok().map(Arc::new)).clone().context("no RSA key could be made")
}

impl Idp {
    /// A provider as [`IdpSpec::default`] says.
    ///
    /// # Errors
    /// When no port can be bound or no key made.
    pub async fn start() -> Result<Self> {
        Self::with(IdpSpec::default()).await
    }

    /// A provider with other traits.
    ///
    /// # Errors
    /// When no port can be bound or no key made.
    pub async fn with(spec: IdpSpec) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("binding a provider's port")?;
        let addr = listener.local_addr()?;
        let first = match spec.algorithm {
            Algorithm::Rs256 => first_rsa()?,
            other => Arc::new(Key::generate("key-0", other)?),
        };
        let issuer = format!("http://{addr}{}", spec.path);
        let state = Arc::new(State::new(spec, issuer, first));
        let serving = Arc::clone(&state);
        let port = Port::serve(listener, move || {
            let state = Arc::clone(&serving);
            service_fn(move |request| handle(Arc::clone(&state), request))
        })?;
        Ok(Self { state, port })
    }

    /// Its name, exactly as its tokens say it: no slash at the end.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// The settings of a gateway that trusts it: `incomingAuth.oidc` of a configuration, or one of its `issuers`, and what `more` adds.
    #[must_use]
    pub fn settings(&self, more: Value) -> Value {
        let mut settings = json!({ "issuer": self.issuer(), "audience": "vmcp", "insecureAllowHttp": true, "jwksAllowPrivateIp": true });
        if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
            settings.extend(more);
        }
        settings
    }

    /// The URL of something below the issuer, such as `/jwks`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.state.issuer)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// A token in the making: for `alice`, audience `vmcp`, good for [`IdpSpec::lifetime`], signed with the newest key.
    ///
    /// # Errors
    /// When all keys were taken away.
    pub fn token(&self) -> Result<Token> {
        Ok(Token::new(&self.state, self.state.key()?))
    }

    /// A signed token of this subject, for the audience `vmcp`.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token_of(&self, subject: &str) -> Result<String> {
        self.token()?.subject(subject).sign()
    }

    /// Forgets a token: it is no longer active, and cannot be exchanged.
    pub fn revoke(&self, token: &str) {
        lock(&self.state.tokens).remove(token);
    }

    /// How long the tokens are good that are given from now on.
    pub fn set_lifetime(&self, lifetime: Duration) {
        *lock(&self.state.lifetime) = lifetime;
    }

    /// Whoever logs in next does not allow this scope, and everything else that is asked for.
    pub fn withhold(&self, scope: &str) {
        *lock(&self.state.withheld) = Some(scope.to_owned());
    }

    /// Makes one more client known.
    pub fn register(&self, client: Client) {
        lock(&self.state.clients).push(client);
    }

    /// The key that signs.
    ///
    /// # Errors
    /// When all were taken away.
    pub fn key(&self) -> Result<Arc<Key>> {
        self.state.key()
    }

    /// Publishes a new key and signs with it from now on. Tokens of the old ones stay good.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate(&self, algorithm: Algorithm) -> Result<Arc<Key>> {
        self.state.rotate(algorithm)
    }

    /// Takes all keys but the newest away: their tokens are no longer good.
    pub fn retire(&self) {
        let mut keys = lock(&self.state.keys);
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// An endpoint fails this way from now on.
    pub fn fail(&self, endpoint: Endpoint, outage: Outage) {
        lock(&self.state.outages).insert(endpoint, outage);
        self.state.changed.send_replace(());
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        lock(&self.state.outages).clear();
        self.state.changed.send_replace(());
    }

    /// How often an endpoint was asked.
    #[must_use]
    pub fn hits(&self, endpoint: Endpoint) -> usize {
        lock(&self.state.asked).iter().filter(|asked| asked.endpoint == endpoint).count()
    }

    /// Everything that an endpoint was asked, in order.
    #[must_use]
    pub fn asked(&self, endpoint: Endpoint) -> Vec<Asked> {
        lock(&self.state.asked).iter().filter(|asked| asked.endpoint == endpoint).cloned().collect()
    }

    /// Forgets what was asked so far.
    pub fn forget_asked(&self) {
        lock(&self.state.asked).clear();
    }

    /// Waits until `condition` holds of this provider; looks at every request.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`]; the message is `what`.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<()> {
        let mut changed = self.state.changed.subscribe();
        let wait = async {
            while !condition(self) {
                if changed.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| anyhow!("the provider never saw: {what}"))
    }

    /// Closes the port and cuts every connection.
    pub fn kill(&self) {
        self.port.close();
    }

    /// Listens again on the same port, with everything that it knew.
    ///
    /// # Errors
    /// When the port has been taken meanwhile.
    pub async fn restart(&self) -> Result<()> {
        self.port.reopen().await
    }
}
