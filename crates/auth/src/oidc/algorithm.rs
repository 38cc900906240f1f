//! The signature algorithms that are taken: asymmetric ones only.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// How a token is signed (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864). What anybody could make who knows the public key (`none`, HMAC) has no
/// place here, so that no check can forget it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

/// The public half of a key, by its type.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// Modulus and exponent, most significant byte first.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point of a curve, uncompressed.
    Ec { curve: Curve, point: Vec<u8> },
    /// An Ed25519 key.
    Ed25519(Vec<u8>),
}

/// The curves of RFC 7518 §6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Algorithm {
    /// The algorithm of a head's or a key's `alg`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Whether keys of this type sign so.
    pub(super) fn fits(self, material: &Material) -> bool {
        match material {
            Material::Rsa { .. } => self.rsa().is_some(),
            Material::Ec { curve, .. } => self.ec().is_some_and(|(_, needed)| needed == *curve),
            Material::Ed25519(_) => self == Self::EdDsa,
        }
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::Es512 | Self::EdDsa => return None,
        })
    }

    fn ec(self) -> Option<(&'static EcdsaVerificationAlgorithm, Curve)> {
        Some(match self {
            Self::Es256 => (&ECDSA_P256_SHA256_FIXED, Curve::P256),
            Self::Es384 => (&ECDSA_P384_SHA384_FIXED, Curve::P384),
            Self::Es512 => (&ECDSA_P521_SHA512_FIXED, Curve::P521),
            _ => return None,
        })
    }

    /// Whether `signature` is that of `message`, made with the private half of `key`.
    pub(super) fn verifies(self, key: &Material, message: &[u8], signature: &[u8]) -> bool {
        match key {
            Material::Rsa { n, e } => {
                self.rsa().is_some_and(|with| RsaPublicKeyComponents { n, e }.verify(with, message, signature).is_ok())
            }
            Material::Ec { curve, point } => self
                .ec()
                .is_some_and(|(with, needed)| needed == *curve && UnparsedPublicKey::new(with, point).verify(message, signature).is_ok()),
            Material::Ed25519(key) => self == Self::EdDsa && UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
        }
    }
}
