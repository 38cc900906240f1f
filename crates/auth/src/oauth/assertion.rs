//! A client's signed statement of who it is (RFC 7523 §3, `private_key_jwt`).

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vmcp_core::plugin::StrategyError;
use zeroize::Zeroizing;

/// How long a statement is good.
const LIFE: Duration = Duration::from_secs(60);

/// The shortest RSA key that is used, in bytes (RFC 7518 §3.3).
const SHORTEST_RSA: usize = 256;

/// Signs statements with a private key, with the algorithm that the key is for.
pub(crate) struct Signer {
    key: Key,
    id: Option<String>,
}

enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// A signer with a key in PKCS #8, as PEM.
    ///
    /// # Errors
    /// What is wrong with the key, to follow "a key that".
    pub(super) fn new(pem: &SecretString, id: Option<&str>) -> Result<Self, &'static str> {
        let der = pkcs8(pem.expose_secret()).ok_or("is no private key in PKCS #8; `openssl pkcs8 -topk8 -nodes -in KEY` makes one")?;
        let key = if let Ok(key) = RsaKeyPair::from_pkcs8(&der) {
            if key.public_modulus_len() < SHORTEST_RSA {
                return Err("is shorter than 2048 bits; make a longer one");
            }
            Key::Rsa(key)
        } else if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
            Key::P256(key)
        } else {
            Key::Ed25519(Ed25519KeyPair::from_pkcs8(&der).map_err(|_| "is neither RSA nor P-256 nor Ed25519; make one of these")?)
        };
        Ok(Self { key, id: id.map(str::to_owned) })
    }

    /// A statement of the client `id` for `audience`.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub(super) fn statement(&self, id: &str, audience: &str) -> Result<Zeroizing<String>, StrategyError> {
        let failed = || StrategyError::Issuer("the client's statement cannot be signed".to_owned());
        let mut number = [0; 16];
        aws_lc_rs::rand::fill(&mut number).map_err(|_| failed())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| failed())?.as_secs();
        let mut head = json!({ "alg": self.key.algorithm(), "typ": "JWT" });
        if let Some(key) = &self.id {
            head["kid"] = json!(key);
        }
        let claims = json!({
            "iss": id,
            "sub": id,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(number),
            "iat": now,
            "exp": now + LIFE.as_secs(),
        });
        let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut statement = format!("{}.{}", encoded(&head), encoded(&claims));
        let signature = self.key.sign(statement.as_bytes()).ok_or_else(failed)?;
        statement.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut statement);
        Ok(Zeroizing::new(statement))
    }
}

impl Key {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::P256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
        }
    }
}

/// The bytes of the first `PRIVATE KEY` in a PEM text (RFC 7468 §10).
fn pkcs8(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::{
        encoding::AsDer,
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED, ED25519, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm},
    };

    fn pem(der: &[u8]) -> SecretString {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)).into()
    }

    fn check(der: &[u8], algorithm: &'static dyn VerificationAlgorithm, public: &[u8], name: &str) {
        let signer = Signer::new(&pem(der), Some("k1")).unwrap();
        let statement = signer.statement("gateway", "https://id.example.com/token").unwrap();
        let (message, signature) = statement.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(algorithm, public).verify(message.as_bytes(), &signature).unwrap();
        let part = |index| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(message.split('.').nth(index).unwrap()).unwrap()).unwrap()
        };
        assert_eq!(part(0), json!({ "alg": name, "typ": "JWT", "kid": "k1" }));
        let claims = part(1);
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("gateway"), &json!("gateway"), &json!("https://id.example.com/token"))
        );
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
        let again = signer.statement("gateway", "https://id.example.com/token").unwrap();
        assert_ne!(*again, *statement, "each statement has a number of its own");
    }

    #[test]
    fn a_statement_is_signed_with_the_algorithm_of_the_key() {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        check(der.as_ref(), &RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref(), "RS256");
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        check(p256.to_pkcs8v1().unwrap().as_ref(), &ECDSA_P256_SHA256_FIXED, p256.public_key().as_ref(), "ES256");
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        check(ed25519.to_pkcs8().unwrap().as_ref(), &ED25519, ed25519.public_key().as_ref(), "EdDSA");
    }

    #[test]
    fn what_is_no_private_key_is_refused_in_words() {
        assert!(Signer::new(&"hunter2".into(), None).err().unwrap().contains("PKCS #8"));
        assert!(Signer::new(&pem(b"hunter2"), None).err().unwrap().contains("neither RSA nor P-256 nor Ed25519"));
    }
}
