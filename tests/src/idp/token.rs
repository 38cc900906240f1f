//! Tokens, written member by member.

use super::{
    Key,
    state::{State, lock},
};
use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A token in the making: as the provider would write it, until something is changed.
#[derive(Clone)]
pub struct Token {
    state: Arc<State>,
    key: Arc<Key>,
    head: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Token {
    pub(super) fn new(state: &Arc<State>, key: Arc<Key>) -> Self {
        let mut head = Map::new();
        head.insert("alg".to_owned(), key.algorithm.name().into());
        head.insert("kid".to_owned(), key.id.clone().into());
        head.insert("typ".to_owned(), "at+jwt".into());
        let lifetime = i64::try_from(lock(&state.lifetime).as_secs()).unwrap_or(i64::MAX);
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), state.issuer.clone().into());
        claims.insert("sub".to_owned(), "alice".into());
        claims.insert("aud".to_owned(), "vmcp".into());
        claims.insert("iat".to_owned(), now().into());
        claims.insert("exp".to_owned(), (now() + lifetime).into());
        claims.insert("jti".to_owned(), state.unique("token").into());
        Self { state: Arc::clone(state), key, head, claims }
    }

    /// Whose it is; `alice` unless set.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", json!(subject))
    }

    /// For whom it is; `vmcp` unless set.
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", json!(audience))
    }

    /// What it allows, words apart by spaces.
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", json!(scope))
    }

    /// For how many seconds it is good; negative for one that is over.
    #[must_use]
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", json!(now() + seconds))
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Takes a claim away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the head; `null` takes it away.
    #[must_use]
    pub fn head(mut self, name: &str, value: Value) -> Self {
        if value.is_null() {
            self.head.remove(name);
        } else {
            self.head.insert(name.to_owned(), value);
        }
        self
    }

    /// Signs with another key, whatever the head says.
    #[must_use]
    pub fn key(mut self, key: &Arc<Key>) -> Self {
        self.key = Arc::clone(key);
        self
    }

    /// The head as JSON.
    #[must_use]
    pub fn head_json(&self) -> String {
        Value::Object(self.head.clone()).to_string()
    }

    /// The claims as JSON.
    #[must_use]
    pub fn claims_json(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// The signed token. The provider knows it from now on: it can be introspected and exchanged.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(self) -> Result<String> {
        let token = signed(&self.key, &self.head_json(), &self.claims_json())?;
        lock(&self.state.tokens).insert(token.clone(), self.claims);
        Ok(token)
    }

    /// A token of which nothing can be read, for introspection.
    #[must_use]
    pub fn opaque(self) -> String {
        // Long enough that it stands nowhere by chance.
        let token = format!("{}-7d0a35c1e99b", self.state.unique("opaque"));
        lock(&self.state.tokens).insert(token.clone(), self.claims);
        token
    }
}

/// Head and claims, written as they are, signed with a key.
pub(super) fn signed(key: &Key, head: &str, claims: &str) -> Result<String> {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
