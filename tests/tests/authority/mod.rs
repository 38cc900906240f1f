//! A certificate authority of a test's own.

#![allow(dead_code, reason = "each test takes what it needs")]

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fs, path::Path, sync::Arc};
use tokio_rustls::TlsConnector;

pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// A certificate with those between it and its authority, and its key.
pub(crate) struct Client(pub(crate) Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn named(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    parts.iter().for_each(|(kind, value)| name.push(kind.clone(), *value));
    name
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&[(DnType::CommonName, name)]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Writes its own certificate.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        Ok(fs::write(file, self.0.as_ref().pem())?)
    }

    /// Writes a new `server.pem` and `server.key` for `localhost`, each in the place of the former at once.
    pub(crate) fn certify_server(&self, folder: &Path) -> Result<()> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(["localhost".to_owned()])?;
        for (name, text) in [("server.pem", params.signed_by(&key, &self.0)?.pem()), ("server.key", key.serialize_pem())] {
            let new = folder.join(format!("{name}.new"));
            fs::write(&new, text)?;
            fs::rename(new, folder.join(name))?;
        }
        Ok(())
    }

    /// A certificate for a client of this name.
    pub(crate) fn certify_client(&self, name: &str) -> Result<Client> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&[(DnType::OrganizationName, "Example"), (DnType::CommonName, name)]);
        params.subject_alt_names = vec![SanType::URI("spiffe://example.org/agent".try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Client(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }
}

/// Connects as somebody who trusts this authority.
pub(crate) fn connector(
    trusted: &Authority,
    client: Option<Client>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.as_ref().der().clone())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_protocol_versions(versions)?;
    let builder = builder.with_root_certificates(roots);
    let mut config = match client {
        Some(Client(chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
