//! Nothing is unbounded: what happens at each limit.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use vmcp_tests::{
    Era,
    client::{Client, Conn, Request, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene(backend: Era, entry: Value, config: Value) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::new("b", backend)).await?;
    let mut whole = json!({ "backends": [fixture.entry(entry)] });
    if let (Some(whole), Value::Object(config)) = (whole.as_object_mut(), config) {
        whole.extend(config);
    }
    Ok((fixture, Vmcp::serve(whole).await?))
}

#[tokio::test]
async fn over_the_cap_the_session_that_was_idle_longest_goes() -> Result<()> {
    let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "sessions": { "max": 3 } })).await?;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = vmcp.client(Era::Legacy).await?;
        client.call("b_echo", "{}").await?.result()?;
        clients.push(client);
    }
    clients[0].call("b_echo", "{}").await?.result()?;
    let mut fourth = vmcp.client(Era::Legacy).await?;
    fourth.call("b_echo", "{}").await?.result()?;
    let mut statuses = Vec::new();
    for client in &mut clients {
        statuses.push(client.call("b_echo", "{}").await?.status());
    }
    assert_eq!(statuses, [200, 404, 200], "the second was used longest ago");
    Ok(())
}

#[tokio::test]
async fn a_busy_session_is_not_the_one_that_goes() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "sessions": { "max": 2 } })).await?;
    let mut busy = vmcp.client(Era::Legacy).await?;
    busy.begin(&Rpc::tool("b_slow", "{}")).await?;
    fixture.until("the call", |f| f.started() == 1).await?;
    for _ in 0..4 {
        vmcp.client(Era::Legacy).await?.call("b_echo", "{}").await?.result()?;
    }
    fixture.release(1);
    busy.finish().await?.result()?;
    busy.call("b_echo", "{}").await?.result()?;
    Ok(())
}

/// How long sessions live in the tests of it, and how long these wait: the limit itself, and what the clocks of two processes may differ by.
/// That is more than what comes between the last use and the wait takes on a busy machine.
const LIFE: Duration = Duration::from_secs(2);
const BEYOND: Duration = Duration::from_millis(2050);

#[tokio::test]
async fn a_session_that_is_never_used_is_gone_at_once_when_its_time_is_over() -> Result<()> {
    let life = format!("{}ms", LIFE.as_millis());
    let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "sessions": { "unusedTimeout": life } })).await?;
    let mut used = vmcp.client(Era::Legacy).await?;
    used.call("b_echo", "{}").await?.result()?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.caller.session = None;
    let rpc = Rpc::new("initialize", r#""protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}"#);
    let opened = client.send(&rpc).await?;
    client.caller.session = opened.response.head.header("mcp-session-id").map(str::to_owned);
    tokio::time::sleep(BEYOND).await;
    assert_eq!(client.call("b_echo", "{}").await?.status(), 404, "nobody has to look before");
    assert_eq!(used.call("b_echo", "{}").await?.status(), 200, "a used session lives for its idle time");
    Ok(())
}

#[tokio::test]
async fn an_idle_session_is_gone_at_once_when_its_time_is_over_and_one_in_use_is_not() -> Result<()> {
    let life = format!("{}ms", LIFE.as_millis());
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "sessions": { "idleTimeout": life, "unusedTimeout": "1h" } })).await?;
    let mut idle = vmcp.client(Era::Legacy).await?;
    let mut busy = vmcp.client(Era::Legacy).await?;
    let mut streaming = vmcp.client(Era::Legacy).await?;
    for client in [&mut idle, &mut busy, &mut streaming] {
        client.call("b_echo", "{}").await?.result()?;
    }
    let mut calling = busy.sibling().await?;
    calling.begin(&Rpc::tool("b_slow", "{}")).await?;
    fixture.until("the call", |f| f.started() == 1).await?;
    let stream = streaming.listen().await?;
    tokio::time::sleep(BEYOND).await;
    assert_eq!(idle.call("b_echo", "{}").await?.status(), 404, "nobody has to look before");
    assert_eq!(busy.call("b_echo", "{}").await?.status(), 200, "a session with a call in flight");
    assert_eq!(streaming.call("b_echo", "{}").await?.status(), 200, "a session with an open stream");
    assert_eq!(fixture.calls().len(), 6, "what came too late went nowhere");
    fixture.release(1);
    calling.finish().await?.result()?;
    drop(stream);
    Ok(())
}

#[tokio::test]
async fn a_session_that_gave_way_leaves_nothing_at_the_backend() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "sessions": { "max": 1 } })).await?;
    let mut last = None;
    for _ in 0..3 {
        let mut client = vmcp.client(Era::Legacy).await?;
        client.call("b_echo", "{}").await?.result()?;
        last = Some(client);
    }
    fixture.until("only the last one's session and the gateway's own are left", |f| f.live_sessions() <= 2).await?;
    last.context("no client")?.call("b_echo", "{}").await?.result()?;
    Ok(())
}

#[tokio::test]
async fn the_answers_of_a_batch_are_together_no_longer_than_one_may_be() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "limits": { "maxResponseBytes": "64KiB" } })).await?;
    let mut client = Client::of(Era::Legacy, vmcp.addr()).revision("2025-03-26").connect().await?;
    client.tools().await?;
    let calls: Vec<String> = (0..5).map(|id| Rpc::tool("b_big", r#"{"bytes":40000}"#).text(Era::Legacy, Some(&id.to_string()))).collect();
    let mut request = client.caller.request(&Rpc::new("ping", ""), "1");
    request.body = format!("[{}]", calls.join(",")).into_bytes();
    let answers = client.conn.exchange(&request).await?.json()?;
    let answers: Vec<bool> = answers.as_array().context("no array")?.iter().map(|answer| answer["result"].is_object()).collect();
    assert_eq!(answers, [true, false, false, false, false]);
    assert_eq!(fixture.calls().len(), 2, "what cannot be answered is not run");
    Ok(())
}

#[tokio::test]
async fn a_reply_beyond_the_limit_fails_alone() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = scene(backend, json!({}), json!({ "limits": { "maxResponseBytes": "64KiB" } })).await?;
        let mut client = vmcp.client(caller).await?;
        client.call("b_big", r#"{"bytes":50000}"#).await?.result()?;
        let failure = client.call("b_big", r#"{"bytes":70000}"#).await?.failure()?;
        assert!(failure.contains('b') && failure.contains("65536"), "{caller:?} {backend:?}: the limit is named: {failure}");
        client.call("b_big", r#"{"bytes":50000}"#).await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn calls_beyond_a_backends_share_wait_their_turn() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = scene(backend, json!({ "maxConcurrent": 2 }), json!({})).await?;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = vmcp.client(caller).await?;
            client.begin(&Rpc::tool("b_slow", "{}")).await?;
            clients.push(client);
        }
        fixture.until("two calls", |f| f.started() == 2).await?;
        for _ in 0..20 {
            vmcp.client(caller).await?.send(&Rpc::list("tools/list", None)).await?;
        }
        assert_eq!(fixture.started(), 2, "{caller:?} {backend:?}: two at a time");
        fixture.release(5);
        for client in &mut clients {
            client.finish().await?.result().with_context(|| format!("{caller:?} {backend:?}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn beyond_the_requests_in_flight_the_gateway_says_it_is_busy() -> Result<()> {
    for era in Era::BOTH {
        let (fixture, vmcp) = scene(Era::Modern, json!({}), json!({ "limits": { "maxRequestsInFlight": 2 } })).await?;
        let mut idle = vmcp.client(era).await?;
        let mut clients = Vec::new();
        for started in 1..=2 {
            let mut client = vmcp.client(era).await?;
            client.begin(&Rpc::tool("b_slow", "{}")).await?;
            fixture.until("the call", |f| f.started() == started).await?;
            clients.push(client);
        }
        assert_eq!(idle.call("b_echo", "{}").await?.status(), 503, "{era:?}");
        assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&Request::get("/health")).await?.status(), 200, "health is not a call");
        fixture.release(2);
        for client in &mut clients {
            client.finish().await?.result()?;
        }
        idle.call("b_echo", "{}").await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_or_are_refused_and_the_first_ones_work() -> Result<()> {
    let (_fixture, vmcp) = scene(Era::Modern, json!({}), json!({ "limits": { "maxConnections": 4 } })).await?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = vmcp.client(Era::Modern).await?;
        client.call("b_echo", "{}").await?.result()?;
        clients.push(client);
    }
    let mut more = Vec::new();
    for _ in 0..8 {
        more.push(Conn::open(vmcp.addr()).await);
    }
    for client in &mut clients {
        client.call("b_echo", "{}").await?.result()?;
    }
    drop((clients, more));
    vmcp_tests::eventually("room again", async || match vmcp.client(Era::Modern).await {
        Ok(mut client) => client.call("b_echo", "{}").await.is_ok(),
        Err(_) => false,
    })
    .await
}

#[tokio::test]
async fn a_connection_beyond_the_cap_is_served_as_soon_as_another_one_has_gone() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Modern, json!({}), json!({ "limits": { "maxConnections": 2 } })).await?;
    let (mut stays, mut goes) = (vmcp.client(Era::Modern).await?, vmcp.client(Era::Modern).await?);
    for client in [&mut stays, &mut goes] {
        client.call("b_echo", "{}").await?.result()?;
    }
    let mut beyond = vmcp.client(Era::Modern).await?;
    beyond.begin(&Rpc::tool("b_slow", "{}")).await?;
    for _ in 0..20 {
        stays.call("b_echo", "{}").await?.result()?;
    }
    assert_eq!(fixture.started(), 0, "it is not even read while there are as many as may be");
    drop(goes);
    fixture.until("the call of the one that waited", |f| f.started() == 1).await?;
    fixture.release(1);
    beyond.finish().await?.result()?;
    Ok(())
}

#[tokio::test]
async fn an_endless_list_is_cut_off() -> Result<()> {
    let endless = Fixture::start(Spec::modern("endless").paged(15_000, 100)).await?;
    let good = Fixture::start(Spec::modern("good")).await?;
    let vmcp =
        Vmcp::serve(json!({ "aggregation": { "listWait": "10s" }, "backends": [endless.entry(json!({})), good.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let tools = client.tools().await?;
    assert!(tools.contains(&"good_echo".to_owned()));
    assert!(tools.len() <= 10_000 + 10, "{} tools", tools.len());
    for request in endless.requests_of("tools/list") {
        let cursor = request.json()["params"]["cursor"].as_str().unwrap_or("after 0").to_owned();
        let items: usize = cursor.trim_start_matches("after ").parse()?;
        assert!(items < 10_000, "a collection goes on after 100 pages of 100 items");
    }
    Ok(())
}
