//! A legacy client that loses a stream goes on where it was; nobody else does.

#[path = "named/mod.rs"]
mod named;
mod served;

use anyhow::{Context, Result};
use named::NamedFactory;
use serde_json::{Value, json};
use served::serve;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, Conn, Event, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene(backend: Era, more: Value) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::new("b", backend)).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(more)] })).await?;
    Ok((fixture, vmcp))
}

/// Calls a tool that takes a step and waits, and loses the connection after the first event. Returns that event.
async fn lose(client: &Client) -> Result<Event> {
    let mut lost = client.sibling().await?;
    let (_, head) = lost.start(&Rpc::tool("b_progress", r#"{"steps":3,"hold":true}"#).meta(r#""progressToken":"mine""#)).await?;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let first = lost.conn.event(&mut Vec::new()).await?.context("no step")?;
    assert_eq!(first.json()["params"]["progress"], 1);
    Ok(first)
}

/// The messages up to the end of the stream: the number of each step, and the answer as 0.
async fn rest(conn: &mut Conn) -> Result<Vec<i64>> {
    let (mut buffer, mut rest) = (Vec::new(), Vec::new());
    while let Some(event) = conn.event(&mut buffer).await? {
        let message = event.json();
        rest.push(if message["result"].is_object() { 0 } else { message["params"]["progress"].as_i64().context("no step")? });
    }
    Ok(rest)
}

#[tokio::test]
async fn a_call_whose_connection_broke_goes_on_behind_the_last_event_and_can_be_read_again() -> Result<()> {
    for (backend, revision) in [(Era::Legacy, "2025-11-25"), (Era::Modern, "2025-11-25"), (Era::Legacy, "2025-06-18")] {
        let (fixture, vmcp) = scene(backend, json!({})).await?;
        let client = vmcp.client_of(Era::Legacy).revision(revision).connect().await?;
        let id = lose(&client).await?.id.context("an event without an id")?;
        fixture.until("the call waits", |f| f.started() == 1).await?;
        let mut back = client.come_back(&id).await?;
        fixture.release(1);
        assert_eq!(rest(&mut back).await?, [2, 3, 0], "{backend:?} {revision}");
        assert_eq!(fixture.abandoned(), 0, "a broken connection cancels nothing");
        // The answer may have been lost with that connection too.
        assert_eq!(rest(&mut client.come_back(&id).await?).await?, [2, 3, 0], "{backend:?} {revision}");
        assert_eq!(fixture.calls().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn the_streams_of_the_newest_sessions_begin_with_an_id_and_older_clients_are_spared_that() -> Result<()> {
    for (revision, primed) in [("2025-11-25", true), ("2025-06-18", false)] {
        let (fixture, vmcp) = scene(Era::Legacy, json!({})).await?;
        let mut client = vmcp.client_of(Era::Legacy).revision(revision).connect().await?;
        let mut get = client.sibling().await?;
        get.conn.write(&client.caller.get().bytes()).await?;
        get.conn.head().await?;
        client.start(&Rpc::tool("b_progress", r#"{"steps":1}"#).meta(r#""progressToken":1"#)).await?;
        let text = client.conn.opening().await?;
        let first = text.split("\n\n").next().unwrap_or_default();
        assert_eq!(first.contains("\nretry: ") && first.ends_with("\ndata:"), primed, "{text}");
        assert!(text.starts_with("id: "), "{text}");
        if primed {
            let text = get.conn.opening().await?;
            assert!(text.starts_with("id: ") && text.contains("\nretry: ") && text.contains("\ndata:\n"), "{text}");
        }
        drop(fixture);
    }
    Ok(())
}

#[tokio::test]
async fn what_a_stream_kept_is_for_the_session_and_the_credentials_that_opened_it() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({ "passthroughHeaders": ["x-key"] })).await?;
    let ann = vmcp.client_of(Era::Legacy).header("x-key", "ann").connect().await?;
    let id = lose(&ann).await?.id.context("an event without an id")?;
    fixture.until("the call waits", |f| f.started() == 1).await?;
    fixture.release(1);

    // Somebody else's session, and her own with another key: a stream, but a new one.
    let bob = vmcp.client_of(Era::Legacy).header("x-key", "ann").connect().await?;
    let mut other_key = Client::with(ann.caller.clone(), ann.addr).await?;
    other_key.caller.set("x-key", "eve");
    for stranger in [&bob, &other_key] {
        let text = stranger.come_back(&id).await?.opening().await?;
        let stream = id.rsplit_once('-').context("an id of three parts")?.0;
        assert!(text.starts_with("id: ") && !text.contains(stream) && !text.contains("progress"), "{text}");
    }
    // No session at all.
    let mut nobody = Client::with(ann.caller.clone(), ann.addr).await?;
    nobody.caller.session = Some("v1.nonsense".to_owned());
    assert_eq!(nobody.conn.exchange(&nobody.caller.get().header("last-event-id", &id)).await?.status(), 404);

    assert_eq!(rest(&mut ann.come_back(&id).await?).await?, [2, 3, 0], "all that did her no harm");
    Ok(())
}

#[tokio::test]
async fn nobody_but_the_principal_who_opened_a_session_can_go_on_with_a_stream_of_it() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let config = json!({ "backends": [fixture.entry(json!({}))], "incomingAuth": { "type": "named" } });
    let gateway = Gateway::builder(serde_json::from_value(config)?).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let ann = Client::of(Era::Legacy, addr).header("x-user", "ann").connect().await?;
    let id = lose(&ann).await?.id.context("an event without an id")?;
    fixture.until("the call waits", |f| f.started() == 1).await?;
    fixture.release(1);
    // He knows both ids, and has a session of his own besides.
    let bob = Client::of(Era::Legacy, addr).header("x-user", "bob").connect().await?;
    let mut thief = Client::with(ann.caller.clone(), addr).await?;
    thief.caller.set("x-user", "bob");
    for request in [thief.caller.get(), thief.caller.get().header("last-event-id", &id)] {
        let mut conn = Conn::open(addr).await?;
        conn.write(&request.bytes()).await?;
        assert_eq!(conn.head().await?.status, 404);
    }
    let nameless = thief.caller.get().without("x-user").header("last-event-id", &id);
    assert_eq!(Conn::open(addr).await?.exchange(&nameless).await?.status(), 401);
    let text = bob.come_back(&id).await?.opening().await?;
    assert!(!text.contains("progress"), "in his own session nothing of hers is found: {text}");

    assert_eq!(rest(&mut ann.come_back(&id).await?).await?, [2, 3, 0], "all that did her no harm");
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn an_id_that_names_nothing_opens_a_stream_that_hears_of_changes() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({})).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.tools().await?;
    for id in ["", "1", "0-1-1", "ffffffff-1-1"] {
        let mut conn = client.come_back(id).await?;
        fixture.until("the gateway listens", |f| f.streams() > 0).await?;
        fixture.change(|items| items.tools.push(format!(r#"{{"name":"fresh{id}","inputSchema":{{"type":"object"}}}}"#)));
        fixture.announce("tools");
        let event = conn.event(&mut Vec::new()).await?.context("the stream ended")?;
        assert_eq!(event.json()["method"], "notifications/tools/list_changed", "{id:?}");
        client.tools().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_lost_its_get_stream_goes_on_with_it_and_hears_what_changed_meanwhile_once() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({})).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.tools().await?;
    client.list("prompts/list").await?;
    let mut conn = client.come_back("").await?;
    fixture.until("the gateway listens", |f| f.streams() > 0).await?;
    let change = |what: &str| {
        let (tool, what) = (r#"{"name":"fresh","inputSchema":{"type":"object"}}"#, what.to_owned());
        fixture.change(|items| if what == "tools" { items.tools.push(tool.to_owned()) } else { items.prompts.push(tool.to_owned()) });
        fixture.announce(&what);
    };
    change("tools");
    let event = conn.event(&mut Vec::new()).await?.context("the stream ended")?;
    drop(conn);
    let mut conn = client.come_back(&event.id.context("an event without an id")?).await?;
    change("prompts");
    let event = conn.event(&mut Vec::new()).await?.context("the stream ended")?;
    assert_eq!(event.json()["method"], "notifications/prompts/list_changed", "what was heard is not heard again");
    Ok(())
}
