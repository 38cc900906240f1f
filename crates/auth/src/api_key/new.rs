//! New keys.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;

/// A key that nobody had before, and what the configuration holds of it.
pub struct NewApiKey {
    key: SecretString,
    hash: String,
}

impl NewApiKey {
    /// Makes one; `None` when the system has no randomness.
    #[must_use]
    pub fn make() -> Option<Self> {
        let mut bits = [0; 32];
        rand::fill(&mut bits).ok()?;
        let key = format!("vmcp_{}", URL_SAFE_NO_PAD.encode(bits));
        let mut hash = String::from("sha256:");
        for byte in digest(&SHA256, key.as_bytes()).as_ref() {
            // Writing to text cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Some(Self { key: key.into(), hash })
    }

    /// The key, for its owner: `vmcp_` and 256 random bits. It is kept nowhere.
    #[must_use]
    pub fn expose_key(&self) -> &str {
        self.key.expose_secret()
    }

    /// `sha256:…`, for the configuration. Nobody gets back to the key from it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
