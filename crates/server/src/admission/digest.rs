//! Hashes of what decisions depend on.

use serde_json::Value;
use vmcp_auth::Identity;
use vmcp_core::PartsHasher;

/// Adds a JSON value.
fn add(hasher: &mut PartsHasher, value: &Value) {
    match value {
        Value::Null => _ = hasher.part(b"0"),
        Value::Bool(value) => _ = hasher.part(if *value { b"t" } else { b"f" }),
        Value::Number(number) => _ = hasher.part(b"n").part(number.to_string().as_bytes()),
        Value::String(text) => _ = hasher.part(b"s").part(text.as_bytes()),
        Value::Array(items) => {
            hasher.part(b"a").count(items.len());
            items.iter().for_each(|item| add(hasher, item));
        }
        Value::Object(members) => {
            hasher.part(b"o").count(members.len());
            for (key, value) in members {
                add(hasher.part(key.as_bytes()), value);
            }
        }
    }
}

/// Of what a credential allows: the same for one that was renewed without a change of that, where its authenticator tells such apart.
pub(crate) fn rights(identity: &Identity) -> [u8; 16] {
    match identity.strategy_context("").standing {
        Some(standing) => PartsHasher::new().part(standing.as_bytes()).finish(),
        None => of_identity(identity),
    }
}

/// Of everything in an identity that decisions may read.
pub(super) fn of_identity(identity: &Identity) -> [u8; 16] {
    let mut hasher = PartsHasher::new();
    let principal = identity.principal();
    hasher.part(principal.issuer.as_bytes()).part(principal.subject.as_bytes());
    hasher.count(identity.claims().len());
    for (name, value) in identity.claims() {
        add(hasher.part(name.as_bytes()), value);
    }
    hasher.count(identity.groups().len());
    for group in identity.groups() {
        hasher.part(group.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vmcp_core::plugin::{Authenticated, Principal};

    fn of(standing: Option<&str>, level: u32) -> [u8; 16] {
        let mut who = Authenticated::new(Principal { issuer: "i".into(), subject: "ann".into() });
        who.standing = standing.map(Into::into);
        who.claims.insert("level".to_owned(), json!(level));
        rights(&Identity::new(who))
    }

    #[test]
    fn rights_are_what_an_authenticator_tells_apart_or_all_that_is_known() {
        assert_eq!(of(Some("x"), 1), of(Some("x"), 2));
        assert_ne!(of(Some("x"), 1), of(Some("y"), 1));
        assert_ne!(of(None, 1), of(None, 2));
        assert_eq!(of(None, 1), of(None, 1));
    }
}
