//! `resources/subscribe`: at the backend that owns the resource, for the session that asked.

use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::{Client, Rpc, Stream},
    eventually,
    fixture::{Fault, Fixture, Recorded, Spec},
    process::Vmcp,
};

async fn scene() -> Result<([Fixture; 2], Vmcp)> {
    scene_of(Era::Legacy).await
}

/// Two backends of this era.
async fn scene_of(era: Era) -> Result<([Fixture; 2], Vmcp)> {
    let fixtures = [Fixture::start(Spec::new("a", era)).await?, Fixture::start(Spec::new("b", era)).await?];
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

#[tokio::test]
async fn updates_reach_the_session_that_follows_the_resource_and_no_other() -> Result<()> {
    let (uri, later) = ("fixture://b/text", "fixture://b/item/7");
    for era in Era::BOTH {
        let ([a, b], vmcp) = scene_of(era).await?;
        let mut listeners = Vec::new();
        for already in 0..2 {
            let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
            client.list("resources/list").await?;
            client.call("b_echo", "{}").await?.result()?;
            let stream = client.listen().await?;
            if era == Era::Legacy {
                eventually("the gateway listens for the client", async || b.declared_streams() == already + 1).await?;
            }
            listeners.push((client, stream));
        }
        let [(client, stream), (other, elsewhere)] = &mut listeners[..] else { anyhow::bail!("two listen") };
        assert_eq!(follow(client, "resources/subscribe", uri).await?.raw_result()?, "{}", "{era:?}");
        assert_eq!((a.followers(uri), b.followers(uri)), (0, 1), "{era:?}: only its owner is asked");
        b.updated(uri);
        let note = stream.message().await.with_context(|| format!("{era:?}"))?;
        assert_eq!((&note["method"], &note["params"]["uri"]), (&json!("notifications/resources/updated"), &json!(uri)), "{note}");

        assert_eq!(follow(client, "resources/unsubscribe", uri).await?.raw_result()?, "{}", "{era:?}");
        for client in [client, other] {
            assert_eq!(follow(client, "resources/subscribe", later).await?.raw_result()?, "{}", "{era:?}");
        }
        eventually("it is followed no longer", async || b.followers(uri) == 0).await?;
        b.updated(uri);
        b.updated(later);
        for stream in [stream, elsewhere] {
            assert_eq!(stream.message().await?["params"]["uri"], later, "{era:?}: the next that is heard");
        }
        assert!(a.requests_of("resources/subscribe").is_empty(), "{era:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_followed_before_anybody_listens_is_heard_of_as_soon_as_somebody_does() -> Result<()> {
    let uri = "fixture://b/text";
    let ([_a, b], vmcp) = scene_of(Era::Modern).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.list("resources/list").await?;
    let begun = Instant::now();
    assert_eq!(follow(&mut client, "resources/subscribe", uri).await?.raw_result()?, "{}");
    assert!(begun.elapsed() < Duration::from_secs(4), "nothing is waited for: {:?}", begun.elapsed());
    assert_eq!(b.followers(uri), 0);
    let mut stream = client.listen().await?;
    eventually("the resource is followed", async || b.followers(uri) == 1).await?;
    b.updated(uri);
    assert_eq!(stream.message().await?["params"]["uri"], uri);
    Ok(())
}

#[tokio::test]
async fn a_resource_of_which_its_backend_tells_nothing_cannot_be_followed() -> Result<()> {
    let ([_a, b], vmcp) = scene_of(Era::Modern).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.list("resources/list").await?;
    let mut stream = client.listen().await?;
    let (untold, told) = ("fixture://b/blob", "fixture://b/text");
    for _ in 0..2 {
        let error = follow(&mut client, "resources/subscribe", untold).await?.error()?;
        assert!(error.code == -32002 && error.data.is_some_and(|data| data.contains(untold)));
    }
    assert_eq!(follow(&mut client, "resources/subscribe", told).await?.raw_result()?, "{}", "others can");
    eventually("it is not asked for again", async || b.followers(untold) == 0 && b.followers(told) == 1).await?;
    b.updated(told);
    assert_eq!(stream.message().await?["params"]["uri"], told);
    Ok(())
}

#[tokio::test]
async fn a_backend_that_tells_of_nothing_is_known_at_once_and_asked_no_more() -> Result<()> {
    for fault in [Fault::Status(404), Fault::Error(-32601), Fault::ErrorEvent(-32601), Fault::Status(403), Fault::Error(-32603)] {
        let at = format!("{fault:?}");
        let ([_a, b], vmcp) = scene_of(Era::Modern).await?;
        b.fail_on("subscriptions/listen", fault.clone());
        let is_for_all = !matches!(fault, Fault::Status(403) | Fault::Error(-32603));
        let mut asked = Vec::new();
        for _ in 0..2 {
            let mut client = vmcp.client(Era::Legacy).await?;
            client.list("resources/list").await?;
            let _stream = client.listen().await?;
            for uri in ["fixture://b/text", "fixture://b/item/7", "fixture://b/text"] {
                let begun = Instant::now();
                let error = follow(&mut client, "resources/subscribe", uri).await?.error()?;
                assert!(error.code == -32002 && error.data.is_some_and(|data| data.contains(uri)), "{at}");
                assert!(begun.elapsed() < Duration::from_secs(4), "{at}: nothing is waited for: {:?}", begun.elapsed());
            }
            let with_uris = |request: &Recorded| !request.json()["params"]["notifications"]["resourceSubscriptions"].is_null();
            asked.push(b.requests_of("subscriptions/listen").into_iter().filter(with_uris).count());
        }
        if is_for_all {
            assert!(asked[0] <= 1 && asked[1] == asked[0], "{at}: what was said holds for all: {asked:?}");
        }
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
        let note = stream.message().await?;
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
