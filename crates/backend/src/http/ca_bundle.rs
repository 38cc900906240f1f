//! The authorities that a configuration trusts: certificates in PEM.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::fmt;

/// Why no connection could be checked against a bundle of authorities. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaBundleError {
    /// A part of it is broken.
    NotPem,
    /// One of its certificates is none, or none that can vouch for others.
    Unusable,
    /// There is no certificate in it.
    Empty,
}

impl fmt::Display for CaBundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPem => "it is not PEM",
            Self::Unusable => "it has a certificate that cannot be used",
            Self::Empty => "it has no certificate",
        })
    }
}

impl std::error::Error for CaBundleError {}

/// Whether a backend can be set up with this bundle (PEM).
///
/// # Errors
/// When it cannot: then every connection with it would fail.
pub fn check_ca_bundle(pem: &[u8]) -> Result<(), CaBundleError> {
    roots(pem).map(drop)
}

/// What connections are checked against.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, CaBundleError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| CaBundleError::NotPem)?;
        store.add(certificate).map_err(|_| CaBundleError::Unusable)?;
    }
    if store.is_empty() { Err(CaBundleError::Empty) } else { Ok(store) }
}

#[cfg(test)]
mod tests {
    use super::{CaBundleError::*, *};

    #[test]
    fn a_bundle_has_certificates_and_all_of_them_can_be_used() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = signed.cert.pem();
        assert_eq!(check_ca_bundle(good.as_bytes()), Ok(()));
        assert_eq!(check_ca_bundle(format!("# ours\n{good}{good}").as_bytes()), Ok(()));
        assert_eq!(check_ca_bundle(b""), Err(Empty));
        assert_eq!(check_ca_bundle(signed.signing_key.serialize_pem().as_bytes()), Err(Empty));
        let (begin, end) = ("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n");
        assert_eq!(check_ca_bundle(format!("{begin}aGVsbG8=\n{end}").as_bytes()), Err(Unusable));
        assert_eq!(check_ca_bundle(format!("{begin}!!\n{end}").as_bytes()), Err(NotPem));
    }
}
