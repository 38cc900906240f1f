//! Whether a file of certificate authorities can be used, said before a backend is set up with it.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Why no connection could be checked against this PEM text. The words quote nothing of it.
pub(super) fn check(pem: &[u8]) -> Result<(), &'static str> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "it is not PEM")?;
        store.add(certificate).map_err(|_| "it has a certificate that cannot be used")?;
    }
    if store.is_empty() { Err("it has no certificate") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_certificates_and_all_of_them_can_be_used() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = signed.cert.pem();
        assert_eq!(check(good.as_bytes()), Ok(()));
        assert_eq!(check(format!("# ours\n{good}{good}").as_bytes()), Ok(()));
        assert_eq!(check(b""), Err("it has no certificate"));
        assert_eq!(check(signed.signing_key.serialize_pem().as_bytes()), Err("it has no certificate"));
        let (begin, end) = ("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n");
        assert_eq!(check(format!("{begin}aGVsbG8=\n{end}").as_bytes()), Err("it has a certificate that cannot be used"));
        assert_eq!(check(format!("{begin}!!\n{end}").as_bytes()), Err("it is not PEM"));
    }
}
