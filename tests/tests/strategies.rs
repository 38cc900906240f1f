//! Credentials from programs and services of the operator's, and callers' headers by strategy: over the real gateway.

#[path = "strategies/examples.rs"]
mod examples;
mod exchanged;

use anyhow::{Context, Result};
use exchanged::{call, user};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use vmcp_auth::Identity;
use vmcp_core::plugin::{Authenticated, Principal};
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Rpc},
    fixture::{Fixture, Spec},
    idp::{Endpoint, Idp},
    offspring::working_in,
    process::Vmcp,
};

fn plugin(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins").join(name)
}

fn gateway(fixture: &Fixture, strategy: &Value) -> Result<Gateway> {
    let config = json!({ "backends": [fixture.entry(json!({}))], "outgoingAuth": { "default": strategy } });
    Ok(Gateway::builder(serde_json::from_value(config)?).build()?)
}

/// The same for callers with tokens of these providers'.
fn gateway_for(idps: &[&Idp], fixture: &Fixture, strategy: &Value) -> Result<Gateway> {
    let config = json!({
        "backends": [fixture.entry(json!({}))], "incomingAuth": exchanged::callers_of(idps), "outgoingAuth": { "default": strategy },
    });
    Ok(Gateway::builder(serde_json::from_value(config)?).build()?)
}

fn named(name: &str) -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "test".into(), subject: name.into() });
    who.groups = vec!["dev".into()];
    Identity::new(who)
}

/// What each call was sent as `authorization`.
fn sent(fixture: &Fixture) -> Vec<String> {
    fixture.calls().iter().map(|call| call.value("authorization").unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn headers_that_a_strategy_stands_for_are_the_callers_own_and_go_to_its_backend_alone() -> Result<()> {
    for era in Era::BOTH {
        let (listed, other) = (Fixture::start(Spec::new("listed", era)).await?, Fixture::start(Spec::new("other", era)).await?);
        let headers = json!(["x-tenant", { "name": "x-listed-token", "as": "authorization", "format": "Bearer {}" }]);
        let config = json!({
            "backends": [listed.entry(json!({})), other.entry(json!({}))],
            "outgoingAuth": { "backends": { "listed": { "type": "header_passthrough", "headerPassthrough": { "headers": headers } } } },
        });
        let vmcp = Vmcp::serve(config).await?;
        let mut conn = Conn::open(vmcp.addr()).await?;
        let mut caller = Caller::new(era);
        caller.set("x-tenant", "blue");
        caller.set("x-listed-token", "anns");
        caller.initialize(&mut conn).await?;
        for tool in ["listed_echo", "other_echo"] {
            caller.send(&mut conn, &Rpc::tool(tool, "{}")).await?.raw_result()?;
        }
        let calls = listed.calls();
        let call = calls.first().context("no call")?;
        assert_eq!((call.value("x-tenant"), call.value("authorization")), (Some("blue"), Some("Bearer anns")), "{era:?}");
        assert!(other.requests().iter().all(|request| !request.headers_contain("blue") && !request.headers_contain("anns")), "{era:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_gives_what_nobody_may_give_fails_its_calls() -> Result<()> {
    for (header, listed) in [("x-forwarded-for", json!(["authorization"])), ("x-more", json!([]))] {
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let line = format!(r#"echo '{{"headers": {{"{header}": "1"}}}}'"#);
        let strategy = json!({ "type": "exec", "exec": { "command": "sh", "args": ["-c", line], "headers": listed } });
        let gateway = gateway(&fixture, &strategy)?;
        let why = call(&gateway, &named("ann"), "b", &json!({})).await.err().context("no error")?.to_string();
        assert_eq!(why, format!("backend `b`: credentials failed: the strategy gave the header `{header}`, which it may not write"));
        assert!(fixture.calls().is_empty());
        gateway.shutdown().await;
    }
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let strategy = json!({ "type": "exec", "exec": { "command": "sh", "headers": ["mcp-session-id"] } });
    let refused = gateway(&fixture, &strategy).err().context("it was built")?.to_string();
    assert!(refused.contains("mcp-session-id"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_told_a_token_shows_it_and_its_answer_in_no_error() -> Result<()> {
    let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let strategy = json!({ "type": "exec", "exec": { "command": "sh", "args": ["-c", "cat; cat >&2; echo MARKER"], "sendToken": true } });
    let gateway = gateway(&fixture, &strategy)?;
    let ann = user(&idp, "ann")?;
    let why = call(&gateway, &ann, "b", &json!({})).await.err().context("no error")?.to_string();
    assert!(why.contains("the command `sh` gave no answer of the form") && !why.contains("MARKER") && !why.contains("eyJ"), "{why}");
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn tokens_of_one_issuers_callers_are_not_shown_to_anothers_token_endpoint() -> Result<()> {
    for on_error in ["deny", "skip"] {
        let (own, other, fixture) = (Idp::start().await?, Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
        let mut strategy = exchanged::strategy(&own, "b");
        strategy["onError"] = json!(on_error);
        strategy["tokenExchange"]["subjectIssuers"] = json!([own.issuer()]);
        let gateway = gateway_for(&[&own, &other], &fixture, &strategy)?;
        call(&gateway, &user(&own, "ann")?, "b", &json!({})).await?;
        let stranger = call(&gateway, &user(&other, "ann")?, "b", &json!({})).await;
        gateway.shutdown().await;
        let sent = sent(&fixture);
        assert!(sent[0].starts_with("Bearer "), "{sent:?}");
        if on_error == "deny" {
            let why = "the caller's token is of an issuer that is not under `tokenExchange.subjectIssuers`, so it was not shown";
            assert_eq!(stranger.unwrap_err().to_string(), format!("backend `b`: credentials failed: {why}"));
            assert_eq!(sent.len(), 1);
        } else {
            stranger?;
            assert_eq!(sent[1..], ["none"]);
        }
        let shown = own.asked(Endpoint::Token).iter().filter(|asked| asked.field("subject_token").is_some()).count();
        assert_eq!((shown, other.hits(Endpoint::Token)), (1, 0), "{on_error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_of_another_issuer_that_a_program_brings_is_shown_to_nobody_where_there_is_one_issuer() -> Result<()> {
    let (own, other, fixture) = (Idp::start().await?, Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let gateway = gateway_for(&[&own], &fixture, &exchanged::strategy(&own, "b"))?;
    call(&gateway, &user(&own, "ann")?, "b", &json!({})).await?;
    let stranger = call(&gateway, &user(&other, "ann")?, "b", &json!({})).await.err().context("no error")?.to_string();
    let why =
        format!("the caller's token is of another issuer than `{}`, the only one of `incomingAuth`, so it was not shown", own.issuer());
    assert_eq!(stranger, format!("backend `b`: credentials failed: {why}"));
    gateway.shutdown().await;
    let shown = own.asked(Endpoint::Token).iter().filter(|asked| asked.field("subject_token").is_some()).count();
    assert_eq!((shown, fixture.calls().len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_program_is_given_the_tokens_of_the_listed_issuers_callers_alone() -> Result<()> {
    let (own, other, fixture) = (Idp::start().await?, Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let folder = tempfile::tempdir()?;
    let told = folder.path().join("told");
    let line = format!(r#"cat >> {}; echo '{{"headers": {{"authorization": "Bearer x"}}}}'"#, told.display());
    let strategy = json!({ "type": "exec", "exec": {
        "command": "sh", "args": ["-c", line], "sendToken": true, "subjectIssuers": [own.issuer()],
    } });
    let gateway = gateway_for(&[&own, &other], &fixture, &strategy)?;
    call(&gateway, &user(&own, "ann")?, "b", &json!({})).await?;
    let why = call(&gateway, &user(&other, "mallory")?, "b", &json!({})).await.err().context("no error")?.to_string();
    assert!(why.contains("`exec.subjectIssuers`"), "{why}");
    gateway.shutdown().await;
    let told = std::fs::read_to_string(told)?;
    assert!(told.contains(r#""subject":"ann""#) && told.contains("subjectToken") && !told.contains("mallory"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_strategy_that_shows_tokens_says_whose_and_has_some_to_show() -> Result<()> {
    let (own, other, fixture) = (Idp::start().await?, Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let refusal =
        |idps: &[&Idp], strategy: &Value| anyhow::Ok(gateway_for(idps, &fixture, strategy).err().context("it was built")?.to_string());
    let exchange = exchanged::strategy(&own, "b");
    let exec = json!({ "type": "exec", "exec": { "command": "x", "sendToken": true } });
    let external = json!({ "type": "external", "external": { "url": "https://creds.example.com/", "sendToken": true } });
    let mut issuers = [own.issuer(), other.issuer()];
    issuers.sort_unstable();
    for (strategy, key) in [(&exchange, "tokenExchange"), (&exec, "exec"), (&external, "external")] {
        let why = format!(
            "outgoingAuth.default.{key}: would show one place the tokens of callers of every issuer (`{}`, `{}`); add `subjectIssuers` with \
             those that may be seen there",
            issuers[0], issuers[1]
        );
        assert_eq!(refusal(&[&own, &other], strategy)?, why);
        gateway_for(&[&own], &fixture, strategy)?.shutdown().await;
    }
    let mut misspelt = exchange.clone();
    misspelt["tokenExchange"]["subjectIssuers"] = json!([format!("{}/", own.issuer())]);
    let why = refusal(&[&own], &misspelt)?;
    let hint = format!("did you mean `{}`?", own.issuer());
    assert!(why.starts_with("outgoingAuth.default.tokenExchange.subjectIssuers[0]: ") && why.ends_with(&hint), "{why}");

    let why = gateway(&fixture, &exchange).err().context("it was built")?.to_string();
    let expected = "outgoingAuth.default.tokenExchange: tokenExchange exchanges callers' tokens, and with this `incomingAuth.type` callers have none, so every \
                    call would fail; let callers in with `incomingAuth.type: oidc`, or give the backend another strategy";
    assert_eq!(why, expected);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_gateway_that_is_killed_leaves_no_credential_program_behind() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
    // Deaf to what asks it to end, and to the end of its pipes. What it is told comes once it is watched.
    let line = format!("cd {}; trap '' TERM; cat > received; touch begun; for _ in $(seq 60); do sleep 1; done", folder.path().display());
    let strategy = json!({ "type": "exec", "exec": { "command": "sh", "args": ["-c", line], "timeout": "30s" } });
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))], "outgoingAuth": { "default": strategy } })).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    let mut caller = Caller::new(Era::Modern);
    caller.initialize(&mut conn).await?;
    let calling = async { caller.send(&mut conn, &Rpc::tool("b_echo", "{}")).await.map(drop) };
    let killing = async {
        vmcp_tests::eventually("the program runs", async || folder.path().join("begun").exists()).await?;
        anyhow::ensure!(!working_in(folder.path()).is_empty());
        vmcp.kill().await?;
        vmcp_tests::eventually("the end of the program", async || working_in(folder.path()).is_empty()).await
    };
    let (_, killed) = tokio::join!(calling, killing);
    killed
}

#[tokio::test]
async fn callers_with_credentials_of_their_own_share_no_session() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let gateway = gateway(&fixture, &json!({ "type": "exec", "exec": { "command": plugin("credentials.sh") } }))?;
    for _ in 0..3 {
        for who in ["ann", "bob"] {
            call(&gateway, &named(who), "b", &json!({})).await?;
        }
    }
    gateway.shutdown().await;
    let pairs: BTreeSet<(String, String)> = fixture
        .calls()
        .iter()
        .map(|call| (call.session().unwrap_or_default().to_owned(), call.value("authorization").unwrap_or_default().to_owned()))
        .collect();
    let sessions: BTreeSet<_> = pairs.iter().map(|(session, _)| session).collect();
    assert_eq!(pairs.len(), sessions.len(), "one session had two credentials: {pairs:?}");
    Ok(())
}

/// Headers as a client would send them; kept here so that the strategy form and the list form are shown to be the same thing.
#[tokio::test]
async fn the_strategy_form_and_the_list_form_send_the_same() -> Result<()> {
    let list = json!(["x-tenant", { "name": "x-key", "as": "x-api-key" }]);
    let mut all = Vec::new();
    for (entry, outgoing) in [
        (json!({ "passthroughHeaders": list }), json!({})),
        (json!({}), json!({ "backends": { "b": { "type": "header_passthrough", "headerPassthrough": { "headers": list } } } })),
    ] {
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let config = json!({ "backends": [fixture.entry(entry)], "outgoingAuth": outgoing });
        let gateway = Gateway::builder(serde_json::from_value(config)?).build()?;
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-tenant"), HeaderValue::from_static("blue")),
            (HeaderName::from_static("x-key"), HeaderValue::from_static("1")),
        ]);
        let caller = gateway.identity(&named("ann"), &headers)?;
        call(&gateway, &caller, "b", &json!({})).await?;
        let calls = fixture.calls();
        let call = calls.first().context("no call")?;
        all.push((call.value("x-tenant").map(str::to_owned), call.value("x-api-key").map(str::to_owned), call.value("x-key").is_some()));
        gateway.shutdown().await;
    }
    assert_eq!(all[0], (Some("blue".to_owned()), Some("1".to_owned()), false));
    assert_eq!(all[0], all[1]);
    Ok(())
}

/// Requests of the backend's, each with its session and the rights that the token says which it brought.
fn sessions_and_rights(fixture: &Fixture) -> Result<BTreeSet<(String, String)>> {
    let mut all = BTreeSet::new();
    for call in fixture.calls() {
        let token = call.value("authorization").and_then(|value| value.split('.').nth(1)).context("no token")?;
        let claims: Value = serde_json::from_slice(&base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token)?)?;
        let told = claims["rights"].as_str().context("no rights")?;
        all.insert((call.session().unwrap_or_default().to_owned(), told.to_owned()));
    }
    Ok(all)
}

#[tokio::test]
async fn a_persons_tokens_that_allow_different_things_share_no_lists_and_a_renewed_one_keeps_them() -> Result<()> {
    let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::legacy("b")).await?);
    let vmcp = Vmcp::serve(json!({
        "incomingAuth": { "type": "oidc", "oidc": idp.settings(json!({})) },
        "backends": [fixture.entry(json!({}))],
        "outgoingAuth": { "default": exchanged::strategy(&idp, "b") },
    }))
    .await?;
    let token = |scope: &str, id: &str, login: u64| {
        let rights = if scope == "read" { "few" } else { "many" };
        idp.token()?.scope(scope).claim("rights", json!(rights)).claim("jti", json!(id)).claim("auth_time", json!(login)).sign()
    };
    let mut conn = Conn::open(vmcp.addr()).await?;
    let lists = || fixture.requests().iter().filter(|request| request.method.as_deref() == Some("tools/list")).count();
    let mut known = Vec::new();
    // The order of the words says nothing.
    for (scope, id, login) in [("read write", "1", 7), ("read", "2", 7), ("write read", "3", 7), ("read", "4", 7), ("read", "5", 8)] {
        let mut caller = Caller::new(Era::Modern).header("authorization", format!("Bearer {}", token(scope, id, login)?));
        caller.send(&mut conn, &Rpc::new("tools/list", "")).await?.raw_result()?;
        caller.send(&mut conn, &Rpc::tool("b_echo", "{}")).await?.raw_result()?;
        known.push(lists());
    }
    assert!(known[0] < known[1], "the lists of a token that allows more were shown to one that allows less: {known:?}");
    assert_eq!(known[1], known[3], "a renewed token got its lists anew: {known:?}");
    assert!(known[3] < known[4], "what was got for one login was shown to a token of another: {known:?}");
    let pairs = sessions_and_rights(&fixture)?;
    let few: BTreeSet<_> = pairs.iter().filter(|(_, rights)| rights == "few").map(|(session, _)| session).collect();
    let many: BTreeSet<_> = pairs.iter().filter(|(_, rights)| rights == "many").map(|(session, _)| session).collect();
    assert!(few.is_disjoint(&many), "one session had tokens of either: {pairs:?}");
    Ok(())
}
