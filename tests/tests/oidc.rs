//! Who is let in with a token, and who is not: a real provider, a real gateway, and every way to cheat that the standards warn of.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Response, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    idp::{Algorithm, Endpoint, Idp, IdpSpec, Outage},
    process::Vmcp,
};

struct Scene {
    fixture: Fixture,
    vmcp: Vmcp,
}

impl Scene {
    async fn of(oidc: Value) -> Result<Self> {
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let config = json!({ "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::with(config).env("INTROSPECTION_SECRET", "vmcp-secret").start().await?;
        Ok(Self { fixture, vmcp })
    }

    /// A call of a tool, as it is sent by whoever has these headers.
    fn request(headers: &[(&str, &str)]) -> Request {
        let caller = headers.iter().fold(Caller::new(Era::Modern), |caller, (name, value)| caller.header(name, value));
        caller.request(&Rpc::tool("b_echo", "{}"), "1")
    }

    async fn send(&self, request: &Request) -> Result<Response> {
        Conn::open(self.vmcp.addr()).await?.exchange(request).await
    }

    async fn call(&self, token: &str) -> Result<Response> {
        self.send(&Self::request(&[("authorization", &format!("Bearer {token}"))])).await
    }

    /// The status that a call with this token is answered with.
    async fn status(&self, token: &str) -> Result<u16> {
        Ok(self.call(token).await?.status())
    }
}

fn challenge(response: &Response) -> &str {
    response.head.header("www-authenticate").unwrap_or_default()
}

#[tokio::test]
async fn a_token_is_checked_with_keys_that_are_asked_for_once_and_is_known_from_then_on() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({}))).await?;
    let token = idp.token_of("alice")?;
    for era in Era::BOTH {
        let mut client = scene.vmcp.client_of(era).header("authorization", format!("bearer {token}")).connect().await?;
        for _ in 0..50 {
            client.call("b_echo", "{}").await?.result()?;
        }
    }
    assert_eq!(scene.status(&idp.token_of("bob")?).await?, 200);
    assert_eq!((idp.hits(Endpoint::OpenId), idp.hits(Endpoint::OAuth), idp.hits(Endpoint::Keys)), (1, 0, 1));
    for sent in scene.fixture.requests() {
        assert_eq!(sent.value("authorization"), None, "the caller's token is for the gateway alone");
    }
    assert!(!scene.vmcp.quit().await?.contains(token.rsplit('.').next().context("no signature")?), "the token is in the log");
    Ok(())
}

#[tokio::test]
async fn first_callers_who_come_together_ask_the_issuer_once() -> Result<()> {
    let idp = Idp::start().await?;
    idp.fail(Endpoint::Keys, Outage::Slow(Duration::from_millis(300)));
    let scene = Scene::of(idp.settings(json!({}))).await?;
    let tokens: Vec<String> = (0..20).map(|n| idp.token_of(&format!("user-{n}"))).collect::<Result<_>>()?;
    let calls = tokens.iter().map(|token| scene.status(token));
    let statuses = futures(calls).await?;
    assert_eq!(statuses, [200; 20]);
    assert_eq!((idp.hits(Endpoint::OpenId), idp.hits(Endpoint::Keys)), (1, 1));
    Ok(())
}

/// Runs them all at the same time.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in running.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(Ok(output)) => *done = Some(output),
                std::task::Poll::Ready(Err(error)) => return std::task::Poll::Ready(Err(error)),
                std::task::Poll::Pending => {}
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(Ok(())) } else { std::task::Poll::Pending }
    })
    .await?;
    Ok(done.into_iter().flatten().collect())
}

#[tokio::test]
async fn every_asymmetric_algorithm_is_taken() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({}))).await?;
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        idp.rotate(algorithm)?;
        // The fifth is the last unknown key that is asked for at once.
        assert_eq!(scene.status(&idp.token_of("alice")?).await?, 200, "{algorithm:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_made_up_ones_cost_the_issuer_little() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({}))).await?;
    assert_eq!(scene.status(&idp.token_of("alice")?).await?, 200);
    idp.rotate(Algorithm::Es256)?;
    assert_eq!(scene.status(&idp.token_of("alice")?).await?, 200);
    assert_eq!(idp.hits(Endpoint::Keys), 2);
    // The bucket had five: one is used, four are left.
    for n in 0..50 {
        let token = idp.token()?.head("kid", json!(format!("made-up-{n}"))).sign()?;
        assert_eq!(scene.status(&token).await?, 401);
    }
    assert_eq!(idp.hits(Endpoint::Keys), 6);
    assert_eq!(scene.status(&idp.token_of("bob")?).await?, 200, "keys that are known still do");
    Ok(())
}

#[tokio::test]
async fn a_caller_who_is_known_is_refused_when_the_token_is_over_and_when_the_issuer_takes_its_key_back() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({ "leeway": "1m" }))).await?;
    // Over, and with the leeway good for a few seconds more: for longer where the machine needed those for the first call.
    let mut good_for = 2;
    let known = loop {
        let over = idp.token()?.expires_in(good_for - 60).sign()?;
        if scene.status(&over).await? == 200 {
            break over;
        }
        good_for *= 2;
        ensure!(good_for < 60, "a token was refused within the leeway");
    };
    eventually("the token is over with its leeway", async || scene.status(&known).await.is_ok_and(|status| status == 401)).await?;

    let known = idp.token_of("alice")?;
    assert_eq!(scene.status(&known).await?, 200);
    idp.rotate(Algorithm::Es256)?;
    idp.retire();
    assert_eq!(scene.status(&known).await?, 200, "nobody has asked for keys since");
    assert_eq!(scene.status(&idp.token_of("bob")?).await?, 200);
    let refused = scene.call(&known).await?;
    assert_eq!((refused.status(), challenge(&refused).contains("invalid_token")), (401, true), "{}", refused.text());
    Ok(())
}

#[tokio::test]
async fn who_is_known_is_let_in_while_the_issuer_is_away_and_nobody_is_told_to_log_in_again() -> Result<()> {
    let (idp, other) = (Idp::start().await?, Idp::start().await?);
    let scene = Scene::of(idp.settings(json!({ "issuers": [other.settings(json!({}))] }))).await?;
    let old = idp.token_of("alice")?;
    assert_eq!(scene.status(&old).await?, 200);
    idp.kill();
    other.kill();
    assert_eq!(scene.status(&old).await?, 200);
    assert_eq!(scene.status(&idp.token_of("bob")?).await?, 200, "a new token of a known key");

    let first = other.token_of("carol")?;
    let refused = scene.call(&first).await?;
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.head.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()));
    assert_eq!(challenge(&refused), "", "a new token would do no better");

    other.restart().await?;
    let began = Instant::now();
    while scene.status(&first).await? != 200 {
        assert!(began.elapsed() < vmcp_tests::PATIENCE, "the issuer is back and nobody asks it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_holds_up_its_own_new_callers_only() -> Result<()> {
    let (idp, hanging) = (Idp::start().await?, Idp::start().await?);
    hanging.fail(Endpoint::OpenId, Outage::Hang);
    let scene = Scene::of(idp.settings(json!({ "issuers": [hanging.settings(json!({}))] }))).await?;
    let (slow, fast) = (hanging.token_of("carol")?, idp.token_of("alice")?);
    let waits = async { anyhow::Ok((scene.status(&slow).await?, Instant::now())) };
    let goes = async {
        hanging.until("the question", |idp| idp.hits(Endpoint::OpenId) == 1).await?;
        anyhow::Ok((scene.status(&fast).await?, Instant::now()))
    };
    let ((refused, late), (status, soon)) = tokio::try_join!(waits, goes)?;
    assert_eq!((refused, status), (503, 200));
    assert!(soon < late, "who was let in waited for the other issuer");
    Ok(())
}

#[tokio::test]
async fn metadata_that_is_not_the_issuers_own_is_not_used() -> Result<()> {
    let trap = Idp::start().await?;
    let spoils = [
        ("another issuer", json!({ "issuer": "https://evil.example" }), json!({})),
        ("a slash more", json!({ "issuer": "http://127.0.0.1/" }), json!({})),
        ("no keys", json!({ "jwks_uri": null }), json!({})),
        ("keys in a file", json!({ "jwks_uri": "file:///etc/passwd" }), json!({})),
    ];
    for (what, metadata, more) in spoils {
        let metadata = metadata.as_object().cloned().unwrap_or_default();
        let idp = Idp::with(IdpSpec { metadata, ..IdpSpec::default() }).await?;
        let scene = Scene::of(idp.settings(more)).await?;
        assert_eq!(scene.status(&idp.token_of("alice")?).await?, 503, "{what}");
        assert_eq!(idp.hits(Endpoint::Keys), 0, "{what}");
    }
    let idp = Idp::start().await?;
    idp.fail(Endpoint::Keys, Outage::Redirect(trap.url("/jwks")));
    let scene = Scene::of(idp.settings(json!({}))).await?;
    assert_eq!(scene.status(&idp.token_of("alice")?).await?, 503);
    assert_eq!(trap.hits(Endpoint::Keys), 0, "a redirect was followed");
    Ok(())
}

#[tokio::test]
async fn without_leave_nothing_on_this_machine_is_asked() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({ "jwksAllowPrivateIp": false }))).await?;
    assert_eq!(scene.status(&idp.token_of("alice")?).await?, 503);
    assert_eq!((idp.hits(Endpoint::OpenId), idp.hits(Endpoint::OAuth), idp.hits(Endpoint::Keys)), (0, 0, 0));
    scene.vmcp.logged("jwksAllowPrivateIp").await.context("the log says what to do")?;
    Ok(())
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_by_either_standard() -> Result<()> {
    for (openid, oauth) in [(true, false), (false, true)] {
        let spec = IdpSpec { path: "/realms/acme".to_owned(), openid, oauth, ..IdpSpec::default() };
        let idp = Idp::with(spec).await?;
        let scene = Scene::of(idp.settings(json!({}))).await?;
        assert_eq!(scene.status(&idp.token_of("alice")?).await?, 200);
    }
    Ok(())
}

#[tokio::test]
async fn a_token_for_too_little_is_told_what_is_needed() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({ "requiredScopes": ["mcp:read", "mcp:call"] }))).await?;
    let little = scene.call(&idp.token()?.scope("mcp:read").sign()?).await?;
    assert_eq!(little.status(), 403);
    let told = challenge(&little);
    assert!(told.contains("error=\"insufficient_scope\"") && told.contains("scope=\"mcp:read mcp:call\""), "{told}");
    assert_eq!(scene.status(&idp.token()?.scope("mcp:call other mcp:read").sign()?).await?, 200);
    assert_eq!(scene.status(&idp.token()?.claim("scp", json!(["mcp:call", "mcp:read"])).sign()?).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_token_comes_in_one_authorization_header_and_nowhere_else() -> Result<()> {
    let idp = Idp::start().await?;
    let scene = Scene::of(idp.settings(json!({}))).await?;
    let token = idp.token_of("alice")?;
    let bearer = format!("Bearer {token}");
    let mut in_url = Scene::request(&[]);
    in_url.path = format!("/mcp?access_token={token}");
    let twice = Scene::request(&[("authorization", &bearer), ("authorization", &bearer)]);
    let none = Scene::request(&[]);
    for (request, status, word) in [(in_url, 400, "invalid_request"), (twice, 400, "invalid_request"), (none, 401, "Bearer")] {
        let response = scene.send(&request).await?;
        assert_eq!(response.status(), status, "{}", response.text());
        assert!(challenge(&response).contains(word), "{}", challenge(&response));
        assert!(!response.text().contains(&token));
    }
    for scheme in ["bearer", "BEARER", "Bearer"] {
        let request = Scene::request(&[("authorization", &format!("{scheme} {token}"))]);
        assert_eq!(scene.send(&request).await?.status(), 200, "{scheme}");
    }
    Ok(())
}

#[tokio::test]
async fn tokens_that_only_the_issuer_reads_are_asked_about_once_and_never_kept_past_their_end() -> Result<()> {
    let idp = Idp::start().await?;
    let client = json!({ "clientId": "vmcp", "clientSecretEnv": "INTROSPECTION_SECRET" });
    let scene = Scene::of(idp.settings(client)).await?;
    let good = idp.token()?.opaque();
    for _ in 0..20 {
        assert_eq!(scene.status(&good).await?, 200);
    }
    let asked = idp.asked(Endpoint::Introspect);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));

    for _ in 0..20 {
        assert_eq!(scene.status("made-up").await?, 401);
    }
    assert_eq!(idp.hits(Endpoint::Introspect), 2, "a bad token is remembered too");
    let together = idp.token()?.opaque();
    let statuses = futures((0..10).map(|_| scene.status(&together))).await?;
    assert_eq!(statuses, [200; 10]);
    assert_eq!(idp.hits(Endpoint::Introspect), 3);

    for (what, token) in [
        ("for somebody else", idp.token()?.audience("other").opaque()),
        ("for nobody", idp.token()?.without("aud").opaque()),
        ("another issuer's", idp.token()?.claim("iss", json!("https://evil.example")).opaque()),
    ] {
        assert_eq!(scene.status(&token).await?, 401, "{what}");
    }
    let short = idp.token()?.expires_in(2).opaque();
    assert_eq!(scene.status(&short).await?, 200);
    let began = Instant::now();
    while scene.status(&short).await? == 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "the token is over and still good");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A JWT is never sent anywhere, good or bad.
    let before = idp.hits(Endpoint::Introspect);
    assert_eq!(scene.status(&idp.token()?.audience("other").sign()?).await?, 401);
    assert_eq!(idp.hits(Endpoint::Introspect), before);
    idp.fail(Endpoint::Introspect, Outage::Status(500));
    assert_eq!(scene.status(&idp.token()?.opaque()).await?, 503);
    Ok(())
}

#[tokio::test]
async fn two_issuers_users_of_one_name_are_two_users() -> Result<()> {
    let (idp, other) = (Idp::start().await?, Idp::start().await?);
    let scene = Scene::of(idp.settings(json!({ "issuers": [other.settings(json!({ "audience": ["a", "vmcp"] }))] }))).await?;
    let ours = format!("Bearer {}", idp.token_of("alice")?);
    let theirs = format!("Bearer {}", other.token_of("alice")?);
    let mut client = scene.vmcp.client_of(Era::Legacy).header("authorization", &ours).connect().await?;
    client.call("b_echo", "{}").await?.result()?;
    client.caller.set("authorization", &theirs);
    for (method, params) in [
        ("tools/call", r#""name":"b_echo","arguments":{}"#),
        ("tools/list", ""),
        ("resources/subscribe", r#""uri":"fixture://b/text""#),
        ("logging/setLevel", r#""level":"debug""#),
    ] {
        assert_eq!(client.send(&Rpc::new(method, params)).await?.response.status(), 404, "the session is somebody else's: {method}");
    }
    client.caller.set("authorization", &ours);
    client.call("b_echo", "{}").await?.result()?;
    Ok(())
}

#[tokio::test]
async fn made_up_tokens_do_not_fill_the_log_while_the_issuer_fails() -> Result<()> {
    let idp = Idp::start().await?;
    idp.fail(Endpoint::Introspect, Outage::Status(500));
    let scene = Scene::of(idp.settings(json!({ "clientId": "vmcp", "clientSecretEnv": "INTROSPECTION_SECRET" }))).await?;
    for n in 0..20 {
        assert_eq!(scene.status(&format!("made-up-{n}")).await?, 503);
    }
    assert_eq!(idp.hits(Endpoint::Introspect), 20, "each could be a good one");
    let complaint = "the answer about a token cannot be read";
    let log = scene.vmcp.quit().await?;
    assert_eq!(log.matches(complaint).count(), 1, "{log}");
    Ok(())
}
