//! A credential service over TLS that wants to see a certificate of vmcp's.

mod exchanged;

use anyhow::{Context, Result};
use bytes::Bytes;
use exchanged::call;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer, server::WebPkiClientVerifier};
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use vmcp_auth::Identity;
use vmcp_core::plugin::{Authenticated, Principal};
use vmcp_server::Gateway;
use vmcp_tests::fixture::{Fixture, Spec};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Writes a certificate of vmcp's and its key; gives the settings that name them.
fn certify(authority: &Authority, folder: &Path, name: &str) -> Result<Value> {
    let (key, params) = (KeyPair::generate()?, CertificateParams::new(["vmcp.example.com".to_owned()])?);
    let (certificate, private) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    fs::write(&certificate, params.signed_by(&key, authority)?.pem())?;
    fs::write(&private, key.serialize_pem())?;
    Ok(json!({ "clientCertificate": certificate, "clientKey": { "fromFile": private } }))
}

/// The service: it lets in whom `authority` has certified, and gives each caller a token. It ends with this value.
struct Service {
    addr: SocketAddr,
    told: Arc<Mutex<Vec<Value>>>,
    accepting: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Service {
    async fn start(authority: &Authority) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.as_ref().der().clone())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, authority)?;
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let (addr, told) = (listener.local_addr()?, Arc::<Mutex<Vec<Value>>>::default());
        let record = Arc::clone(&told);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, record) = (acceptor.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answering = service_fn(|request| answer(request, &record));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answering).await;
                });
            }
        });
        Ok(Self { addr, told, accepting })
    }

    fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(request: Request<Incoming>, told: &Mutex<Vec<Value>>) -> Result<Response<Full<Bytes>>> {
    let body: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
    let answer = match body["subject"].as_str() {
        Some(subject) => json!({ "headers": { "authorization": format!("Bearer for-{subject}") } }),
        None => json!({ "headers": {} }),
    };
    told.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    Ok(Response::new(Full::from(answer.to_string())))
}

/// Lets ann call through a gateway that asks the service with these settings; what the backend was sent, or why not.
async fn ask(service: &Service, trusted: &Path, identity: &Value) -> Result<std::result::Result<Option<String>, String>> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let mut settings = json!({ "url": format!("https://{}/", service.addr), "caBundlePath": trusted });
    settings.as_object_mut().context("no object")?.extend(identity.as_object().cloned().unwrap_or_default());
    let config = json!({
        "backends": [fixture.entry(json!({}))], "outgoingAuth": { "default": { "type": "external", "external": settings } },
    });
    let gateway = Gateway::builder(serde_json::from_value(config)?).build()?;
    let ann = Identity::new(Authenticated::new(Principal { issuer: "test".into(), subject: "ann".into() }));
    let called = call(&gateway, &ann, "b", &json!({})).await;
    gateway.shutdown().await;
    let sent = fixture.calls().first().and_then(|call| call.value("authorization").map(str::to_owned));
    Ok(called.map(|()| sent).map_err(|error| error.to_string()))
}

#[tokio::test]
async fn a_credential_service_that_wants_a_certificate_is_shown_the_configured_one() -> Result<()> {
    let (own, other, folder) = (authority("the services'")?, authority("somebody else's")?, tempfile::tempdir()?);
    let (service, trusted) = (Service::start(&own).await?, folder.path().join("ca.pem"));
    fs::write(&trusted, own.as_ref().pem())?;
    let good = certify(&own, folder.path(), "good")?;
    assert_eq!(ask(&service, &trusted, &good).await?, Ok(Some("Bearer for-ann".to_owned())));
    let asked = service.told().len();
    assert!(service.told().iter().any(|told| told["subject"] == "ann"));

    for without in [json!({}), certify(&other, folder.path(), "bad")?] {
        let why = ask(&service, &trusted, &without).await?.err().context("it was let in")?;
        let begins = format!("backend `b`: credentials failed: the credential service at {} failed: ", service.addr);
        assert!(why.starts_with(&begins), "{why}");
    }
    // And vmcp trusts nobody but those in its file.
    fs::write(&trusted, other.as_ref().pem())?;
    let why = ask(&service, &trusted, &good).await?.err().context("it was trusted")?;
    assert!(why.contains("the credential service at"), "{why}");
    assert_eq!(service.told().len(), asked, "nobody else was heard");
    Ok(())
}
