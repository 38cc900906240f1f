//! The plugins in `examples/plugins`: what they give whom, over the real gateway, and what they make of what they are told.

use super::{call, gateway, named, plugin, sent};
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
};
use vmcp_auth::Identity;
use vmcp_core::plugin::{Authenticated, Principal};
use vmcp_tests::{
    client::{Conn, Request},
    fixture::{Fixture, Spec},
};

/// Lets ann call twice and bob once: each gets something of its own, and keeps it.
async fn gives_each_their_own(strategy: &Value) -> Result<Vec<String>> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let gateway = gateway(&fixture, strategy)?;
    for who in ["ann", "ann", "bob"] {
        call(&gateway, &named(who), "b", &json!({})).await?;
    }
    gateway.shutdown().await;
    let sent = sent(&fixture);
    assert!(sent.iter().all(|value| value.starts_with("Bearer ")), "{sent:?}");
    assert!(sent[0] == sent[1] && sent[0] != sent[2], "{sent:?}");
    for own in fixture.requests().iter().filter(|request| request.method.as_deref() != Some("tools/call")) {
        assert!(own.value("authorization").is_none_or(|value| sent.iter().any(|sent| sent == value)), "{own:?}");
    }
    Ok(sent)
}

/// A caller whom only issuer and subject together tell from others: all else that is told of it names somebody else.
fn somebody(issuer: &str, subject: &str) -> Identity {
    let mut who = Authenticated::new(Principal { issuer: issuer.into(), subject: subject.into() });
    who.delegation = ["agent", "ann"].map(|actor| Principal { issuer: "a".into(), subject: actor.into() }).into();
    for (name, value) in [("subject", json!("ann")), ("issuer", json!("a")), ("who", json!({ "issuer": null, "subject": null }))] {
        who.claims.insert(name.to_owned(), value);
    }
    Identity::new(who)
}

/// Lets callers call who differ in issuer or subject, if only in where one ends and the other begins, and none of whom is another. What each
/// was given.
async fn is_nobody_elses(strategy: &Value, key: &str) -> Result<Vec<String>> {
    let mut strategy = strategy.clone();
    strategy[key]["claims"] = json!(["issuer", "subject", "who"]);
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let gateway = gateway(&fixture, &strategy)?;
    let all = [("a", "agent"), ("a", "ann"), ("b", "ann"), ("a", "bob"), ("a", "x/ann"), ("a/x", "ann"), ("aa", "nn"), ("a", "ann,\u{fc}")];
    for (issuer, subject) in all {
        call(&gateway, &somebody(issuer, subject), "b", &json!({})).await?;
    }
    gateway.shutdown().await;
    let sent = sent(&fixture);
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), all.len(), "two callers have one credential: {sent:?}");
    Ok(sent)
}

/// The claims of the token in a header.
fn claims_of(header: &str) -> Result<Value> {
    let payload = header.split('.').nth(1).context("no token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// Runs an example by hand: what it answered, or what it complained about.
async fn run(name: &str, told: &str) -> Result<Result<Value, String>> {
    let mut command = Command::new(plugin(name));
    command.env("MCP_SHARED_SECRET", "hunter2").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    child.stdin.take().context("no input")?.write_all(told.as_bytes()).await?;
    let done = tokio::time::timeout(vmcp_tests::PATIENCE, child.wait_with_output()).await??;
    Ok(if done.status.success() { Ok(serde_json::from_slice(&done.stdout)?) } else { Err(String::from_utf8(done.stderr)?) })
}

/// What is told for the gateway's own requests. Claims and actors are never there then; an example must not be taken in by them either.
const NOBODY: &str = concat!(
    r#"{"version":1,"backend":"b","issuer":null,"subject":null,"groups":[],"claims":{"subject":"ann"},"#,
    r#""delegation":[{"issuer":"a","subject":"agent"}]}"#
);

#[tokio::test]
async fn the_credential_commands_have_nothing_to_give_when_nobody_calls() -> Result<()> {
    for name in ["credentials.sh", "credentials.py"] {
        assert_eq!(run(name, NOBODY).await?, Ok(json!({ "headers": {} })), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_credential_command_in_shell_gives_nothing_where_it_cannot_tell_who_calls() -> Result<()> {
    for told in [
        r#"{"version":1,"backend":"b","issuer":"a","subject":"an\"n","groups":[],"claims":{},"delegation":[]}"#,
        r#"{"version":1,"backend":"b","issuer":"a\u0000","subject":"ann","groups":[],"claims":{},"delegation":[]}"#,
        r#"{"version":1,"backend":"b","issuer":null,"subject":"ann","groups":[],"claims":{},"delegation":[]}"#,
        r#"{"version":1,"issuer":"a","subject":"ann","backend":"b","groups":[],"claims":{},"delegation":[]}"#,
        r#"{"subject":"ann","version":1,"backend":"b","issuer":null,"subject":null,"groups":[],"claims":{},"delegation":[]}"#,
        "",
    ] {
        let why = run("credentials.sh", told).await?.err().with_context(|| format!("it gave something for {told}"))?;
        assert_eq!(why, "it does not say who calls, or in characters that only a tool that reads JSON takes apart\n", "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_credential_command_in_shell_gives_each_caller_a_key() -> Result<()> {
    let strategy = json!({ "type": "exec", "exec": { "command": plugin("credentials.sh") } });
    gives_each_their_own(&strategy).await?;
    is_nobody_elses(&strategy, "exec").await?;
    Ok(())
}

#[tokio::test]
async fn the_credential_command_in_python_gives_each_caller_a_token_that_says_who_it_is() -> Result<()> {
    let strategy = json!({ "type": "exec", "exec": { "command": plugin("credentials.py"), "env": { "MCP_SHARED_SECRET": "hunter2" } } });
    let sent = gives_each_their_own(&strategy).await?;
    let claims = claims_of(&sent[2])?;
    let bob = json!({ "format": "iss_sub", "iss": "test", "sub": "bob" });
    assert_eq!((&claims["sub_id"], &claims["aud"], &claims["groups"]), (&bob, &json!("b"), &json!(["dev"])));
    let sent = is_nobody_elses(&strategy, "exec").await?;
    assert_eq!(claims_of(&sent[2])?["sub_id"], json!({ "format": "iss_sub", "iss": "b", "sub": "ann" }));

    let fixture = Fixture::start(Spec::modern("b")).await?;
    let without = gateway(&fixture, &json!({ "type": "exec", "exec": { "command": plugin("credentials.py") } }))?;
    let why = call(&without, &named("ann"), "b", &json!({})).await.err().context("no error")?.to_string();
    let command = plugin("credentials.py");
    assert_eq!(why, format!("backend `b`: credentials failed: the command `{}` ended with exit status: 1", command.display()));
    without.shutdown().await;
    Ok(())
}

/// The service in Python. It ends with this value.
struct Service(Child);

impl Service {
    async fn start(place: &str) -> Result<(Self, String)> {
        let mut child = Command::new(plugin("service.py")).arg(place).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let said = tokio::time::timeout(vmcp_tests::PATIENCE, lines.next_line()).await??.context("it said nothing")?;
        Ok((Self(child), said))
    }
}

#[tokio::test]
async fn the_credential_service_is_asked_over_http_and_says_no_to_whom_it_likes() -> Result<()> {
    let (mut service, url) = Service::start("0").await?;
    let strategy = json!({ "type": "external", "external": { "url": url } });
    gives_each_their_own(&strategy).await?;
    is_nobody_elses(&strategy, "external").await?;
    let addr = url.trim_start_matches("http://").trim_end_matches('/').parse()?;
    let nobodys = Conn::open(addr).await?.exchange(&Request::post(NOBODY)).await?;
    assert_eq!((nobodys.status(), nobodys.json()?), (200, json!({ "headers": {} })));
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let gateway = gateway(&fixture, &strategy)?;
    let why = call(&gateway, &named("mallory"), "b", &json!({})).await.err().context("no error")?.to_string();
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(why, format!("backend `b`: credentials failed: the credential service at {host} has none for this caller"));
    call(&gateway, &named("ann"), "b", &json!({})).await?;
    // What is kept outlives the service.
    service.0.kill().await?;
    call(&gateway, &named("ann"), "b", &json!({})).await?;
    assert!(call(&gateway, &named("bob"), "b", &json!({})).await.is_err());
    gateway.shutdown().await;
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn the_credential_service_is_asked_at_a_unix_socket() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("creds.sock");
    let (_service, _) = Service::start(&socket.display().to_string()).await?;
    gives_each_their_own(&json!({ "type": "external", "external": { "url": "http://creds/", "socket": socket } })).await?;
    Ok(())
}
