//! Plugins' requests beyond plain HTTP: with a client certificate, and at a Unix socket.

use crate::HttpFetch;
use http::{Method, StatusCode};
use rcgen::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use vmcp_core::plugin::{CaBundle, ClientIdentity, Fetch, FetchError, FetchRequest};

fn made(name: &str) -> CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// Answers one request with its first line and its `host`, and closes.
async fn answer(mut peer: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{}") {
        let mut piece = [0; 1024];
        match peer.read(&mut piece).await {
            Ok(read @ 1..) => head.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.lines().find(|line| line.starts_with("host: ")).unwrap_or_default();
    let said = format!("{} {host}", head.lines().next().unwrap());
    let _ =
        peer.write_all(format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}", said.len()).as_bytes()).await;
    let _ = peer.shutdown().await;
}

fn post(url: &str) -> FetchRequest {
    let mut request = FetchRequest::new(Method::POST, url.parse().unwrap());
    request.body = "{}".into();
    request
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_the_requests_own() {
    let (server, client) = (made("localhost"), made("vmcp"));
    let mut trusted = RootCertStore::empty();
    trusted.add(client.cert.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(vec![server.cert.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://localhost:{}/creds", listener.local_addr().unwrap().port());
    let serving = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream).await;
            }
        }
    };
    let asking = async {
        let fetch = HttpFetch::default();
        let request = |identity: Option<&ClientIdentity>| {
            let mut request = post(&url);
            request.ca_bundle = Some(CaBundle::new(server.cert.pem().into_bytes()));
            request.identity = identity.cloned();
            fetch.fetch(request)
        };
        let identity = ClientIdentity::new(client.cert.pem().into_bytes(), client.signing_key.serialize_pem().into());
        for _ in 0..2 {
            let response = request(Some(&identity)).await.unwrap();
            assert_eq!((response.status, response.body.starts_with(b"POST /creds HTTP/1.1")), (StatusCode::OK, true));
        }
        assert!(request(None).await.is_err(), "the connection without one is another");
        let stranger = made("vmcp");
        let stranger = ClientIdentity::new(stranger.cert.pem().into_bytes(), stranger.signing_key.serialize_pem().into());
        assert!(request(Some(&stranger)).await.is_err());
        let broken = ClientIdentity::new(client.cert.pem().into_bytes(), "MARKER".into());
        let error = request(Some(&broken)).await.err().unwrap().to_string();
        assert!(error.contains("the client's key is no private key in PEM") && !error.contains("MARKER"), "{error}");
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    };
    tokio::select! { () = serving => {} () = asking => {} }
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_at_a_socket_goes_there_and_its_host_is_only_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("creds.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = async {
        loop {
            answer(listener.accept().await.unwrap().0).await;
        }
    };
    let asking = async {
        let fetch = HttpFetch::default();
        let at = |url: &str, path: &std::path::Path, max_body| {
            let mut request = post(url);
            (request.socket, request.max_body) = (Some(Arc::from(path)), max_body);
            fetch.fetch(request)
        };
        let response = at("http://creds/v1?x=1", &path, 1024).await.unwrap();
        assert_eq!(response.body, "POST /v1?x=1 HTTP/1.1 host: creds");
        assert!(matches!(at("http://creds/", &path, 8).await, Err(FetchError::Response { .. })), "longer than it may be");
        let missing = at("http://creds/", &folder.path().join("none"), 1024).await.err().unwrap();
        assert!(matches!(missing, FetchError::Connect { .. }), "{missing}");
    };
    tokio::select! { () = serving => {} () = asking => {} }
}
