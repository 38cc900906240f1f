//! An API that a provider knows by its URI, in the way of Microsoft Entra's version 2.

use super::{Asked, grants::Said};
use serde_json::{Map, Value, json};

/// What a client may ask for beside an API's scopes.
const OF_NONE: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// An API. Its scopes are asked for with its URI before them, `URI/SCOPE`, and stand in tokens without, in `scp`; a word without a URI is
/// another API's. `resource` is refused unless it is the URI to the letter, at every endpoint. Tokens are for its id, and only who asks
/// for `offline_access` is given one to renew them with.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its Application ID URI.
    pub uri: String,
    /// Its client id, which is the `aud` of its tokens.
    pub id: String,
    /// Its scopes.
    pub scopes: Vec<String>,
}

fn refused(error: &str, why: &str) -> Said {
    (400, json!({ "error": error, "error_description": why }))
}

impl Api {
    /// Puts into `claims` what follows from a request; they hold what was granted before, if anything was.
    pub(super) fn asked_for(&self, asked: &Asked, claims: &mut Map<String, Value>) -> Result<(), Said> {
        if let Some(scopes) = asked.field("scope") {
            let mut granted = Vec::new();
            for scope in scopes.split_ascii_whitespace().filter(|scope| !OF_NONE.contains(scope)) {
                let own = scope.strip_prefix(&self.uri).and_then(|rest| rest.strip_prefix('/'));
                let own = own.filter(|own| self.scopes.iter().any(|known| known == own));
                granted.push(own.ok_or_else(|| refused("invalid_scope", "a scope that the default resource does not have"))?);
            }
            if granted.is_empty() {
                return Err(refused("invalid_scope", "a token for no API"));
            }
            claims.insert("scp".to_owned(), granted.join(" ").into());
        }
        if !claims.contains_key("scp") {
            return Err(refused("invalid_request", "scope is required"));
        }
        if asked.field("resource").is_some_and(|resource| resource != self.uri) {
            return Err(refused("invalid_target", "the resource is not that of the scopes"));
        }
        claims.insert("aud".to_owned(), self.id.as_str().into());
        claims.insert("ver".to_owned(), "2.0".into());
        if let Some(client) = claims.remove("client_id") {
            claims.insert("azp".to_owned(), client);
        }
        Ok(())
    }

    /// What a client is told of the scopes that it was granted.
    pub(super) fn told(&self, claims: &Map<String, Value>) -> Value {
        let granted = claims.get("scp").and_then(Value::as_str).unwrap_or_default().split(' ');
        granted.map(|scope| format!("{}/{scope}", self.uri)).collect::<Vec<_>>().join(" ").into()
    }
}
