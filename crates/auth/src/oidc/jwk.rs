//! Published keys (RFC 7517).

use super::algorithm::{Algorithm, Curve, Material};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// So many keys of an issuer are used; issuers publish two or three.
const MOST: usize = 64;

/// A key that may verify tokens.
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm, where the key says so.
    algorithm: Option<Algorithm>,
    material: Material,
    /// Set when the issuer publishes it no more: what was verified with it is no longer believed.
    retired: AtomicBool,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

/// The keys of a document that may verify tokens. What is of another type, for another use or broken is left out, as RFC 7517 §5 asks.
/// `None` when it is no key set.
pub(super) fn read(document: &[u8]) -> Option<Vec<Key>> {
    let set: Jwks = serde_json::from_slice(document).ok()?;
    Some(set.keys.into_iter().filter_map(|key| Key::read(serde_json::from_value(key).ok()?)).take(MOST).collect())
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_signatures {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?.trim_end_matches('=')).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
            ("EC", Some(curve)) => {
                let (curve, length) = match curve {
                    "P-256" => (Curve::P256, 32),
                    "P-384" => (Curve::P384, 48),
                    "P-521" => (Curve::P521, 66),
                    _ => return None,
                };
                let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
                if x.len() != length || y.len() != length {
                    return None;
                }
                Material::Ec { curve, point: [&[4], x.as_slice(), &y].concat() }
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
            _ => return None,
        };
        let algorithm = match jwk.alg.as_deref() {
            Some(name) => Some(Algorithm::named(name).filter(|algorithm| algorithm.fits(&material))?),
            None => None,
        };
        Some(Self { id: jwk.kid, algorithm, material, retired: AtomicBool::new(false) })
    }

    /// Whether a token with this head may be signed with it. A token without `kid` may be of any key.
    pub(super) fn may_have_signed(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        id.is_none_or(|id| self.id.as_deref() == Some(id))
            && self.algorithm.is_none_or(|only| only == algorithm)
            && algorithm.fits(&self.material)
    }

    /// Whether it signed this.
    pub(super) fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        algorithm.verifies(&self.material, message, signature)
    }

    /// Whether the issuer publishes it no more.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.algorithm == other.algorithm && self.material == other.material
    }
}

/// The keys after a refresh: those that stay are the same objects, so that what they verified stays known; those that went are retired.
pub(super) fn renewed(old: &[Arc<Key>], new: Vec<Key>) -> Vec<Arc<Key>> {
    let kept: Vec<Arc<Key>> =
        new.into_iter().map(|key| old.iter().find(|known| known.is(&key)).map_or_else(|| Arc::new(key), Arc::clone)).collect();
    for key in old.iter().filter(|key| !kept.iter().any(|stays| Arc::ptr_eq(stays, key))) {
        key.retired.store(true, Ordering::Relaxed);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(keys: &Value) -> Vec<Key> {
        read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn ed(id: &str, mut more: Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": URL_SAFE_NO_PAD.encode([7; 32]) });
        key.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
        key
    }

    #[test]
    fn keys_of_other_types_and_uses_are_left_out_and_the_others_stay() {
        let set = json!([
            ed("good", json!({})),
            ed("encrypts", json!({ "use": "enc" })),
            ed("signs", json!({ "key_ops": ["sign"] })),
            ed("contradicts", json!({ "alg": "RS256" })),
            ed("broken", json!({ "x": "***" })),
            { "kty": "oct", "kid": "secret", "k": "AAAA" },
            { "kty": "EC", "crv": "secp256k1", "kid": "other", "x": "AAAA", "y": "AAAA" },
            { "kty": "EC", "crv": "P-256", "kid": "short", "x": "AAAA", "y": "AAAA" },
            "no key",
            { "kid": "nothing" },
        ]);
        let ids: Vec<_> = keys(&set).into_iter().filter_map(|key| key.id).collect();
        assert_eq!(ids, ["good"]);
        assert!(read(b"[]").is_none() && read(b"<html>").is_none());
    }

    #[test]
    fn a_key_is_good_for_its_own_algorithm_and_id() {
        let [key] = <[Key; 1]>::try_from(keys(&json!([ed("a", json!({ "alg": "EdDSA" }))]))).ok().unwrap();
        assert!(key.may_have_signed(Some("a"), Algorithm::EdDsa) && key.may_have_signed(None, Algorithm::EdDsa));
        assert!(!key.may_have_signed(Some("b"), Algorithm::EdDsa) && !key.may_have_signed(Some("a"), Algorithm::Es256));
        let rsa = keys(&json!([{ "kty": "RSA", "n": "AAAA", "e": "AQAB", "alg": "PS256", "kid": "r" }])).remove(0);
        assert!(rsa.may_have_signed(Some("r"), Algorithm::Ps256) && !rsa.may_have_signed(Some("r"), Algorithm::Rs256));
    }

    #[test]
    fn keys_that_stay_are_the_same_and_those_that_go_are_retired() {
        let first = renewed(&[], keys(&json!([ed("a", json!({})), ed("b", json!({}))])));
        let second = renewed(&first, keys(&json!([ed("b", json!({})), ed("c", json!({}))])));
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        assert_eq!((first[0].is_retired(), first[1].is_retired(), second[1].is_retired()), (true, false, false));
    }

    #[test]
    fn no_more_keys_are_kept_than_an_issuer_could_need() {
        let many: Vec<_> = (0..1000).map(|n| ed(&n.to_string(), json!({}))).collect();
        assert_eq!(keys(&many.into()).len(), MOST);
    }
}
