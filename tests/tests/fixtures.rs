//! The tests' own fixtures and clients against each other: what they say about a gateway is worth nothing before this holds.
#![allow(clippy::unwrap_used)]

use rmcp::{
    model::{CallToolRequestParams, ClientConfig, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt},
    transport::StreamableHttpClientTransport,
};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Client, Conn, Request, Rpc},
    fixture::{Eras, Fault, Fixture, Spec},
};

#[tokio::test]
async fn lists_calls_reads_and_gets_work_in_both_eras() {
    for era in Era::BOTH {
        for spec in [Spec::both("one"), Spec::both("one").sse(), Spec::new("one", era)] {
            let fixture = Fixture::start(spec).await.unwrap();
            let mut client = Client::connect(era, fixture.addr()).await.unwrap();
            assert!(client.tools().await.unwrap().contains(&"echo".to_owned()));
            let echoed = client.call("echo", r#"{ "z":1e400, "a":[ 1 ] }"#).await.unwrap();
            assert!(echoed.raw_result().unwrap().contains(r#""structuredContent":{ "z":1e400, "a":[ 1 ] }"#), "{}", echoed.message);
            let read = client.send(&Rpc::read("fixture://one/text")).await.unwrap().result().unwrap();
            assert_eq!(read["contents"][0]["text"], "read from one");
            let prompt = client.send(&Rpc::prompt("greet", r#"{"who":"you"}"#)).await.unwrap().result().unwrap();
            assert_eq!(prompt["messages"][0]["content"]["text"], r#"{"who":"you"}"#);
            assert_eq!(fixture.violations(), Vec::<String>::new());
            assert_eq!(fixture.connections(), 1);
        }
    }
}

#[tokio::test]
async fn pages_hold_every_item_once() {
    let fixture = Fixture::start(Spec::legacy("pages").paged(1200, 50)).await.unwrap();
    let mut client = Client::connect(Era::Legacy, fixture.addr()).await.unwrap();
    let tools = client.tools().await.unwrap();
    assert_eq!(tools.len(), 1210);
    assert_eq!(fixture.requests_of("tools/list").len(), 25);
    assert_eq!(client.send(&Rpc::list("tools/list", Some("elsewhere"))).await.unwrap().error().unwrap().code, -32602);
}

#[tokio::test]
async fn a_modern_server_checks_what_the_era_requires() {
    let fixture = Fixture::start(Spec::modern("strict")).await.unwrap();
    let mut client = Client::connect(Era::Modern, fixture.addr()).await.unwrap();
    let call = client.caller.request(&Rpc::tool("echo", "{}"), "1");
    for (request, code) in [
        (call.clone().set("mcp-name", "other"), -32020),
        (call.clone().set("mcp-method", "tools/list"), -32020),
        (call.clone().without("mcp-protocol-version"), -32020),
        (Request::post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).header("mcp-protocol-version", "2026-07-28"), -32602),
        (Request::post(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#), -32022),
    ] {
        let response = client.conn.exchange(&request).await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(response.json().unwrap()["error"]["code"], code, "{}", response.text());
    }
    let mirrored = Rpc::tool("regional", r#"{"region":"eu","deep":{"level":3}}"#);
    assert_eq!(client.send(&mirrored).await.unwrap().status(), 400);
    assert_eq!(client.send(&mirrored.param("region", "=?base64?ZXU=?=").param("level", "3")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_legacy_server_answers_a_modern_probe_as_old_servers_do() {
    let fixture = Fixture::start(Spec::legacy("old")).await.unwrap();
    let mut client = Client::connect(Era::Modern, fixture.addr()).await.unwrap();
    let reply = client.send(&Rpc::new("server/discover", "")).await.unwrap();
    assert_eq!((reply.status(), reply.error().unwrap().code), (400, -32000));
}

#[tokio::test]
async fn a_forgotten_session_is_not_found() {
    let fixture = Fixture::start(Spec::legacy("forgetful")).await.unwrap();
    let mut client = Client::connect(Era::Legacy, fixture.addr()).await.unwrap();
    fixture.forget_sessions();
    let reply = client.call("echo", "{}").await.unwrap();
    assert_eq!(reply.status(), 404);
}

#[tokio::test]
async fn every_fault_looks_as_it_is_named() {
    let fixture = Fixture::start(Spec::legacy("faulty")).await.unwrap();
    let client = Client::connect(Era::Legacy, fixture.addr()).await.unwrap();
    let exchange = async |fault: Fault| {
        fixture.fail_on("tools/call", fault);
        let mut conn = Conn::open(fixture.addr()).await.unwrap();
        conn.exchange(&client.caller.request(&Rpc::tool("echo", "{}"), "7")).await
    };
    for fault in [Fault::CutBeforeHead, Fault::CutMidBody] {
        assert!(exchange(fault.clone()).await.is_err(), "{fault:?}");
    }
    for (fault, status, text) in [
        (Fault::MalformedJson, 200, r#"{"jsonrpc":"2.0","id":7,"#),
        (Fault::NotJsonRpc, 200, "hello"),
        (Fault::NotMcp, 200, "<html>"),
        (Fault::WrongId, 200, "somebody-else"),
        (Fault::Empty, 200, ""),
        (Fault::Status(503), 503, ""),
        (Fault::Oversized(100_000), 200, "xxxxxxxx"),
        (Fault::Redirect(307, "/elsewhere".to_owned()), 307, ""),
    ] {
        let response = exchange(fault.clone()).await.unwrap();
        assert_eq!(response.status(), status, "{fault:?}");
        assert!(response.text().contains(text), "{fault:?}: {}", response.text());
    }
    fixture.fail_on("tools/call", Fault::Hang);
    let mut conn = Conn::open(fixture.addr()).await.unwrap();
    conn.write(&client.caller.request(&Rpc::tool("echo", "{}"), "8").bytes()).await.unwrap();
    fixture.until("the call", |f| f.calls().len() == 11).await.unwrap();
    fixture.heal();
    assert!(conn.closes().await.unwrap());
}

#[tokio::test]
async fn a_killed_server_is_gone_until_it_is_restarted() {
    let fixture = Fixture::start(Spec::legacy("mortal")).await.unwrap();
    let mut client = Client::connect(Era::Legacy, fixture.addr()).await.unwrap();
    fixture.kill();
    assert!(client.call("echo", "{}").await.is_err());
    fixture.restart().await.unwrap();
    assert!(Client::connect(Era::Legacy, fixture.addr()).await.is_ok());
}

#[tokio::test]
async fn a_slow_call_waits_and_its_caller_is_missed() {
    let fixture = Fixture::start(Spec::modern("patient")).await.unwrap();
    let mut one = Client::connect(Era::Modern, fixture.addr()).await.unwrap();
    let mut two = Client::connect(Era::Modern, fixture.addr()).await.unwrap();
    one.begin(&Rpc::tool("slow", "{}")).await.unwrap();
    two.begin(&Rpc::tool("slow", "{}")).await.unwrap();
    fixture.until("both calls", |f| f.started() == 2).await.unwrap();
    drop(one);
    fixture.until("a caller gone", |f| f.abandoned() == 1).await.unwrap();
    fixture.release(1);
    assert_eq!(two.finish().await.unwrap().result().unwrap()["content"][0]["text"], "released");
}

#[tokio::test]
async fn listeners_hear_of_changes() {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::both("lively")).await.unwrap();
        let client = Client::connect(era, fixture.addr()).await.unwrap();
        let mut stream = client.listen().await.unwrap();
        fixture.until("the stream", |f| f.streams() == 1).await.unwrap();
        fixture.announce("tools");
        assert_eq!(stream.next().await.unwrap().unwrap().json()["method"], "notifications/tools/list_changed");
        drop(stream);
    }
}

#[tokio::test]
async fn who_follows_a_resource_without_a_stream_does_not_hear_of_it() {
    let (fixture, uri) = (Fixture::start(Spec::legacy("quiet")).await.unwrap(), "fixture://quiet/text");
    let mut client = Client::connect(Era::Legacy, fixture.addr()).await.unwrap();
    client.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await.unwrap().result().unwrap();
    assert_eq!((fixture.followers(uri), fixture.hearers(uri)), (1, 0));
    let mut stream = client.listen().await.unwrap();
    fixture.until("the stream", |fixture| fixture.hearers(uri) == 1).await.unwrap();
    fixture.updated(uri);
    assert_eq!(stream.next().await.unwrap().unwrap().json()["params"]["uri"], uri);
    stream.hang_up().await.unwrap();
    fixture.until("the stream's end", |fixture| fixture.hearers(uri) == 0).await.unwrap();
    assert_eq!(fixture.followers(uri), 1);
}

#[tokio::test]
async fn an_independent_client_agrees_with_the_fixture() {
    let modern = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    for (eras, lifecycle) in [(Eras::Legacy, ClientLifecycleMode::Initialize), (Eras::Modern, modern.clone()), (Eras::Both, modern)] {
        for spec in [Spec::new("oracle", eras), Spec::new("oracle", eras).sse()] {
            let fixture = Fixture::start(spec).await.unwrap();
            let transport = StreamableHttpClientTransport::from_uri(fixture.url());
            let client = ClientConfig::default().serve_with_lifecycle(transport, lifecycle.clone()).await.unwrap();
            assert_eq!(client.list_all_tools().await.unwrap().len(), 10);
            let arguments = json!({"n": 1}).as_object().unwrap().clone();
            let result = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.unwrap();
            assert_eq!(result.structured_content, Some(json!({"n": 1})));
            client.cancel().await.unwrap();
            assert_eq!(fixture.violations(), Vec::<String>::new());
        }
    }
}
