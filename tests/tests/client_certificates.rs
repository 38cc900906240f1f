//! Callers that are known by the certificates that they prove to have.

mod authority;

use anyhow::Result;
use authority::{Authority, Client, connector};
use rustls::version;
use serde_json::json;
use tokio::net::TcpStream;
use vmcp_tests::{
    Era,
    client::{Caller, Request, Rpc, once},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

/// The status of a request over a connection of this client's, and the session that it opened.
async fn asked(vmcp: &Vmcp, servers: &Authority, client: Option<Client>, request: &Request) -> Result<u16> {
    let tls = connector(servers, client, &[&version::TLS13])?;
    let stream = tls.connect("localhost".try_into()?, TcpStream::connect(vmcp.addr()).await?).await?;
    Ok(once(stream, request).await?.status)
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
