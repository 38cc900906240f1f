//! Tokens that no honest provider writes.

use super::{Key, token::signed};
use anyhow::Result;
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A token without a signature (`alg: none`), whatever else the head says.
#[must_use]
pub fn unsigned(head: &str, claims: &str) -> String {
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
}

/// A token signed by HMAC with `secret`, for which forgers take a public key.
#[must_use]
pub fn hmac(secret: &[u8], head: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A properly signed token around any two texts: members that stand twice, no JSON at all.
///
/// # Errors
/// When the key does not sign.
pub fn raw(key: &Key, head: &str, claims: &str) -> Result<String> {
    signed(key, head, claims)
}
