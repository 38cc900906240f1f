//! Whose token a request carries: a caller's request that caller's, the gateway's own the gateway's, and a refused token is renewed once.

mod exchanged;
mod served;

use anyhow::{Context, Result, ensure};
use exchanged::Claims;
use serde_json::{Value, json};
use std::net::SocketAddr;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::Client,
    fixture::{Fault, Fixture, Recorded, Spec},
    idp::{Endpoint, Idp},
};

struct Scene {
    idp: Idp,
    fixture: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
}

impl Scene {
    async fn set(era: Era, more: Value) -> Result<Self> {
        let idp = Idp::start().await?;
        let fixture = Fixture::start(Spec::new("b", era)).await?;
        let mut config = exchanged::document(&idp, &[&fixture], &json!({}))?;
        config["sessions"] = more;
        let gateway = Gateway::builder(serde_json::from_value(config)?).build()?;
        let (addr, _) = served::serve(&gateway).await?;
        Ok(Self { idp, fixture, gateway, addr })
    }

    async fn client(&self, era: Era, user: &str) -> Result<Client> {
        let token = self.idp.token_of(user)?;
        Client::of(era, self.addr).header("authorization", format!("Bearer {token}")).connect().await
    }
}

/// Whose tokens these requests carried; each has one, and it is for the backend.
fn subjects(requests: &[Recorded]) -> Result<Vec<String>> {
    let subject = |request: &Recorded| {
        let claims = Claims::of(request)?.with_context(|| format!("{} {:?} came without a token", request.verb, request.method))?;
        ensure!(claims.audience == "b", "a token for {}", claims.audience);
        Ok(claims.subject)
    };
    requests.iter().map(subject).collect()
}

fn ends(fixture: &Fixture) -> Vec<Recorded> {
    fixture.requests().into_iter().filter(|request| request.verb == "DELETE").collect()
}

#[tokio::test]
async fn a_callers_requests_carry_the_callers_token_and_the_gateways_own_that_of_the_gateway() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} {backend:?}");
        let scene = Scene::set(backend, json!({})).await?;
        let fixture = &scene.fixture;
        let mut ann = scene.client(caller, "ann").await?;
        ann.call("b_echo", "{}").await?.result()?;
        ensure!(!ann.tools().await?.is_empty());
        let mut stream = ann.listen().await?;
        fixture.until("ann's stream", |fixture| fixture.streams() > 0).await?;
        fixture.change(|items| items.tools.push(r#"{"name":"fresh","inputSchema":{"type":"object"}}"#.to_owned()));
        fixture.announce("tools");
        while stream.next().await?.context("the stream ended")?.json()["method"] != "notifications/tools/list_changed" {}
        ensure!(ann.tools().await?.contains(&"b_fresh".to_owned()), "{at}");
        // Probes of the era, handshakes, lists and streams: all of them were made for Ann.
        let made = subjects(&fixture.requests())?;
        assert!(made.len() >= 8 && made.iter().all(|subject| subject == "ann"), "{at}: {made:?}");

        // Ann goes, and her lists with her: what changes now is asked by nobody until somebody wants to know.
        drop((stream, ann));
        fixture.until("the end of her streams", |fixture| fixture.streams() == 0).await?;
        fixture.forget_requests();
        fixture.kill();
        fixture.restart().await?;
        let mut bob = scene.client(caller, "bob").await?;
        bob.call("b_echo", "{}").await?.result()?;
        ensure!(bob.tools().await?.contains(&"b_fresh".to_owned()), "{at}");
        let made = subjects(&fixture.requests())?;
        assert!(!made.is_empty() && made.iter().all(|subject| subject == "bob"), "{at}: {made:?}");

        // The gateway ends what it opened on its own account, also what it opened for Bob.
        fixture.forget_requests();
        scene.gateway.shutdown().await;
        let made = subjects(&fixture.requests())?;
        assert!(made.iter().all(|subject| subject == "vmcp"), "{at}: {made:?}");
        assert_eq!((ends(fixture).is_empty(), fixture.live_sessions()), (backend == Era::Modern, 0), "{at}: {made:?}");
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_its_owner_ends_is_ended_with_the_owners_token_and_one_that_is_forgotten_with_the_gateways() -> Result<()> {
    let scene = Scene::set(Era::Legacy, json!({ "idleTimeout": "1s" })).await?;
    let mut ann = scene.client(Era::Legacy, "ann").await?;
    ann.call("b_echo", "{}").await?.result()?;
    let end = ann.caller.delete();
    assert_eq!(ann.conn.exchange(&end).await?.status(), 204);
    scene.fixture.until("the end of the session", |fixture| !ends(fixture).is_empty()).await?;
    assert_eq!(subjects(&ends(&scene.fixture))?, ["ann"]);
    scene.fixture.forget_requests();
    let mut bob = scene.client(Era::Legacy, "bob").await?;
    bob.call("b_echo", "{}").await?.result()?;
    drop(bob);
    scene.fixture.until("the end of the forgotten session", |fixture| !ends(fixture).is_empty()).await?;
    assert_eq!(subjects(&ends(&scene.fixture))?, ["vmcp"]);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_token_that_a_backend_takes_no_more_is_replaced_and_the_call_succeeds() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} {backend:?}");
        let scene = Scene::set(backend, json!({})).await?;
        let fixture = &scene.fixture;
        let mut ann = scene.client(caller, "ann").await?;
        ann.call("b_echo", r#"{"n":1}"#).await?.result()?;
        let old = fixture.calls().last().and_then(|call| call.value("authorization").map(str::to_owned)).context("no token")?;
        let exchanges = scene.idp.hits(Endpoint::Token);
        fixture.forget_requests();
        fixture.fail(Fault::Revoked(old.clone()));
        ann.call("b_echo", r#"{"n":2}"#).await?.result().with_context(|| at.clone())?;
        let calls = fixture.calls();
        let sent: Vec<_> = calls.iter().map(|call| (call.value("authorization") == Some(&old), call.status)).collect();
        assert_eq!(sent.len(), 2, "{at}: {sent:?}");
        assert!(sent[0].0 && sent[1] == (false, Some(200)), "{at}: {sent:?}");
        assert_eq!(subjects(&calls)?, ["ann", "ann"], "{at}");
        assert_eq!(scene.idp.hits(Endpoint::Token), exchanges + 1, "{at}");
        // From now on the new one is at hand.
        ann.call("b_echo", r#"{"n":3}"#).await?.result()?;
        assert_eq!((fixture.calls().len(), scene.idp.hits(Endpoint::Token)), (3, exchanges + 1), "{at}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}
