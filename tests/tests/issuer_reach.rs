//! Where an issuer's word leads the gateway: to servers that it may trust and reach, and nowhere else.

mod authority;
mod exchanged;

use anyhow::{Context, Result, ensure};
use authority::Authority;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Map, Value, json};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use vmcp_auth::{OidcConfig, OidcFactory};
use vmcp_core::{
    config::Config,
    plugin::{
        Authenticator, AuthenticatorFactory, BoxFuture, CaBundle, CaBundleError, Deps, Fetch, FetchError, FetchRequest, FetchResponse,
        StrategyError,
    },
};
use vmcp_server::{Gateway, Listener};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    idp::{Endpoint, Idp, IdpSpec, Outage, Token},
    process::Vmcp,
};

/// Notes who connects, and says nothing.
struct Recorder {
    addr: SocketAddr,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Recorder {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (addr, peers) = (listener.local_addr()?, Arc::<Mutex<Vec<_>>>::default());
        let noted = Arc::clone(&peers);
        tokio::spawn(async move {
            while let Ok((_, peer)) = listener.accept().await {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(peer);
            }
        });
        Ok(Self { addr, peers })
    }

    fn peers(&self) -> Vec<SocketAddr> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many came before now. Who comes after them shows that they are all noted.
    async fn arrivals(&self) -> Result<usize> {
        let own = TcpStream::connect(self.addr).await?.local_addr()?;
        eventually("the recorder's own connection", async || self.peers().contains(&own)).await?;
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|peer| *peer != own);
        Ok(peers.len())
    }

    fn port(&self) -> u16 {
        self.addr.port()
    }
}

/// A provider behind TLS, with a certificate of an authority that nobody knows.
struct Private {
    idp: Idp,
    issuer: String,
    folder: tempfile::TempDir,
}

impl Private {
    async fn start(metadata: Value) -> Result<Self> {
        let (authority, folder) = (Authority::new("a company's own")?, tempfile::tempdir()?);
        authority.certify_server(folder.path())?;
        authority.write(&folder.path().join("ca.pem"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = format!("https://localhost:{}", listener.local_addr()?.port());
        let mut members = Map::new();
        members.insert("issuer".to_owned(), json!(issuer));
        members.insert("jwks_uri".to_owned(), json!(format!("{issuer}/jwks")));
        members.insert("introspection_endpoint".to_owned(), json!(format!("{issuer}/introspect")));
        members.extend(metadata.as_object().cloned().unwrap_or_default());
        let idp = Idp::with(IdpSpec { metadata: members, ..IdpSpec::default() }).await?;
        let pem = |name: &str| std::fs::read(folder.path().join(name));
        let chain = CertificateDer::pem_slice_iter(&pem("server.pem")?).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&pem("server.key")?)?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions()?;
        let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?));
        let behind = idp.addr();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let (Ok(mut outside), Ok(mut inside)) = (acceptor.accept(stream).await, TcpStream::connect(behind).await) else {
                        return;
                    };
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Ok(Self { idp, issuer, folder })
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn token(&self) -> Result<Token> {
        Ok(self.idp.token()?.claim("iss", json!(self.issuer)))
    }

    /// The settings that trust it, with more.
    fn settings(&self, more: Value) -> Value {
        let mut settings = json!({
            "issuer": self.issuer, "audience": "vmcp", "jwksAllowPrivateIp": true, "caBundlePath": self.bundle(),
            "clientId": "vmcp", "clientSecretEnv": "INTROSPECTION_SECRET",
        });
        if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
            settings.extend(more);
        }
        settings
    }
}

async fn gateway(fixture: &Fixture, oidc: Value) -> Result<Vmcp> {
    let config = json!({ "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
    Vmcp::with(config).env("INTROSPECTION_SECRET", "vmcp-secret").start().await
}

async fn status(addr: SocketAddr, token: &str) -> Result<u16> {
    let caller = Caller::new(Era::Modern).header("authorization", format!("Bearer {token}"));
    Ok(Conn::open(addr).await?.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await?.status())
}

#[tokio::test]
async fn an_issuer_with_a_certificate_of_a_private_authority_is_trusted_by_its_bundle_alone() -> Result<()> {
    let (private, fixture) = (Private::start(json!({})).await?, Fixture::start(Spec::modern("b")).await?);
    let trusting = gateway(&fixture, private.settings(json!({}))).await?;
    assert_eq!(status(trusting.addr(), &private.token()?.sign()?).await?, 200);
    assert_eq!(status(trusting.addr(), &private.token()?.opaque()).await?, 200, "asked about over TLS too");
    private.idp.forget_asked();

    let mut unknown = private.settings(json!({}));
    unknown.as_object_mut().context("no object")?.remove("caBundlePath");
    let other = private.folder.path().join("other.pem");
    Authority::new("a company's own")?.write(&other)?;
    for settings in [unknown, private.settings(json!({ "caBundlePath": other }))] {
        let strict = gateway(&fixture, settings).await?;
        for token in [private.token()?.sign()?, private.token()?.opaque()] {
            assert_eq!(status(strict.addr(), &token).await?, 503);
        }
        strict.logged("the metadata cannot be read: cannot connect to localhost").await?;
        strict.logged("`caBundlePath`").await.context("the log says what to do")?;
    }
    assert_eq!((private.idp.hits(Endpoint::OpenId), private.idp.hits(Endpoint::Keys), private.idp.hits(Endpoint::Introspect)), (0, 0, 0));
    Ok(())
}

#[tokio::test]
async fn documents_lead_to_no_other_scheme_to_no_password_and_over_no_redirect() -> Result<()> {
    let (fixture, recorder) = (Fixture::start(Spec::modern("b")).await?, Recorder::start().await?);
    let port = recorder.port();
    for (url, word) in [
        (format!("http://127.0.0.1:{port}/x"), "not https"),
        (format!("ftp://127.0.0.1:{port}/x"), "not https"),
        (format!("gopher://127.0.0.1:{port}/x"), "not https"),
        (format!("https://ann:hunter2@localhost:{port}/x"), "user name or a password"),
        (format!("https://hunter2@localhost:{port}/x"), "user name or a password"),
    ] {
        let private = Private::start(json!({ "jwks_uri": url, "introspection_endpoint": url })).await?;
        let vmcp = gateway(&fixture, private.settings(json!({}))).await?;
        for (what, token) in [("the keys", private.token()?.sign()?), ("the answer about a token", private.token()?.opaque())] {
            assert_eq!(status(vmcp.addr(), &token).await?, 503, "{url}");
            vmcp.logged(&format!("{what} cannot be read: its URL")).await?;
        }
        let log = vmcp.quit().await?;
        ensure!(log.contains(word) && !log.contains("hunter2"), "{log}");
    }
    for endpoint in [Endpoint::OpenId, Endpoint::Keys, Endpoint::Introspect] {
        let private = Private::start(json!({})).await?;
        private.idp.fail(endpoint, Outage::Redirect(format!("https://localhost:{port}/x")));
        let vmcp = gateway(&fixture, private.settings(json!({}))).await?;
        let token = if endpoint == Endpoint::Introspect { private.token()?.opaque() } else { private.token()?.sign()? };
        assert_eq!(status(vmcp.addr(), &token).await?, 503, "{endpoint:?}");
    }
    assert_eq!(recorder.arrivals().await?, 0, "somebody was led there");
    Ok(())
}

/// `incomingAuth: {type: public}`: callers with tokens of an issuer that is out in the world, as far as its metadata go. Everything else is
/// asked as ever.
struct PublicFactory(Value);

struct Public(Arc<dyn Fetch>, Bytes);

const PUBLIC: &str = "https://id.example.com";

impl Fetch for Public {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        if request.url.host_str() == Some("id.example.com") {
            let answer = FetchResponse::new(StatusCode::OK, HeaderMap::new(), self.1.clone());
            return Box::pin(std::future::ready(Ok(answer)));
        }
        self.0.fetch(request)
    }

    fn check_ca_bundle(&self, ca_bundle: &CaBundle) -> Result<(), CaBundleError> {
        self.0.check_ca_bundle(ca_bundle)
    }
}

impl AuthenticatorFactory for PublicFactory {
    const KIND: &'static str = "public";
    type Config = OidcConfig;

    fn build(&self, config: OidcConfig, deps: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        let mut deps = deps.clone();
        deps.fetch = Arc::new(Public(Arc::clone(&deps.fetch), self.0.to_string().into()));
        OidcFactory.build(config, &deps)
    }
}

#[tokio::test]
async fn a_public_issuers_metadata_lead_to_no_private_address_unless_that_is_allowed() -> Result<()> {
    let (fixture, idp) = (Fixture::start(Spec::modern("b")).await?, Idp::start().await?);
    let recorder = Recorder::start().await?;
    for (is_allowed, scheme, arrives) in [(false, "https", false), (true, "https", true), (true, "http", false), (false, "http", false)] {
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
            let url = format!("{scheme}://{host}:{}/x", recorder.port());
            let metadata = json!({ "issuer": PUBLIC, "jwks_uri": url, "introspection_endpoint": url });
            let config: Config = serde_json::from_value(json!({
                "listen": { "address": "127.0.0.1:0" },
                "incomingAuth": { "type": "public", "public": {
                    "issuer": PUBLIC, "audience": "vmcp", "jwksAllowPrivateIp": is_allowed, "clientId": "vmcp", "clientSecret": "s",
                } },
                "backends": [fixture.entry(json!({}))],
            }))?;
            let listener = Listener::bind(&config.listen).await?;
            let addr = listener.local_addr()?.context("no address")?;
            let gateway = Gateway::builder(config).authenticator(PublicFactory(metadata)).build()?;
            let serving = gateway.clone();
            tokio::spawn(async move { serving.serve(listener).await });
            for token in [idp.token()?.claim("iss", json!(PUBLIC)).sign()?, "opaque".to_owned()] {
                let before = recorder.arrivals().await?;
                assert_eq!(status(addr, &token).await?, 503, "{url}");
                let came = recorder.arrivals().await? > before;
                assert_eq!(came, arrives, "{url}, jwksAllowPrivateIp: {is_allowed}");
            }
            gateway.shutdown().await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_issuers_metadata_send_the_gateways_secret_to_no_other_private_host() -> Result<()> {
    let recorder = Recorder::start().await?;
    let port = recorder.port();
    for (url, word) in [
        (format!("http://localhost:{port}/token"), "has no public address"),
        (format!("https://localhost:{port}/token"), "has no public address"),
        (format!("ftp://127.0.0.1:{port}/token"), "without TLS"),
        (format!("http://ann:hunter2@127.0.0.1:{port}/token"), "a user name or a password"),
    ] {
        let metadata = Map::from_iter([("token_endpoint".to_owned(), json!(url))]);
        let (idp, fixture) = (Idp::with(IdpSpec { metadata, ..IdpSpec::default() }).await?, Fixture::start(Spec::modern("b")).await?);
        let gateway = exchanged::gateway(&idp, &[&fixture], &json!({ "b": exchanged::service(&idp, "b") }))?;
        let why = exchanged::call(&gateway, &exchanged::user(&idp, "ann")?, "b", &json!({})).await.err().context("no error")?.to_string();
        ensure!(why.contains(word) && !why.contains("hunter2"), "{url}: {why}");
        gateway.shutdown().await;
    }
    let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    idp.fail(Endpoint::Token, Outage::Redirect(format!("http://127.0.0.1:{port}/token")));
    let gateway = exchanged::gateway(&idp, &[&fixture], &json!({ "b": exchanged::service(&idp, "b") }))?;
    ensure!(exchanged::call(&gateway, &exchanged::user(&idp, "ann")?, "b", &json!({})).await.is_err());
    gateway.shutdown().await;
    assert_eq!(recorder.arrivals().await?, 0, "the secret was sent there");
    Ok(())
}
