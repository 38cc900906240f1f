//! A new configuration while clients of revision 2024-11-05 have their event streams open (the gateway as a library: the command line has no
//! reload).

mod served;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;
use vmcp_core::config::Config;
use vmcp_server::Gateway;
use vmcp_tests::{
    client::{Old, Request},
    fixture::{Fixture, Spec},
    process::new_key,
};

/// A gateway that lets those in whose keys have these hashes.
fn config(name: &str, fixture: &Fixture, path: &str, hashes: &[(&str, &str)]) -> Result<Config> {
    let keys: Vec<Value> = hashes.iter().map(|(subject, hash)| json!({ "subject": subject, "hash": hash })).collect();
    Ok(serde_json::from_value(json!({
        "name": name, "ssePath": path, "backends": [fixture.entry(json!({}))],
        "incomingAuth": { "type": "apiKey", "apiKey": { "keys": keys } },
    }))?)
}

async fn old(addr: SocketAddr, key: &str) -> Result<Old> {
    let mut old = Old::open(addr, "/sse", &[("x-api-key", key)]).await?;
    old.initialize("2024-11-05", json!({})).await?;
    Ok(old)
}

/// Reads to the end of the stream, which has to be one in order.
async fn ends(old: &mut Old) -> Result<()> {
    while let Some(event) = old.event().await.context("the stream's end")? {
        ensure!(event.json().get("method").is_some(), "{event:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_changes_who_callers_are_ends_their_streams_and_whose_key_is_gone_does_not_come_back() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let ((ann_key, ann_hash), (bob_key, bob_hash)) = (new_key().await?, new_key().await?);
    let before = config("one", &fixture, "/sse", &[("ann", &ann_hash), ("bob", &bob_hash)])?;
    let gateway = Gateway::builder(before).build()?;
    let (addr, _) = served::serve(&gateway).await?;
    let (mut ann, mut bob) = (old(addr, &ann_key).await?, old(addr, &bob_key).await?);
    bob.call(1, "b_echo", json!({})).await?;
    ann.request(1, "tools/call", json!({ "name": "b_slow", "arguments": {} })).await?;
    fixture.until("Ann's call", |fixture| fixture.started() == 1).await?;

    gateway.reload(config("one", &fixture, "/sse", &[("bob", &bob_hash)])?)?;
    ends(&mut bob).await?;
    let message = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" }).to_string();
    assert_eq!(bob.post(message.as_str()).await?.status(), 404, "the stream is gone, not its caller");
    assert_eq!(ann.post(message.as_str()).await?.status(), 401);
    // What she began before runs to its end, as a call over streamable HTTP does.
    fixture.release(1);
    assert!(ann.answer(1).await?["result"].is_object());
    ends(&mut ann).await?;
    let get = Request::get("/sse").header("accept", "text/event-stream").header("x-api-key", &ann_key);
    assert_eq!(ann.conn.exchange(&get).await?.status(), 401);
    fixture.until("what they had at the backend is closed", |fixture| fixture.open_sessions_of_calls() == 0).await?;
    let mut bob = old(addr, &bob_key).await?;
    bob.call(3, "b_echo", json!({})).await?;
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlasts_the_time_for_ending_does_not_keep_such_a_stream() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let ((ann_key, ann_hash), (_, bob_hash)) = (new_key().await?, new_key().await?);
    let limited = |hashes: &[(&str, &str)]| -> Result<Config> {
        let mut config = config("one", &fixture, "/sse", hashes)?;
        config.limits.shutdown_timeout = serde_json::from_value(json!("500ms"))?;
        Ok(config)
    };
    let gateway = Gateway::builder(limited(&[("ann", &ann_hash)])?).build()?;
    let (addr, _) = served::serve(&gateway).await?;
    let mut ann = old(addr, &ann_key).await?;
    ann.request(1, "tools/call", json!({ "name": "b_slow", "arguments": {} })).await?;
    fixture.until("Ann's call", |fixture| fixture.started() == 1).await?;
    gateway.reload(limited(&[("bob", &bob_hash)])?)?;
    ends(&mut ann).await?;
    fixture.until("the call was given up", |fixture| fixture.abandoned() == 1 && fixture.open_sessions_of_calls() == 0).await?;
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_leaves_callers_as_they_are_leaves_them_their_streams_unless_these_are_elsewhere() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let (key, hash) = new_key().await?;
    let hashes = [("ann", hash.as_str())];
    let gateway = Gateway::builder(config("one", &fixture, "/sse", &hashes)?).build()?;
    let (addr, _) = served::serve(&gateway).await?;
    let mut ann = old(addr, &key).await?;
    ann.call(1, "b_echo", json!({})).await?;
    let uri = "fixture://b/text";
    ann.request(2, "resources/subscribe", json!({ "uri": uri })).await?;
    assert_eq!(ann.answer(2).await?["result"], json!({}));
    gateway.reload(config("two", &fixture, "/sse", &hashes)?)?;
    ann.call(3, "b_echo", json!({})).await?;
    // The backends are new ones, and hear again of what she follows.
    fixture.until("it is followed again", |fixture| fixture.requests_of("resources/subscribe").len() == 2).await?;
    fixture.until("by one session, which hears", |fixture| fixture.followers(uri) == 1 && fixture.hearers(uri) == 1).await?;
    fixture.updated(uri);
    let told = ann.event().await?.context("the stream's end")?.json();
    assert_eq!((&told["method"], &told["params"]["uri"]), (&json!("notifications/resources/updated"), &json!(uri)), "{told}");
    gateway.reload(config("two", &fixture, "/events", &hashes)?)?;
    ends(&mut ann).await?;
    fixture.until("what she had at the backend is closed", |fixture| fixture.open_sessions_of_calls() == 0).await?;
    gateway.shutdown().await;
    Ok(())
}
