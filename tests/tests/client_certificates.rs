//! Callers that are known by the certificates that they prove to have.

mod authority;

use anyhow::{Context, Result};
use authority::{Authority, Client, connector};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::version;
use serde_json::json;
use tokio::net::TcpStream;
use vmcp_tests::{
    Era,
    client::{Caller, Once, Request, Rpc, once},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

/// What a request is answered over a connection of this client's.
async fn answer(vmcp: &Vmcp, servers: &Authority, client: Option<Client>, request: &Request) -> Result<Once> {
    let tls = connector(servers, client, &[&version::TLS13])?;
    let stream = tls.connect("localhost".try_into()?, TcpStream::connect(vmcp.addr()).await?).await?;
    once(stream, request).await
}

async fn asked(vmcp: &Vmcp, servers: &Authority, client: Option<Client>, request: &Request) -> Result<u16> {
    Ok(answer(vmcp, servers, client, request).await?.status)
}

/// An authority of this name that another one made.
fn between(name: &str, above: &Authority) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(Authority(CertifiedIssuer::signed_by(params, KeyPair::generate()?, &above.0)?))
}

#[tokio::test]
async fn who_has_a_certificate_of_the_authority_is_let_in_and_who_has_none_is_not() -> Result<()> {
    let (servers, clients, folder) = (Authority::new("the servers'")?, Authority::new("the clients'")?, tempfile::tempdir()?);
    servers.certify_server(folder.path())?;
    clients.write(&folder.path().join("clients.pem"))?;
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let at = |name: &str| folder.path().join(name);
    let tls = json!({ "certificate": at("server.pem"), "key": at("server.key"), "clientCa": at("clients.pem") });
    for (subject_from, status) in [("subject", 200), ("uri", 200), ("email", 401)] {
        let vmcp = Vmcp::serve(json!({
            "listen": { "address": "127.0.0.1:0", "tls": tls },
            "incomingAuth": { "type": "clientCertificate", "clientCertificate": { "subjectFrom": subject_from } },
            "backends": [fixture.entry(json!({}))],
        }))
        .await?;
        let call = Caller::new(Era::Modern).request(&Rpc::tool("b_echo", "{}"), "1");
        let ada = clients.certify_client("ada")?;
        assert_eq!(asked(&vmcp, &servers, Some(ada), &call).await?, status, "by {subject_from}");
        assert_eq!(asked(&vmcp, &servers, None, &call).await?, 401, "without one");
    }
    Ok(())
}

#[tokio::test]
async fn no_authority_speaks_for_anothers_clients_whatever_names_it_writes() -> Result<()> {
    let (servers, folder) = (Authority::new("the servers'")?, tempfile::tempdir()?);
    servers.certify_server(folder.path())?;
    // Two that have one name, and a third that makes one of the same name.
    let (ours, namesake, third) = (Authority::new("clients")?, Authority::new("clients")?, Authority::new("third")?);
    let forged = between("clients", &third)?;
    let all = [&ours, &namesake, &third].map(|authority| authority.0.as_ref().pem()).concat();
    std::fs::write(folder.path().join("clients.pem"), all)?;
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let at = |name: &str| folder.path().join(name);
    let vmcp = Vmcp::serve(json!({
        "listen": {
            "address": "127.0.0.1:0",
            "tls": { "certificate": at("server.pem"), "key": at("server.key"), "clientCa": at("clients.pem") },
        },
        "incomingAuth": { "type": "clientCertificate" },
        "backends": [fixture.entry(json!({}))],
    }))
    .await?;
    let mut caller = Caller::new(Era::Legacy);
    let opening = r#""protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"tests","version":"1"}"#;
    let opened = caller.request(&Rpc::new("initialize", opening), "1");
    let opened = answer(&vmcp, &servers, Some(ours.certify_client("ada")?), &opened).await?;
    caller.session = Some(opened.value("mcp-session-id").context("no session")?.to_owned());
    let ping = caller.request(&Rpc::new("ping", ""), "2");
    let mut through = forged.certify_client("ada")?;
    through.0.push(forged.0.as_ref().der().clone());
    for (who, client, status) in [
        ("another key of the same person's", ours.certify_client("ada")?, 200),
        ("a namesake of the authority", namesake.certify_client("ada")?, 404),
        ("a namesake below another authority", through, 404),
        ("another person", ours.certify_client("eve")?, 404),
    ] {
        assert_eq!(asked(&vmcp, &servers, Some(client), &ping).await?, status, "{who}");
    }
    Ok(())
}
