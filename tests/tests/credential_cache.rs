//! What backends are given for callers is exchanged once, kept apart, and renewed: a gateway, an identity provider and backends over real
//! sockets.

mod exchanged;

use anyhow::{Context, Result, ensure};
use exchanged::{Claims, call, gateway, user};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use vmcp_auth::Identity;
use vmcp_core::{
    catalogue::ListKind,
    plugin::{Authenticated, Principal},
};
use vmcp_server::Gateway;
use vmcp_tests::{
    Era, eventually,
    fixture::{Fault, Fixture, Spec},
    idp::{Endpoint, Idp, Outage},
};

/// A provider, a gateway that asks it for tokens for a backend, and a caller.
struct Scene {
    idp: Idp,
    fixture: Fixture,
    gateway: Gateway,
    ann: Identity,
}

impl Scene {
    /// With this backend, called `b`, for which tokens are exchanged.
    async fn of(spec: Spec) -> Result<Self> {
        Self::with(spec, |_| json!({})).await
    }

    /// With this backend, called `b`, and a strategy for it if these are not empty.
    async fn with(spec: Spec, strategies: impl FnOnce(&Idp) -> Value) -> Result<Self> {
        let (idp, fixture) = (Idp::start().await?, Fixture::start(spec).await?);
        let gateway = gateway(&idp, &[&fixture], &strategies(&idp))?;
        let ann = user(&idp, "ann")?;
        Ok(Self { idp, fixture, gateway, ann })
    }

    /// With a backend `needs` for which tokens are exchanged, and one, `free`, that is sent none.
    async fn beside_a_free_one() -> Result<(Self, Fixture)> {
        let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("needs")).await?);
        let free = Fixture::start(Spec::modern("free")).await?;
        let gateway = gateway(&idp, &[&fixture, &free], &json!({ "free": { "type": "unauthenticated" } }))?;
        let ann = user(&idp, "ann")?;
        Ok((Self { idp, fixture, gateway, ann }, free))
    }

    async fn call(&self, backend: &str, arguments: Value) -> Result<()> {
        call(&self.gateway, &self.ann, backend, &arguments).await
    }

    /// What a call fails with.
    async fn refusal(&self, backend: &str, arguments: Value) -> Result<String> {
        Ok(self.call(backend, arguments).await.err().context("no error")?.to_string())
    }
}

/// How many tokens a provider was asked to exchange.
fn exchanges(idp: &Idp) -> usize {
    idp.asked(Endpoint::Token).iter().filter(|asked| asked.field("subject_token").is_some()).count()
}

#[tokio::test]
async fn a_provider_that_is_down_fails_the_backends_that_need_it_soon_and_leaves_the_others_alone() -> Result<()> {
    let (scene, _free) = Scene::beside_a_free_one().await?;
    scene.idp.fail(Endpoint::Token, Outage::Status(503));
    let why = scene.refusal("needs", json!({})).await?;
    assert_eq!(
        why,
        format!("backend `needs`: credentials failed: the token endpoint at {} answered with HTTP status 503", scene.idp.addr())
    );
    let before = scene.idp.hits(Endpoint::Token);
    for _ in 0..100 {
        scene.call("free", json!({})).await?;
        ensure!(scene.call("needs", json!({})).await.is_err());
    }
    assert!(scene.idp.hits(Endpoint::Token) <= before + 8, "an outage is not asked about all the time");
    assert!(scene.fixture.calls().is_empty());
    scene.idp.heal();
    eventually("it comes back", async || scene.call("needs", json!({})).await.is_ok()).await?;
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_does_not_answer_costs_its_backends_callers_a_bounded_time_and_the_others_none() -> Result<()> {
    let (scene, _free) = Scene::beside_a_free_one().await?;
    scene.idp.fail(Endpoint::Token, Outage::Hang);
    let begun = Instant::now();
    let waiting = scene.refusal("needs", json!({}));
    let others = async {
        for _ in 0..50 {
            scene.call("free", json!({})).await?;
        }
        anyhow::Ok(begun.elapsed())
    };
    let (waited, others) = tokio::join!(waiting, others);
    let expected =
        format!("backend `needs`: credentials failed: the token endpoint failed: {} did not answer within 10s", scene.idp.addr());
    assert_eq!(waited?, expected);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(others? < Duration::from_secs(5));
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn with_skip_calls_reach_the_backend_without_a_token_while_the_provider_is_down() -> Result<()> {
    let scene = Scene::with(Spec::modern("b"), |idp| {
        let mut strategy = exchanged::strategy(idp, "b");
        strategy["onError"] = json!("skip");
        json!({ "b": strategy })
    })
    .await?;
    scene.idp.fail(Endpoint::Token, Outage::Status(500));
    scene.call("b", json!({})).await?;
    assert!(scene.fixture.calls().iter().all(|call| call.value("authorization").is_none()));
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn requests_of_the_gateways_own_fail_without_a_token_too_unless_the_strategy_may_be_skipped() -> Result<()> {
    for era in Era::BOTH {
        for on_error in ["deny", "skip"] {
            let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::new("b", era)).await?);
            let mut strategy = exchanged::service(&idp, "b");
            strategy["onError"] = json!(on_error);
            idp.fail(Endpoint::Token, Outage::Status(503));
            let gateway = gateway(&idp, &[&fixture], &json!({ "b": strategy }))?;
            let tools = || async { anyhow::Ok(gateway.direct(user(&idp, "ann")?).list(ListKind::Tools).await?.get().to_owned()) };
            let (listed, why) = (tools().await?, gateway.status()["backends"][0]["listing_error"].clone());
            if on_error == "skip" {
                assert!(listed.contains("\"b_echo\""), "{era:?}: {listed}");
                gateway.shutdown().await;
                continue;
            }
            assert!(!listed.contains("b_echo"), "{era:?}: {listed}");
            let expected = format!("backend `b`: credentials failed: the token endpoint at {} answered with HTTP status 503", idp.addr());
            assert_eq!(why, json!(expected), "{era:?}");
            assert!(fixture.requests().is_empty(), "{era:?}: a request without credentials reached the backend");
            idp.heal();
            eventually("it comes back", async || tools().await.is_ok_and(|tools| tools.contains("\"b_echo\""))).await?;
            gateway.shutdown().await;
            ensure!(fixture.requests().iter().all(|request| request.value("authorization").is_some()), "{era:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn tokens_that_are_over_are_exchanged_anew_and_none_is_sent_that_is_over() -> Result<()> {
    let scene = Scene::of(Spec::modern("b")).await?;
    scene.idp.set_lifetime(Duration::from_secs(2));
    let begun = Instant::now();
    let mut tokens = BTreeSet::new();
    while tokens.len() < 3 {
        ensure!(begun.elapsed() < Duration::from_secs(30), "the same token all the time");
        scene.call("b", json!({})).await?;
        let calls = scene.fixture.calls();
        let claims = Claims::of(calls.last().context("no call")?)?.context("no token")?;
        ensure!(!claims.is_over(), "a token was sent that was over");
        tokens.insert(claims.id);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_backend_that_refuses_a_kept_token_is_sent_the_call_once_more_with_a_new_one() -> Result<()> {
    for era in Era::BOTH {
        let scene = Scene::of(Spec::new("b", era)).await?;
        scene.call("b", json!({ "n": 1 })).await?;
        let (before, calls) = (scene.idp.hits(Endpoint::Token), scene.fixture.calls().len());
        scene.fixture.fail_on("tools/call", Fault::Status(401));
        let why = scene.refusal("b", json!({ "n": 2 })).await?;
        assert_eq!(why, "backend `b`: call was answered with HTTP status 401", "{era:?}");
        assert_eq!(scene.idp.hits(Endpoint::Token), before + 1, "{era:?}");
        let refused: Vec<_> = scene.fixture.calls().split_off(calls);
        let ids = refused.iter().map(|call| anyhow::Ok(Claims::of(call)?.context("no token")?.id)).collect::<Result<BTreeSet<_>>>()?;
        assert_eq!((refused.len(), ids.len()), (2, 2), "{era:?}: once with the old token, once with a new one, and no more");
        scene.fixture.heal();
        scene.call("b", json!({ "n": 3 })).await?;
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_reload_tokens_are_those_of_the_new_configuration() -> Result<()> {
    let scene = Scene::of(Spec::modern("b")).await?;
    scene.call("b", json!({})).await?;
    scene.gateway.reload(exchanged::config(&scene.idp, &[&scene.fixture], &json!({ "b": exchanged::strategy(&scene.idp, "another") }))?)?;
    scene.call("b", json!({})).await?;
    let calls = scene.fixture.calls();
    let audiences = calls.iter().map(|call| anyhow::Ok(Claims::of(call)?.context("no token")?.audience)).collect::<Result<Vec<_>>>()?;
    assert_eq!(audiences, ["b", "another"]);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_reload_costs_an_exchange_only_where_what_decides_it_has_changed() -> Result<()> {
    let (idp, fixture, folder) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "vmcp-secret")?;
    let config = |audience: &str| -> Result<vmcp_core::config::Config> {
        let mut strategy = exchanged::strategy(&idp, audience);
        strategy["tokenExchange"]["clientSecret"] = json!({ "fromFile": secret });
        exchanged::config(&idp, &[&fixture], &json!({ "b": strategy }))
    };
    let gateway = Gateway::builder(config("b")?).build()?;
    let ann = user(&idp, "ann")?;
    call(&gateway, &ann, "b", &json!({})).await?;
    for n in 0..3 {
        gateway.reload(vmcp_core::config::Config { name: format!("another-{n}"), ..config("b")? })?;
        call(&gateway, &ann, "b", &json!({})).await?;
        assert_eq!(exchanges(&idp), 1, "nothing has changed for the exchange");
    }
    gateway.reload(config("other")?)?;
    call(&gateway, &ann, "b", &json!({})).await?;
    assert_eq!(exchanges(&idp), 2, "the audience has changed");
    std::fs::write(&secret, "not-the-secret")?;
    gateway.reload(config("other")?)?;
    let why = call(&gateway, &ann, "b", &json!({})).await.err().context("the old secret's token was used")?.to_string();
    assert!(why.contains("credentials failed"), "{why}");
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn after_a_reload_that_changes_who_callers_are_programs_are_asked_again() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
    let told = folder.path().join("told");
    let line = format!(
        r#"cat >> {0}; echo >> {0}; echo '{{"headers": {{"authorization": "Bearer x"}}, "expiresAt": 4102444800}}'"#,
        told.display()
    );
    let config = |groups: &[&str]| -> Result<vmcp_core::config::Config> {
        let key = json!({ "subject": "ann", "hash": format!("sha256:{}", "0".repeat(64)), "groups": groups });
        Ok(serde_json::from_value(json!({
            "backends": [fixture.entry(json!({}))], "incomingAuth": { "type": "apiKey", "apiKey": { "keys": [key] } },
            "outgoingAuth": { "default": { "type": "exec", "exec": { "command": "sh", "args": ["-c", line] } } },
        }))?)
    };
    let ann = |group: &str| {
        let mut who = Authenticated::new(Principal { issuer: "apiKey".into(), subject: "ann".into() });
        who.groups = vec![group.into()];
        Identity::new(who)
    };
    let times = || anyhow::Ok(std::fs::read_to_string(&told)?.lines().filter(|line| line.contains("\"ann\"")).count());
    let gateway = Gateway::builder(config(&["admin"])?).build()?;
    for (groups, expected) in [("admin", 1), ("admin", 1), ("dev", 2)] {
        gateway.reload(config(&[groups])?)?;
        call(&gateway, &ann(groups), "b", &json!({})).await?;
        assert_eq!(times()?, expected, "{groups}");
    }
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn where_lists_are_a_callers_own_only_its_requests_ask_for_them_and_the_gateway_ends_its_session_in_its_own_name() -> Result<()> {
    let scene = Scene::of(Spec::legacy("b")).await?;
    scene.call("b", json!({})).await?;
    scene.gateway.direct(scene.ann.clone()).list(ListKind::Tools).await?;
    scene.gateway.shutdown().await;
    let mut ended = 0;
    for request in scene.fixture.requests() {
        let claims = Claims::of(&request)?.with_context(|| format!("a request without a token: {request:?}"))?;
        let is_end = request.verb == "DELETE";
        ended += usize::from(is_end);
        assert_eq!(claims.subject, if is_end { "vmcp" } else { "ann" }, "{request:?}");
    }
    assert!(ended > 0, "no session was ended");
    Ok(())
}

#[tokio::test]
async fn a_credential_without_an_end_is_asked_for_again_after_a_reload_since_what_a_program_reads_may_have_changed() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
    let secret = folder.path().join("secret");
    for (end, expected) in [("", ["Bearer old-one", "Bearer new-one"]), (r#", "expiresAt": 4102444800"#, ["Bearer old-one"; 2])] {
        std::fs::write(&secret, "old-one")?;
        let line = format!(r#"echo '{{"headers": {{"authorization": "Bearer '$(cat {})'"}}{end}}}'"#, secret.display());
        let config: vmcp_core::config::Config = serde_json::from_value(json!({
            "backends": [fixture.entry(json!({}))],
            "outgoingAuth": { "default": { "type": "exec", "exec": { "command": "sh", "args": ["-c", line] } } },
        }))?;
        let gateway = Gateway::builder(config.clone()).build()?;
        fixture.forget_requests();
        call(&gateway, &Identity::anonymous(), "b", &json!({})).await?;
        std::fs::write(&secret, "new-one")?;
        gateway.reload(config)?;
        call(&gateway, &Identity::anonymous(), "b", &json!({})).await?;
        let sent: Vec<_> = fixture.calls().iter().filter_map(|call| call.value("authorization").map(str::to_owned)).collect();
        assert_eq!(sent, expected);
        gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn lists_and_probes_of_the_gateways_own_carry_its_own_token_and_never_a_callers() -> Result<()> {
    for era in Era::BOTH {
        let scene = Scene::with(Spec::new("b", era), |idp| json!({ "b": exchanged::service(idp, "b") })).await?;
        scene.call("b", json!({})).await?;
        let tools = scene.gateway.direct(scene.ann.clone()).list(ListKind::Tools).await?;
        assert!(tools.get().contains("\"b_echo\""), "{tools}");
        scene.gateway.shutdown().await;
        let mut subjects = BTreeSet::new();
        for request in scene.fixture.requests() {
            let claims = Claims::of(&request)?.with_context(|| format!("{era:?}: a request without a token: {request:?}"))?;
            subjects.insert(claims.subject);
        }
        assert_eq!(subjects, BTreeSet::from(["vmcp".to_owned()]), "{era:?}");
        assert_eq!(scene.idp.hits(Endpoint::Token), 1, "{era:?}: all of them one token");
    }
    Ok(())
}
