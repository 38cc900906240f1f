//! Getting a connection: name, TCP, TLS.

use super::{ca_bundle::roots, public::PublicOnly};
use crate::ErrorKind;
use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connection, HttpConnector},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, ConfigBuilder,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use secrecy::ExposeSecret;
use std::{error::Error as StdError, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tower::ServiceExt;
use vmcp_core::{config::Span, plugin::ClientIdentity};

/// A connection, plain or TLS.
pub(crate) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections for one TLS profile.
#[derive(Clone)]
pub(crate) enum Connector {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
    /// The same two, to public addresses only.
    PlainPublic(HttpConnector<PublicOnly>),
    TlsPublic(HttpsConnector<HttpConnector<PublicOnly>>),
}

impl Connector {
    /// A connector for `http` alone, which needs no certificates.
    pub(crate) fn plain(limit: Duration) -> Self {
        Self::Plain(tcp(limit))
    }

    /// A connector for `https` too. Certificates are checked as the platform does, or against `ca_bundle` (PEM) alone.
    ///
    /// # Errors
    /// What is wrong with the bundle or the platform's certificates.
    pub(crate) fn tls(ca_bundle: Option<&[u8]>, http2: bool, limit: Duration) -> Result<Self, String> {
        let builder = HttpsConnectorBuilder::new().with_tls_config(trusting(ca_bundle)?).https_or_http().enable_http1();
        Ok(Self::Tls(if http2 { builder.enable_http2().wrap_connector(tcp(limit)) } else { builder.wrap_connector(tcp(limit)) }))
    }

    /// As [`Self::tls`] with HTTP/1.1, showing a certificate to servers that ask for one.
    ///
    /// # Errors
    /// What is wrong with the bundle, the platform's certificates, or the identity.
    pub(crate) fn tls_as(identity: &ClientIdentity, ca_bundle: Option<&[u8]>, limit: Duration) -> Result<Self, String> {
        let (certificates, key) = pair(identity)?;
        let wrong = |error: rustls::Error| format!("the client certificate and its key do not fit: {error}");
        let config = verifying(ca_bundle)?.with_client_auth_cert(certificates, key).map_err(wrong)?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        Ok(Self::Tls(builder.wrap_connector(tcp(limit))))
    }

    /// As [`Self::plain`], for names that somebody else chose.
    pub(crate) fn plain_public(limit: Duration) -> Self {
        Self::PlainPublic(set_up(HttpConnector::new_with_resolver(PublicOnly), limit))
    }

    /// As [`Self::tls`] with HTTP/1.1, for names that somebody else chose.
    ///
    /// # Errors
    /// What is wrong with the bundle or the platform's certificates.
    pub(crate) fn tls_public(ca_bundle: Option<&[u8]>, limit: Duration) -> Result<Self, String> {
        let builder = HttpsConnectorBuilder::new().with_tls_config(trusting(ca_bundle)?).https_only().enable_http1();
        Ok(Self::TlsPublic(builder.wrap_connector(set_up(HttpConnector::new_with_resolver(PublicOnly), limit))))
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self, uri: Uri, limit: Duration) -> Result<Io, ErrorKind> {
        let connecting = async {
            match self.clone() {
                Self::Plain(tcp) => tcp.oneshot(uri).await.map(MaybeHttpsStream::Http).map_err(|error| reason(&error)),
                Self::Tls(tls) => tls.oneshot(uri).await.map_err(|error| reason(error.as_ref())),
                Self::PlainPublic(tcp) => tcp.oneshot(uri).await.map(MaybeHttpsStream::Http).map_err(|error| reason(&error)),
                Self::TlsPublic(tls) => tls.oneshot(uri).await.map_err(|error| reason(error.as_ref())),
            }
        };
        match timeout(limit, connecting).await {
            Ok(connected) => connected.map_err(ErrorKind::Connect),
            // Still a failure before anything was sent.
            Err(_) => Err(ErrorKind::Connect(format!("no connection within {}", Span(limit)))),
        }
    }
}

fn tcp(limit: Duration) -> HttpConnector {
    set_up(HttpConnector::new(), limit)
}

fn set_up<R>(mut connector: HttpConnector<R>, limit: Duration) -> HttpConnector<R> {
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(limit));
    // So that a stream on which nothing is said for hours notices when its peer is gone.
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector
}

/// TLS that trusts a bundle, or what the platform trusts.
fn trusting(ca_bundle: Option<&[u8]>) -> Result<ClientConfig, String> {
    Ok(verifying(ca_bundle)?.with_no_client_auth())
}

fn verifying(ca_bundle: Option<&[u8]>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let wrong = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(wrong)?;
    match ca_bundle {
        Some(pem) => Ok(config.with_root_certificates(roots(pem).map_err(|error| format!("the CA bundle cannot be used: {error}"))?)),
        None => config.try_with_platform_verifier().map_err(wrong),
    }
}

/// The certificates and the key of an identity.
fn pair(identity: &ClientIdentity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let certificates = CertificateDer::pem_slice_iter(identity.certificates()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.ok().filter(|list| !list.is_empty()).ok_or("the client certificate is no certificate in PEM")?;
    // What is said of a key may quote it.
    let key = PrivateKeyDer::from_pem_slice(identity.key().expose_secret().as_bytes());
    Ok((certificates, key.map_err(|_| "the client's key is no private key in PEM")?))
}

/// Whether TLS agreed on HTTP/2.
pub(super) fn is_http2(io: &Io) -> bool {
    io.connected().is_negotiated_h2()
}

/// The innermost cause: the outer ones only say that connecting failed.
pub(super) fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let limit = Duration::from_secs(1);
        assert!(Connector::tls(Some(b"nothing"), false, limit).is_err_and(|why| why.contains("no certificate")));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(Connector::tls(Some(broken), false, limit).is_err_and(|why| why.contains("a certificate that cannot be used")));
    }

    #[tokio::test]
    async fn a_refused_connection_says_so() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let uri = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let limit = Duration::from_secs(5);
        let Err(kind) = Connector::plain(limit).connect(uri, limit).await else { panic!("connected") };
        assert!(kind.to_string().contains("refused"), "{kind}");
    }

    #[tokio::test]
    async fn a_peer_that_takes_a_connection_and_says_nothing_is_no_connection() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://127.0.0.1:{}/", silent.local_addr().unwrap().port()).parse().unwrap();
        let trusted = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let tls = Connector::tls(Some(trusted.as_bytes()), false, Duration::from_secs(60)).unwrap();
        let connecting = tls.connect(uri, Duration::from_millis(50));
        let Err(kind) = timeout(Duration::from_secs(30), connecting).await.unwrap() else { panic!("connected") };
        assert!(kind.to_string().contains("no connection within 50ms"), "{kind}");
    }
}
