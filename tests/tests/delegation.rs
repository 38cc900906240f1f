//! The whole way of a caller's token: it is brought to a listener, checked with its issuer's keys, and traded for another at each backend.
//! The token itself stays at the gateway, and what was traded for it stands nowhere but in requests to its backend.

mod exchanged;
mod served;

use anyhow::{Context, Result, ensure};
use exchanged::Claims;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tokio::task::JoinSet;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::Client,
    fixture::{Fixture, Recorded, Spec},
    idp::{Endpoint, Idp},
};

const BACKENDS: [(&str, Era); 3] = [("alpha", Era::Modern), ("beta", Era::Legacy), ("gamma", Era::Modern)];
const USERS: usize = 50;
/// So many of them have a second token.
const RENEWED: usize = 5;

/// So many calls over each connection. Each token has two, one in each era: ten thousand calls of fifty users, and some more.
const CALLS: usize = 100;

struct Scene {
    idp: Idp,
    fixtures: Vec<Fixture>,
    gateway: Gateway,
    addr: SocketAddr,
}

impl Scene {
    async fn set(backends: &[(&str, Era)]) -> Result<Self> {
        let idp = Idp::start().await?;
        let mut fixtures = Vec::new();
        for (name, era) in backends {
            fixtures.push(Fixture::start(Spec::new(name, *era)).await?);
        }
        let config = exchanged::document(&idp, &fixtures.iter().collect::<Vec<_>>(), &json!({}))?;
        let gateway = Gateway::builder(serde_json::from_value(config)?).build()?;
        let (addr, _) = served::serve(&gateway).await?;
        Ok(Self { idp, fixtures, gateway, addr })
    }
}

async fn client(era: Era, addr: SocketAddr, token: &str) -> Result<Client> {
    Client::of(era, addr).header("authorization", format!("Bearer {token}")).connect().await
}

/// Whether one of these texts stands anywhere in a request.
fn holds_any(request: &Recorded, texts: &[String]) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    texts.iter().any(|text| request.headers_contain(text) || body.contains(text) || request.path.contains(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_backend_is_sent_a_token_of_the_caller_for_itself_that_was_traded_once_and_never_the_callers_own() -> Result<()> {
    let scene = Scene::set(&BACKENDS).await?;
    let owners: Vec<String> = (0..USERS).chain(0..RENEWED).map(|n| format!("user-{n}")).collect();
    let tokens = owners.iter().map(|user| scene.idp.token_of(user)).collect::<Result<Vec<_>>>()?;
    let mut callers = JoinSet::new();
    for (n, (user, token)) in owners.iter().zip(&tokens).enumerate() {
        // All at the same time; the two of a token begin at the same backend, so that one waits for what the other has asked for.
        for era in Era::BOTH {
            let (user, token, addr) = (user.clone(), token.clone(), scene.addr);
            callers.spawn(async move {
                let mut client = client(era, addr, &token).await?;
                for call in 0..CALLS {
                    if call == 7 {
                        ensure!(client.tools().await?.len() >= BACKENDS.len());
                    }
                    let (backend, _) = BACKENDS[(n + call) % BACKENDS.len()];
                    client.call(&format!("{backend}_echo"), &json!({ "who": user, "token": n }).to_string()).await?.result()?;
                }
                anyhow::Ok(())
            });
        }
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }

    let mut sent = BTreeMap::new();
    let mut calls = 0;
    for (fixture, (backend, _)) in scene.fixtures.iter().zip(BACKENDS) {
        for request in fixture.requests() {
            ensure!(!holds_any(&request, &tokens), "a caller's own token reached {backend}: {:?}", request.method);
            let claims = Claims::of(&request)?.with_context(|| format!("{:?} reached {backend} without a token", request.method))?;
            ensure!(claims.audience == backend, "a token for {} reached {backend}", claims.audience);
            ensure!(claims.subject == "vmcp" || owners.contains(&claims.subject), "a token of {}", claims.subject);
            if request.method.as_deref() == Some("tools/call") {
                let told = request.json()["params"]["arguments"].clone();
                ensure!(told["who"] == claims.subject.as_str(), "a call of {} carried a token of {}", told["who"], claims.subject);
                sent.entry((told["token"].to_string(), backend)).or_insert_with(BTreeSet::new).insert(claims.id);
                calls += 1;
            }
        }
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    assert_eq!((calls, sent.len()), (owners.len() * 2 * CALLS, owners.len() * BACKENDS.len()));
    assert!(sent.values().all(|tokens| tokens.len() == 1), "several tokens were sent in one's place: {sent:?}");

    let asked = scene.idp.asked(Endpoint::Token);
    let mut exchanges = BTreeMap::new();
    for asked in &asked {
        if let Some(subject) = asked.field("subject_token") {
            let owner = tokens.iter().position(|token| token == subject).context("a token that nobody brought was traded")?;
            *exchanges.entry((owner, asked.field("audience").context("no audience")?)).or_insert(0) += 1;
        }
    }
    assert_eq!(exchanges.len(), owners.len() * BACKENDS.len());
    assert!(exchanges.values().all(|&times| times == 1), "{exchanges:?}");
    assert_eq!(scene.idp.hits(Endpoint::Keys), 1, "the keys were asked for once");
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_when_the_token_that_opened_it_is_taken_no_more_and_not_before() -> Result<()> {
    let scene = Scene::set(&BACKENDS[..1]).await?;
    for era in Era::BOTH {
        let mut client = client(era, scene.addr, &scene.idp.token_of("ann")?).await?;
        // Two seconds and the leeway.
        let end = SystemTime::now() + Duration::from_secs(4);
        let short = scene.idp.token()?.subject("ann").expires_in(2).sign()?;
        client.caller.set("authorization", format!("Bearer {short}"));
        let mut stream = client.listen().await?;
        client.call("alpha_echo", "{}").await?.result()?;
        while stream.next().await?.is_some() {}
        let ended = SystemTime::now();
        // `exp` is in whole seconds.
        assert!(ended + Duration::from_secs(1) >= end, "{era:?}: it ended before its time");
        assert!(ended < end + Duration::from_secs(3), "{era:?}: it went on");
        assert_eq!(client.call("alpha_echo", "{}").await?.status(), 401, "{era:?}: the token is over for all else too");
        client.caller.set("authorization", format!("Bearer {}", scene.idp.token_of("ann")?));
        client.call("alpha_echo", "{}").await?.result()?;
    }
    scene.gateway.shutdown().await;
    Ok(())
}
