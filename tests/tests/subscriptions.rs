//! `resources/subscribe`: at the backend that owns the resource, for the session that asked.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Rpc, Stream},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene() -> Result<([Fixture; 2], Vmcp)> {
    let fixtures = [Fixture::start(Spec::legacy("a")).await?, Fixture::start(Spec::legacy("b")).await?];
    let vmcp = Vmcp::serve(json!({ "backends": [fixtures[0].entry(json!({})), fixtures[1].entry(json!({}))] })).await?;
    Ok((fixtures, vmcp))
}

/// A client of one of the backends that listens.
async fn listening(vmcp: &Vmcp, fixture: &Fixture, already: usize) -> Result<(Client, Stream)> {
    let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
    client.list("resources/list").await?;
    client.call("b_echo", "{}").await?.result()?;
    let stream = client.listen().await?;
    eventually("the gateway listens for the client", async || fixture.declared_streams() == already + 1).await?;
    Ok((client, stream))
}

async fn follow(client: &mut Client, method: &str, uri: &str) -> Result<vmcp_tests::client::Reply> {
    client.send(&Rpc::new(method, format!(r#""uri":"{uri}""#))).await
}

async fn next(stream: &mut Stream) -> Result<Value> {
    Ok(stream.next().await?.context("the stream ended")?.json())
}

#[tokio::test]
async fn updates_reach_the_session_that_follows_the_resource_and_no_other() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    let (mut client, mut stream) = listening(&vmcp, &b, 0).await?;
    let (_other, mut elsewhere) = listening(&vmcp, &b, 1).await?;
    let uri = "fixture://b/text";
    assert_eq!(follow(&mut client, "resources/subscribe", uri).await?.raw_result()?, "{}");
    assert_eq!((a.requests_of("resources/subscribe").len(), b.followers(uri)), (0, 1), "only its owner is asked");
    b.updated(uri);
    let note = next(&mut stream).await?;
    assert_eq!((&note["method"], &note["params"]["uri"]), (&json!("notifications/resources/updated"), &json!(uri)), "{note}");

    assert_eq!(follow(&mut client, "resources/unsubscribe", uri).await?.raw_result()?, "{}");
    assert_eq!(b.followers(uri), 0);
    b.updated(uri);
    b.say("notifications/message", r#"{"level":"info","data":1}"#);
    for stream in [&mut stream, &mut elsewhere] {
        assert_eq!(next(stream).await?["method"], "notifications/message");
    }
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_repeated_in_a_session_that_the_backend_forgot() -> Result<()> {
    let ([_a, b], vmcp) = scene().await?;
    let (mut client, mut stream) = listening(&vmcp, &b, 0).await?;
    let uri = "fixture://b/text";
    follow(&mut client, "resources/subscribe", uri).await?.result()?;
    b.forget_sessions();
    client.call("b_echo", "{}").await?.result()?;
    eventually("the resource is followed again", async || b.followers(uri) == 1).await?;
    eventually("the gateway listens again", async || b.declared_streams() == 1).await?;
    b.updated(uri);
    loop {
        let note = next(&mut stream).await?;
        if note["method"] == "notifications/resources/updated" {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_resource_that_nobody_has_cannot_be_followed() -> Result<()> {
    let (fixtures, vmcp) = scene().await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.list("resources/list").await?;
    let error = follow(&mut client, "resources/subscribe", "nowhere://x").await?.error()?;
    assert!(error.code == -32002 && error.data.is_some_and(|data| data.contains("nowhere://x")));
    let error = client.send(&Rpc::new("resources/subscribe", "")).await?.error()?;
    assert_eq!(error.code, -32602);
    assert!(fixtures.iter().all(|f| f.requests_of("resources/subscribe").is_empty()));
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_session_ends_what_it_follows() -> Result<()> {
    let ([_a, b], vmcp) = scene().await?;
    let (mut client, _stream) = listening(&vmcp, &b, 0).await?;
    follow(&mut client, "resources/subscribe", "fixture://b/text").await?.result()?;
    let request = client.caller.delete();
    assert_eq!(client.conn.exchange(&request).await?.status(), 204);
    eventually("the backend's session has ended", async || b.followers("fixture://b/text") == 0).await
}
