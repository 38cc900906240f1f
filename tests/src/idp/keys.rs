//! Keys that sign, and what is published of them.

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// How a key signs (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 padding.
    Rs256,
    /// RSA with PSS padding.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in a token's head.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

/// A private key with its id.
pub struct Key {
    /// Its id, `kid`.
    pub id: String,
    /// How it signs.
    pub algorithm: Algorithm,
    pair: Pair,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    /// A new key. An RSA one takes a moment.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(id: impl Into<String>, algorithm: Algorithm) -> Result<Self> {
        let failed = |_| anyhow!("no key could be made");
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)),
            Algorithm::Es256 => Pair::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?)),
            Algorithm::Es384 => Pair::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?)),
            Algorithm::EdDsa => Pair::Ed(Box::new(Ed25519KeyPair::generate().map_err(failed)?)),
        };
        Ok(Self { id: id.into(), algorithm, pair })
    }

    /// The signature of these bytes, as it stands in a JWT.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding = if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, bytes, &mut signature).map_err(|_| anyhow!("RSA did not sign"))?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&random, bytes).map_err(|_| anyhow!("ECDSA did not sign"))?.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.sign(bytes).as_ref().to_vec()),
        }
    }

    /// What is published of it (RFC 7517 §4).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (modulus, exponent) = rsa_parts(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": text(modulus), "e": text(exponent) })
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.algorithm == Algorithm::Es384 { "P-384" } else { "P-256" };
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }),
        };
        if let Value::Object(jwk) = &mut jwk {
            jwk.insert("kid".to_owned(), self.id.clone().into());
            jwk.insert("alg".to_owned(), self.algorithm.name().into());
            jwk.insert("use".to_owned(), "sig".into());
        }
        jwk
    }

    /// The public key's bytes, which a forger would take for an HMAC secret.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1) of 2048 bits: `30 82 .. ..  02 82 01 01 00 <256>  02 03 <3>`.
fn rsa_parts(der: &[u8]) -> (&[u8], &[u8]) {
    (der.get(9..265).unwrap_or_default(), der.get(267..270).unwrap_or_default())
}
