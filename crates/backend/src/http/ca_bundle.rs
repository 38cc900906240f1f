//! The authorities that a configuration trusts: certificates in PEM.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use vmcp_core::plugin::CaBundleError;

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
    use super::{super::HttpFetch, *};
    use vmcp_core::plugin::{
        CaBundle,
        CaBundleError::{Empty, NotPem, Unusable},
        Fetch as _,
    };

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
        // Plugins are told the same.
        let told = |pem: &str| HttpFetch::default().check_ca_bundle(&CaBundle::new(pem.as_bytes()));
        assert_eq!((told(&good), told(begin)), (Ok(()), check_ca_bundle(begin.as_bytes())));
        assert!(told(begin).is_err());
    }
}
