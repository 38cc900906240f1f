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
