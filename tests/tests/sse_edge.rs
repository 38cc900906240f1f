//! HTTP+SSE towards clients of revision 2024-11-05: off unless `ssePath` says where, and then the same gateway.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Conn, Old, Request},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene(spec: Spec, mut more: Value) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(spec).await?;
    more["backends"] = json!([fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))]);
    more["ssePath"] = "/sse".into();
    let vmcp = Vmcp::serve(more).await?;
    Ok((fixture, vmcp))
}

async fn old(vmcp: &Vmcp) -> Result<Old> {
    let mut old = Old::open(vmcp.addr(), "/sse", &[]).await?;
    old.initialize("2024-11-05", json!({})).await?;
    Ok(old)
}

async fn status(vmcp: &Vmcp, request: &Request) -> Result<u16> {
    let mut conn = Conn::open(vmcp.addr()).await?;
    conn.write(&request.bytes()).await?;
    Ok(conn.head().await?.status)
}

#[tokio::test]
async fn an_old_client_is_told_where_to_post_and_answered_on_its_stream() -> Result<()> {
    for era in Era::BOTH {
        let (fixture, vmcp) = scene(Spec::new("b", era), json!({})).await?;
        let mut old = Old::open(vmcp.addr(), "/sse", &[]).await?;
        assert_eq!(old.head.header("content-type"), Some("text/event-stream"));
        let id = old.target.strip_prefix("/sse?sessionId=").context("not a target of the same origin")?;
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let opened = old.initialize("2024-11-05", json!({})).await?;
        assert_eq!(opened["result"]["protocolVersion"], "2024-11-05", "{opened}");
        old.request(1, "tools/list", json!({})).await?;
        let tools = old.answer(1).await?;
        assert!(tools["result"]["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "b_echo")), "{tools}");
        let arguments = json!({ "text": "a\nb", "n": [1.50] });
        assert_eq!(old.call(2, "b_echo", arguments.clone()).await?["structuredContent"], arguments);
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn answers_that_an_old_client_does_not_read_take_no_more_than_there_is_for_them() -> Result<()> {
    const CALLS: u64 = 20;
    let (_fixture, vmcp) = scene(Spec::legacy("b"), json!({ "limits": { "requestBudget": "3MiB", "maxRequestBytes": "1MiB" } })).await?;
    let mut old = Old::over(Conn::narrow(vmcp.addr()).await?, vmcp.addr(), "/sse", &[]).await?;
    old.initialize("2024-11-05", json!({})).await?;
    for id in 0..CALLS {
        old.request(100 + id, "tools/call", json!({ "name": "b_big", "arguments": { "bytes": 1_000_000 } })).await?;
    }
    let (mut whole, mut refused) = (0, 0);
    for id in 0..CALLS {
        let answer = old.answer(100 + id).await?;
        if answer["result"].is_object() {
            whole += 1;
        } else {
            assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("limits.requestBudget")), "{answer}");
            refused += 1;
        }
    }
    assert!(whole > 0 && refused > 0, "{whole} came and {refused} were refused");
    let mut beside = self::old(&vmcp).await?;
    beside.call(1, "b_big", json!({ "bytes": 1_000_000 })).await?;
    Ok(())
}

#[tokio::test]
async fn without_the_key_there_is_nothing_and_with_it_the_endpoint_is_as_before() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let without = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
    assert_eq!(status(&without, &Request::get("/sse").header("accept", "text/event-stream")).await?, 404);
    let with = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))], "path": "/", "ssePath": "/b/sse" })).await?;
    Old::open(with.addr(), "/b/sse", &[]).await?.initialize("2024-11-05", json!({})).await?;
    with.client_of(Era::Legacy).path("/").connect().await?.call("b_echo", "{}").await?.result()?;
    Ok(())
}

#[tokio::test]
async fn the_headers_of_each_post_are_those_of_its_message() -> Result<()> {
    let (fixture, vmcp) = scene(Spec::legacy("b"), json!({})).await?;
    let mut old = Old::open(vmcp.addr(), "/sse", &[("x-key", "opened"), ("x-other", "unlisted")]).await?;
    old.initialize("2024-11-05", json!({})).await?;
    for (id, value) in [(1, Some("one")), (2, Some("two")), (3, None)] {
        old.headers = value.map(|value| ("x-key".to_owned(), value.to_owned())).into_iter().collect();
        old.call(id, "b_echo", json!({})).await?;
    }
    let sent: Vec<_> = fixture.calls().iter().map(|call| call.value("x-key").map(str::to_owned)).collect();
    assert_eq!(sent, [Some("one".to_owned()), Some("two".to_owned()), None]);
    assert!(fixture.requests().iter().all(|request| request.value("x-other").is_none()));
    let log = vmcp.quit().await?;
    assert!(!log.contains("sessionId"), "who has the id has the session: {log}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_message_for_a_stream_is_refused_where_it_was_sent() -> Result<()> {
    let (_fixture, vmcp) = scene(Spec::legacy("b"), json!({})).await?;
    let mut old = old(&vmcp).await?;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let to = |path: &str| Request { path: path.to_owned(), ..Request::post(ping.clone()) };
    let mine = old.target.clone();
    let wrong = [
        (404, to("/sse?sessionId=00000000000000000000000000000000")),
        (404, to("/sse?sessionId=")),
        (404, to(&format!("{mine}0"))),
        (405, to("/sse")),
        (405, Request { verb: "DELETE".to_owned(), ..to(&mine) }),
        (415, to(&mine).set("content-type", "text/plain")),
        (403, to(&mine).header("origin", "https://evil.example")),
        (403, to(&mine).set("host", "evil.example")),
        (403, Request::get("/sse").set("host", "evil.example")),
        (406, Request::get("/sse").header("accept", "application/json")),
    ];
    for (expected, request) in wrong {
        assert_eq!(status(&vmcp, &request).await?, expected, "{} {}", request.verb, request.path);
    }
    for body in ["no json", "[]", "{}", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]"] {
        assert_eq!(old.post(body).await?.status(), 400, "{body}");
    }
    assert!(status(&vmcp, &to(&mine).header("origin", "http://localhost:3000")).await? == 202, "a page of this machine");
    assert_eq!(old.answer(1).await?["result"], json!({}), "the first thing that it is told after all that");
    Ok(())
}

#[tokio::test]
async fn backends_ask_and_tell_an_old_client_on_its_stream() -> Result<()> {
    let (fixture, vmcp) = scene(Spec::legacy("b").interactive(), json!({})).await?;
    let mut old = Old::open(vmcp.addr(), "/sse", &[]).await?;
    old.initialize("2024-11-05", json!({ "sampling": {} })).await?;
    let question = json!({ "method": "sampling/createMessage", "params": { "maxTokens": 1 } });
    old.request(1, "tools/call", json!({ "name": "b_ask", "arguments": { "ask": [question] } })).await?;
    let asked = old.said("sampling/createMessage").await?;
    assert_eq!(asked["params"], json!({ "maxTokens": 1 }));
    old.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "role": "assistant" } })).await?;
    let answered = old.answer(1).await?;
    assert_eq!(answered["result"]["structuredContent"]["answers"][0]["result"], json!({ "role": "assistant" }), "{answered}");
    old.request(2, "tools/list", json!({})).await?;
    old.answer(2).await?;
    eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
    fixture.change(|items| items.tools.clear());
    fixture.announce("tools");
    old.said("notifications/tools/list_changed").await?;
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_its_session_and_calls() -> Result<()> {
    let (fixture, vmcp) = scene(Spec::legacy("b"), json!({})).await?;
    let mut old = old(&vmcp).await?;
    old.request(1, "tools/call", json!({ "name": "b_slow", "arguments": {} })).await?;
    old.request(2, "tools/call", json!({ "name": "b_slow", "arguments": {} })).await?;
    fixture.until("the calls", |fixture| fixture.started() == 2).await?;
    old.notify("notifications/cancelled", json!({ "requestId": 1 })).await?;
    fixture.until("one was cancelled", |fixture| fixture.abandoned() == 1).await?;
    let late = old.request_of(json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }).to_string());
    drop(old);
    fixture.until("the other was given up", |fixture| fixture.abandoned() == 2).await?;
    fixture.until("the session has ended", |fixture| fixture.live_sessions() == 0).await?;
    assert_eq!(status(&vmcp, &late).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_stop_lets_calls_end_and_then_ends_the_stream() -> Result<()> {
    let (fixture, mut vmcp) = scene(Spec::legacy("b"), json!({})).await?;
    let mut old = old(&vmcp).await?;
    old.request(1, "tools/call", json!({ "name": "b_slow", "arguments": {} })).await?;
    fixture.until("the call", |fixture| fixture.started() == 1).await?;
    vmcp.signal("TERM").await?;
    vmcp.logged("stopping").await?;
    fixture.release(1);
    assert!(old.answer(1).await?["result"].is_object());
    assert!(old.event().await?.is_none(), "the stream ends in order");
    assert!(vmcp.ended().await?.success());
    assert_eq!(fixture.live_sessions(), 0);
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_ends_its_own_stream() -> Result<()> {
    let (fixture, vmcp) = scene(Spec::legacy("b"), json!({ "limits": { "writeTimeout": "1500ms" } })).await?;
    let mut slow = Old::over(Conn::narrow(vmcp.addr()).await?, vmcp.addr(), "/sse", &[]).await?;
    slow.initialize("2024-11-05", json!({})).await?;
    let mut other = old(&vmcp).await?;
    let big =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "b_big", "arguments": { "bytes": 2_000_000 } } });
    // More than all buffers between the two hold. It may be over before all of them were sent.
    for _ in 0..20 {
        let status = slow.post(big.to_string()).await?.status();
        assert!(matches!(status, 202 | 404), "{status}");
    }
    other.call(1, "b_echo", json!({})).await?;
    fixture.until("its session has ended", |fixture| fixture.live_sessions() == 1).await?;
    assert_eq!(slow.post(big.to_string()).await?.status(), 404);
    other.call(2, "b_echo", json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn there_are_no_more_streams_than_sessions_may_be() -> Result<()> {
    let (_fixture, vmcp) = scene(Spec::legacy("b"), json!({ "sessions": { "max": 2 } })).await?;
    let get = Request::get("/sse").header("accept", "text/event-stream");
    let first = Old::open(vmcp.addr(), "/sse", &[]).await?;
    let _second = Old::open(vmcp.addr(), "/sse", &[]).await?;
    assert_eq!(status(&vmcp, &get).await?, 503);
    drop(first);
    eventually("there is room again", async || status(&vmcp, &get).await.is_ok_and(|status| status == 200)).await?;
    Ok(())
}
