//! Tokens that are bound to a key of the client's: good over a connection that proves the key, and nowhere else.

mod authority;

use anyhow::{Context, Result};
use authority::{Authority, Client, connector};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::version;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vmcp_tests::{
    Era,
    client::{Caller, Once, Rpc, once},
    fixture::{Fixture, Spec},
    idp::Idp,
    process::Vmcp,
};

/// A gateway with TLS that takes a provider's tokens, and certificates of an authority.
struct Scene {
    idp: Idp,
    fixture: Fixture,
    vmcp: Vmcp,
    servers: Authority,
    clients: Authority,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Result<Self> {
        let (servers, clients, folder) = (Authority::new("the servers'")?, Authority::new("the clients'")?, tempfile::tempdir()?);
        servers.certify_server(folder.path())?;
        clients.write(&folder.path().join("clients.pem"))?;
        let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
        let at = |name: &str| folder.path().join(name);
        let config = json!({
            "listen": {
                "address": "127.0.0.1:0",
                "tls": { "certificate": at("server.pem"), "key": at("server.key"), "clientCa": at("clients.pem") },
            },
            "incomingAuth": {
                "type": "oidc", "oidc": idp.settings(json!({ "clientId": "vmcp", "clientSecretEnv": "INTROSPECTION_SECRET" })),
            },
            "backends": [fixture.entry(json!({}))],
        });
        let vmcp = Vmcp::with(config).env("INTROSPECTION_SECRET", "vmcp-secret").start().await?;
        Ok(Self { idp, fixture, vmcp, servers, clients, _folder: folder })
    }

    fn connector(&self, client: Option<Client>) -> Result<TlsConnector> {
        connector(&self.servers, client, &[&version::TLS13])
    }

    /// What a call with this token is answered over a connection of its own.
    async fn call(&self, over: &TlsConnector, token: &str) -> Result<Once> {
        let stream = over.connect("localhost".try_into()?, TcpStream::connect(self.vmcp.addr()).await?).await?;
        let caller = Caller::new(Era::Modern).header("authorization", format!("Bearer {token}"));
        once(stream, &caller.request(&Rpc::tool("b_echo", "{}"), "1")).await
    }

    async fn refused(&self, over: &TlsConnector, token: &str, word: &str) -> Result<()> {
        let answer = self.call(over, token).await?;
        let is_said = answer.head.contains("error=\"invalid_token\"") && answer.rest.contains(word);
        anyhow::ensure!(answer.status == 401 && is_said, "{word}: {answer:?}");
        Ok(())
    }
}

fn bound_to(client: &Client) -> Value {
    json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, &client.0[0])) })
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_good_over_that_clients_connections_alone() -> Result<()> {
    let scene = Scene::set().await?;
    let (ada, eve) = (scene.clients.certify_client("ada")?, scene.clients.certify_client("eve")?);
    let bound = bound_to(&ada);
    let (ada, eve, nobody) = (scene.connector(Some(ada))?, scene.connector(Some(eve))?, scene.connector(None)?);
    let token = |id: &str| anyhow::Ok(scene.idp.token()?.claim("cnf", bound.clone()).claim("jti", json!(id)));
    let kinds = [("signed", token("1")?.sign()?, token("2")?.sign()?), ("opaque", token("3")?.opaque(), token("4")?.opaque())];
    for (kind, known, unknown) in kinds {
        // Nobody has seen this one when the thief brings it.
        scene.refused(&eve, &unknown, "another client certificate").await.context(kind)?;
        scene.refused(&nobody, &unknown, "shows none").await.context(kind)?;
        for _ in 0..3 {
            assert_eq!(scene.call(&ada, &known).await?.status, 200, "{kind}");
            scene.refused(&eve, &known, "another client certificate").await.context(kind)?;
            scene.refused(&nobody, &known, "shows none").await.context(kind)?;
        }
        assert_eq!(scene.call(&ada, &unknown).await?.status, 200, "{kind}: what a thief tried is its owner's still");
    }
    assert_eq!(scene.fixture.calls().len(), 8, "something else reached the backend");
    assert_eq!(scene.call(&nobody, &scene.idp.token_of("bob")?).await?.status, 200, "a bearer token is anybody's");
    assert_eq!(scene.call(&eve, &scene.idp.token_of("bob")?).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_bound_in_another_way_is_not_taken_for_a_bearer_token() -> Result<()> {
    let scene = Scene::set().await?;
    let ada = scene.clients.certify_client("ada")?;
    let (both, ada) = (bound_to(&ada), scene.connector(Some(ada))?);
    let mut both = both.as_object().cloned().context("no object")?;
    both.insert("jkt".to_owned(), json!("x"));
    for (bound, word) in [
        (json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }), "DPoP"),
        (json!(both), "DPoP"),
        (json!({ "jwk": { "kty": "OKP" } }), "not taken here"),
        (json!({ "kid": "1" }), "not taken here"),
    ] {
        let token = scene.idp.token()?.claim("cnf", bound);
        scene.refused(&ada, &token.clone().sign()?, word).await?;
        let opaque = token.opaque();
        for _ in 0..2 {
            scene.refused(&ada, &opaque, word).await?;
        }
    }
    assert_eq!(scene.fixture.calls().len(), 0);
    Ok(())
}
