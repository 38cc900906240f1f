//! What a provider knows: keys, tokens, codes, and what it was asked.

use super::{Algorithm, Client, Endpoint, IdpSpec, Key, Outage};
use anyhow::{Context, Result};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where.
    pub endpoint: Endpoint,
    /// Path and query.
    pub target: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The fields of a form, or of the query.
    pub form: HashMap<String, String>,
}

impl Asked {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A field of the form.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }
}

/// A code that waits to be traded.
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) claims: Map<String, Value>,
    /// Whether tokens may be renewed.
    pub(super) lasts: bool,
}

/// All of it, behind one lock each.
pub(super) struct State {
    pub(super) spec: IdpSpec,
    pub(super) issuer: String,
    /// The keys that are published, the newest last: that one signs.
    pub(super) keys: Mutex<Vec<Arc<Key>>>,
    /// Claims of the tokens that were written, by their text; a revoked one is not there.
    pub(super) tokens: Mutex<HashMap<String, Map<String, Value>>>,
    pub(super) codes: Mutex<HashMap<String, Code>>,
    pub(super) clients: Mutex<Vec<Client>>,
    pub(super) asked: Mutex<Vec<Asked>>,
    pub(super) outages: Mutex<HashMap<Endpoint, Outage>>,
    pub(super) lifetime: Mutex<std::time::Duration>,
    /// The scope that is withheld at the next login.
    pub(super) withheld: Mutex<Option<String>>,
    pub(super) changed: watch::Sender<()>,
    counter: Mutex<u64>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn new(spec: IdpSpec, issuer: String, first: Arc<Key>) -> Self {
        Self {
            issuer,
            keys: Mutex::new(vec![first]),
            tokens: Mutex::default(),
            codes: Mutex::default(),
            clients: Mutex::new(spec.clients.clone()),
            asked: Mutex::default(),
            outages: Mutex::default(),
            lifetime: Mutex::new(spec.lifetime),
            withheld: Mutex::default(),
            changed: watch::Sender::new(()),
            counter: Mutex::new(0),
            spec,
        }
    }

    /// The key that signs.
    pub(super) fn key(&self) -> Result<Arc<Key>> {
        lock(&self.keys).last().cloned().context("the provider has no key")
    }

    /// A new key that signs from now on, beside the old ones.
    pub(super) fn rotate(&self, algorithm: Algorithm) -> Result<Arc<Key>> {
        let key = Arc::new(Key::generate(self.unique("key"), algorithm)?);
        lock(&self.keys).push(Arc::clone(&key));
        Ok(key)
    }

    /// A word that was not given before.
    pub(super) fn unique(&self, what: &str) -> String {
        let mut counter = lock(&self.counter);
        *counter += 1;
        format!("{what}-{counter}")
    }

    pub(super) fn note(&self, asked: Asked) {
        lock(&self.asked).push(asked);
        self.changed.send_replace(());
    }

    /// The claims of a token that this provider wrote, that is not revoked and that has not expired.
    pub(super) fn known(&self, token: &str) -> Option<Map<String, Value>> {
        let claims = lock(&self.tokens).get(token).cloned()?;
        let expired = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp <= super::token::now());
        (!expired).then_some(claims)
    }
}
