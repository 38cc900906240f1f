//! The authorities whose clients' certificates are taken, and which of them vouches for one.

use super::certificate;
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::sync::Arc;

/// The authorities of one file, in its order.
pub(super) struct Authorities(Vec<Authority>);

/// One authority with a verifier of its own: one for all of them says that a chain is good, and not where it ends.
struct Authority {
    name: String,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// Why authorities cannot be used.
pub(super) const UNUSABLE: &str = "it has a certificate that cannot be used";

impl Authorities {
    /// Reads the certificates.
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Self, &'static str> {
        let all = certificates.into_iter().map(|certificate| {
            let name = certificate::authority(&certificate).ok_or(UNUSABLE)?;
            let mut roots = RootCertStore::empty();
            roots.add(certificate).map_err(|_| UNUSABLE)?;
            Ok(Authority { name, verifier: verifier(roots, provider, true)? })
        });
        all.collect::<Result<_, _>>().map(Self)
    }

    /// The name of the authority that a chain leads to: of the first one, where several vouch for it.
    pub(super) fn name(&self, shown: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Option<&str> {
        let now = UnixTime::now();
        let vouches = |authority: &&Authority| authority.verifier.verify_client_cert(shown, chain, now).is_ok();
        self.0.iter().find(vouches).map(|authority| authority.name.as_str())
    }
}

/// What checks clients' certificates in a handshake.
pub(super) fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
    is_required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, &'static str> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map(|verifier| verifier as Arc<dyn ClientCertVerifier>).map_err(|_| "its certificates cannot be used")
}
