//! Hashes of what decisions depend on.

use serde_json::Value;
use vmcp_auth::Identity;

/// 16 bytes that tell any two of what was added apart: everything is added with its length.
pub(super) struct Digest(blake3::Hasher);

impl Digest {
    pub(super) fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn finish(&self) -> [u8; 16] {
        let mut out = [0; 16];
        self.0.finalize_xof().fill(&mut out);
        out
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => _ = self.0.update(b"0"),
            Value::Bool(value) => _ = self.0.update(if *value { b"t" } else { b"f" }),
            Value::Number(number) => _ = self.mark(b'n', 0).bytes(number.to_string().as_bytes()),
            Value::String(text) => _ = self.mark(b's', 0).bytes(text.as_bytes()),
            Value::Array(items) => {
                self.mark(b'a', items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(members) => {
                self.mark(b'o', members.len());
                for (key, value) in members {
                    self.bytes(key.as_bytes()).value(value);
                }
            }
        }
    }

    fn mark(&mut self, kind: u8, length: usize) -> &mut Self {
        self.0.update(&[kind]);
        self.0.update(&(length as u64).to_le_bytes());
        self
    }
}

/// Of what a credential allows: the same for one that was renewed without a change of that, where its authenticator tells such apart.
pub(crate) fn rights(identity: &Identity) -> [u8; 16] {
    match identity.strategy_context("").standing {
        Some(standing) => Digest::new().bytes(standing.as_bytes()).finish(),
        None => of_identity(identity),
    }
}

/// Of everything in an identity that decisions may read.
pub(super) fn of_identity(identity: &Identity) -> [u8; 16] {
    let mut digest = Digest::new();
    let principal = identity.principal();
    digest.bytes(principal.issuer.as_bytes()).bytes(principal.subject.as_bytes());
    digest.mark(b'o', identity.claims().len());
    for (name, value) in identity.claims() {
        digest.bytes(name.as_bytes()).value(value);
    }
    digest.mark(b'a', identity.groups().len());
    for group in identity.groups() {
        digest.bytes(group.as_bytes());
    }
    digest.finish()
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
