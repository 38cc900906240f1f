//! TLS at the listener: certificates that change, handshakes that do not go on, and clients that are known by their certificates.

mod authority;
mod told;

use anyhow::{Context, Result};
use authority::{Authority, connector};
use rustls::{ProtocolVersion, version};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use told::ToldFactory;
use vmcp_core::config::Config;
use vmcp_server::{BuildError, Gateway, Listener};
use vmcp_tests::{
    Era, PATIENCE,
    client::{Caller, Conn, Once, Request, Rpc, once},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

/// A gateway with TLS, its authority, and the folder of its files.
struct Scene {
    _fixture: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn set(more: Value) -> Result<Self> {
        let (authority, folder) = (Authority::new("the servers'")?, tempfile::tempdir()?);
        authority.certify_server(folder.path())?;
        let fixture = Fixture::start(Spec::both("b")).await?;
        let config: Config = serde_json::from_value(config(&fixture, folder.path(), more))?;
        let listener = Listener::bind(&config.listen).await?;
        let addr = listener.local_addr()?.context("no address")?;
        let gateway = Gateway::builder(config).authenticator(ToldFactory).build()?;
        let serving = gateway.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        Ok(Self { _fixture: fixture, gateway, addr, authority, folder })
    }

    /// Connects as a client that this authority vouches for.
    fn connector_of(&self, clients: &Authority) -> Result<tokio_rustls::TlsConnector> {
        connector(&self.authority, Some(clients.certify_client("ada")?), &[&version::TLS13])
    }

    async fn tls(&self) -> Result<TlsStream<TcpStream>> {
        connect(self.addr, &connector(&self.authority, None, &[&version::TLS13])?).await
    }
}

fn config(fixture: &Fixture, folder: &Path, more: Value) -> Value {
    let tls = json!({ "certificate": folder.join("server.pem"), "key": folder.join("server.key") });
    let mut config = json!({
        "listen": { "address": "127.0.0.1:0", "tls": tls },
        "backends": [fixture.entry(json!({}))],
    });
    merge(&mut config, more);
    config
}

fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(members), Value::Object(more)) => {
            for (key, more) in more {
                merge(members.entry(key).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more,
    }
}

async fn connect(addr: SocketAddr, connector: &tokio_rustls::TlsConnector) -> Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    Ok(tokio::time::timeout(PATIENCE, connector.connect("localhost".try_into()?, stream)).await??)
}

fn call() -> Request {
    Caller::new(Era::Modern).request(&Rpc::tool("b_echo", r#"{"x":1}"#), "1")
}

fn serial(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let certificates = stream.get_ref().1.peer_certificates();
    certificates.and_then(<[_]>::first).map(|certificate| certificate.to_vec()).unwrap_or_default()
}

/// Who a tool was called by.
async fn caller(stream: TlsStream<TcpStream>) -> Result<Once> {
    once(stream, &call()).await
}

#[tokio::test]
async fn clients_speak_tls_of_either_version_and_http_1_1_over_it() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    for (versions, expected) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = connect(scene.addr, &connector(&scene.authority, None, &[versions])?).await?;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = once(stream, &call()).await?;
        assert_eq!((answer.status, answer.rest.contains(r#"{"x":1}"#)), (200, true), "{answer:?}");
    }
    let plain = Conn::open(scene.addr).await?.exchange(&call()).await;
    assert!(plain.is_err(), "answered without TLS: {plain:?}");
    let stranger = Authority::new("somebody's")?;
    assert!(connect(scene.addr, &connector(&stranger, None, &[&version::TLS13])?).await.is_err(), "the certificate is of its authority");
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_clients_while_open_connections_go_on() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let open = scene.tls().await?;
    let first = serial(&open);
    assert_eq!(serial(&scene.tls().await?), first);
    scene.authority.certify_server(scene.folder.path())?;
    eventually("the new certificate is shown", async || scene.tls().await.is_ok_and(|stream| serial(&stream) != first)).await?;
    assert_eq!(once(open, &call()).await?.status, 200);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn half_of_a_renewal_changes_nothing() -> Result<()> {
    let (authority, folder, other) = (Authority::new("the servers'")?, tempfile::tempdir()?, tempfile::tempdir()?);
    authority.certify_server(folder.path())?;
    authority.certify_server(other.path())?;
    let fixture = Fixture::start(Spec::both("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, folder.path(), json!({}))).await?;
    let connector = connector(&authority, None, &[&version::TLS13])?;
    let shown = async || anyhow::Ok(serial(&connect(vmcp.addr(), &connector).await?));
    let first = shown().await?;
    std::fs::copy(other.path().join("server.pem"), folder.path().join("server.pem"))?;
    // The files are looked at when somebody connects, and that they do not fit is said.
    eventually("the half is seen", async || {
        shown().await.is_ok_and(|shown| shown != first) || vmcp.log().contains("changed certificate cannot be used")
    })
    .await?;
    assert_eq!(shown().await?, first, "a certificate without its key");
    std::fs::copy(other.path().join("server.key"), folder.path().join("server.key"))?;
    eventually("the new certificate is shown", async || shown().await.is_ok_and(|shown| shown != first)).await?;
    Ok(())
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_holds_up_nobody_and_is_given_up() -> Result<()> {
    let scene = Scene::set(json!({ "limits": { "readTimeout": "2s" } })).await?;
    let mut silent = Vec::new();
    for _ in 0..50 {
        let mut conn = Conn::open(scene.addr).await?;
        // The first bytes of a handshake record, and no more of it.
        conn.write(&[0x16, 0x03, 0x01, 0x02, 0x00]).await?;
        silent.push(conn);
    }
    assert_eq!(once(scene.tls().await?, &call()).await?.status, 200);
    for mut conn in silent {
        assert!(conn.closes().await?, "it was answered");
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_handshake_does_not_hold_up_the_end() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let mut silent = Conn::open(scene.addr).await?;
    silent.write(&[0x16]).await?;
    // Whoever comes later is served, so the silent one has been accepted.
    assert_eq!(once(scene.tls().await?, &call()).await?.status, 200);
    let begun = tokio::time::Instant::now();
    scene.gateway.shutdown().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it waited for the handshake: {:?}", begun.elapsed());
    assert!(silent.closes().await?);
    Ok(())
}

#[tokio::test]
async fn clients_are_known_by_certificates_of_the_listed_authorities_alone() -> Result<()> {
    let (clients, strangers) = (Authority::new("the clients'")?, Authority::new("the clients'")?);
    let folder = tempfile::tempdir()?;
    clients.write(&folder.path().join("clients.pem"))?;
    for is_required in [false, true] {
        let tls = json!({ "clientCa": folder.path().join("clients.pem"), "requireClientCertificate": is_required });
        let scene = Scene::set(json!({ "listen": { "tls": tls }, "incomingAuth": { "type": "told" } })).await?;
        let by = async |client: Option<authority::Client>, version| -> Result<Value> {
            let connector = connector(&scene.authority, client, &[version])?;
            let answer = caller(connect(scene.addr, &connector).await?).await?;
            anyhow::ensure!(answer.status == 200, "{answer:?}");
            let told = Request::get("/status").header("x-tell", "certificate");
            once(connect(scene.addr, &connector).await?, &told).await?.json()
        };
        for version in [&version::TLS12, &version::TLS13] {
            let told = by(Some(clients.certify_client("agent, 7")?), version).await?;
            let who = &told["error"]["message"];
            assert_eq!(who, r"CN=agent\, 7,O=Example issued by CN=the clients' for [spiffe://example.org/agent]", "{told}");
            assert!(by(Some(strangers.certify_client("agent, 7")?), version).await.is_err(), "of an authority that has only the name");
            assert_eq!(by(None, version).await.is_ok(), !is_required, "without a certificate");
        }
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn an_authority_that_takes_anothers_place_is_the_one_whose_clients_are_known_from_then_on() -> Result<()> {
    let (old, new, folder) = (Authority::new("the old one")?, Authority::new("the new one")?, tempfile::tempdir()?);
    let file = folder.path().join("clients.pem");
    old.write(&file)?;
    let scene = Scene::set(json!({ "listen": { "tls": { "clientCa": file } }, "incomingAuth": { "type": "told" } })).await?;
    let over = async |authority: &Authority| connect(scene.addr, &scene.connector_of(authority)?).await;
    // TLS 1.3 lets a client write before it is refused, so what counts is what it is answered.
    let by = async |authority: &Authority| -> Result<String> {
        let told = Request::get("/status").header("x-tell", "certificate");
        let told = once(over(authority).await?, &told).await?.json()?;
        Ok(told["error"]["message"].as_str().context("no message")?.to_owned())
    };
    assert!(by(&old).await?.contains("issued by CN=the old one"));
    assert!(by(&new).await.is_err(), "nobody has named this authority yet");
    let open = over(&old).await?;

    let written = folder.path().join("clients.pem.new");
    new.write(&written)?;
    std::fs::rename(written, &file)?;
    eventually("the new authority's clients are known", async || by(&new).await.is_ok()).await?;
    assert!(by(&new).await?.contains("issued by CN=the new one"));
    assert!(by(&old).await.is_err(), "the old authority's clients are known still");
    assert_eq!(once(open, &call()).await?.status, 200, "a connection that was open goes on");

    // Half of a file changes nothing.
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n")?;
    let looked = tokio::time::Instant::now() + std::time::Duration::from_millis(2500);
    while tokio::time::Instant::now() < looked {
        assert!(by(&new).await.is_ok() && by(&old).await.is_err());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn credentials_are_taken_over_a_network_only_where_nobody_can_read_them_on_the_way() -> Result<()> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let build = |listen: Value| {
        let config = json!({ "listen": listen, "incomingAuth": { "type": "told" }, "backends": [fixture.entry(json!({}))] });
        let config: Config = serde_json::from_value(config)?;
        anyhow::Ok(Gateway::builder(config).authenticator(ToldFactory).build())
    };
    let Err(BuildError::Config(problems)) = build(json!("0.0.0.0:0"))? else { anyhow::bail!("it was built") };
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = "listen: callers would send their credentials (`told`) to 0.0.0.0:0 unencrypted; \
        add `tls`, or say `behindTlsProxy: true` where a proxy in front speaks TLS, or listen on 127.0.0.1";
    assert!(said.iter().any(|line| line == expected), "{said:#?}");
    let (authority, folder) = (Authority::new("the servers'")?, tempfile::tempdir()?);
    authority.certify_server(folder.path())?;
    let tls = json!({ "certificate": folder.path().join("server.pem"), "key": folder.path().join("server.key") });
    for listen in [
        json!("127.0.0.1:0"),
        json!({ "address": "0.0.0.0:0", "behindTlsProxy": true }),
        json!({ "address": "0.0.0.0:0", "tls": tls }),
        json!({ "unix": folder.path().join("vmcp.sock") }),
    ] {
        build(listen)??.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_program_says_that_it_listens_with_tls() -> Result<()> {
    let (authority, folder) = (Authority::new("the servers'")?, tempfile::tempdir()?);
    authority.certify_server(folder.path())?;
    let fixture = Fixture::start(Spec::both("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, folder.path(), json!({}))).await?;
    let connector = connector(&authority, None, &[&version::TLS13])?;
    assert_eq!(once(connect(vmcp.addr(), &connector).await?, &call()).await?.status, 200);
    let said = format!("listening on https://{}/mcp", vmcp.addr());
    assert!(vmcp.log().contains(&said), "{}", vmcp.log());
    Ok(())
}
