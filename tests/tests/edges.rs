//! What each era demands of the gateway's own edge: negotiation, required headers, codes and statuses.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Reply, Request, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn every_legacy_revision_is_negotiated_and_an_unknown_one_becomes_the_newest() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(json!({}))], "instructions": "Be kind." })).await?;
    for (asked, given) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
    ] {
        let mut client = vmcp.client_of(Era::Legacy).revision(asked).connect().await?;
        assert_eq!(client.opened["protocolVersion"], given);
        assert!(client.opened["instructions"].as_str().is_some_and(|text| text.contains("Be kind.")), "{}", client.opened);
        for capability in ["tools", "resources", "prompts"] {
            assert!(client.opened["capabilities"][capability].is_object(), "{}", client.opened);
        }
        let session = client.caller.session.clone().context("no session")?;
        assert!(session.len() <= 512 && session.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{session}");
        client.call("old_echo", "{}").await?.result()?;
        client.send(&Rpc::new("ping", "")).await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn discover_names_versions_and_capabilities() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let vmcp = Vmcp::serve(json!({ "name": "gate", "backends": [old.entry(json!({}))] })).await?;
    let result = vmcp.client(Era::Modern).await?.send(&Rpc::new("server/discover", "")).await?.result()?;
    assert_eq!(result["resultType"], "complete");
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{result}");
    assert_eq!(result["supportedVersions"], json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]));
    assert!(result["capabilities"]["tools"].is_object(), "{result}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "gate");
    Ok(())
}

#[tokio::test]
async fn modern_requests_are_checked_against_their_headers() -> Result<()> {
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [new.entry(json!({}))] })).await?;
    let caller = Caller::new(Era::Modern);
    let call = caller.request(&Rpc::tool("new_echo", "{}"), "1");
    let bare = |body: &str| Request::post(body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/list");
    let future =
        |text: &str| Request { body: String::from_utf8_lossy(&call.body).replace("2026-07-28", text).into_bytes(), ..call.clone() };
    let ping = caller.request(&Rpc::new("ping", ""), "1");
    let initialize =
        caller.request(&Rpc::new("initialize", r#""protocolVersion":"2025-11-25""#), "1").header("mcp-protocol-version", "2026-07-28");
    for (what, request, status, code) in [
        ("no Mcp-Method", call.clone().without("mcp-method"), 400, -32020),
        ("another Mcp-Method", call.clone().set("mcp-method", "tools/list"), 400, -32020),
        ("Mcp-Method in another case", call.clone().set("mcp-method", "Tools/Call"), 400, -32020),
        ("no Mcp-Name", call.clone().without("mcp-name"), 400, -32020),
        ("another Mcp-Name", call.clone().set("mcp-name", "new_headers"), 400, -32020),
        ("a broken Mcp-Name", call.clone().set("mcp-name", "=?base64?***?="), 400, -32020),
        ("another version header", call.clone().set("mcp-protocol-version", "2026-07-29"), 400, -32020),
        ("no version header", call.clone().without("mcp-protocol-version"), 400, -32020),
        ("no _meta", bare(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#), 400, -32602),
        ("no params", bare(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), 400, -32602),
        (
            "no capabilities",
            bare(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            ),
            400,
            -32602,
        ),
        ("a version from the future", future("v999.0.0").set("mcp-protocol-version", "v999.0.0"), 400, -32022),
        ("a removed method", ping, 404, -32601),
        ("initialize", initialize, 404, -32601),
        ("an unknown method", caller.request(&Rpc::new("no/such", ""), "1"), 404, -32601),
        ("an unknown tool", caller.request(&Rpc::tool("new_nothing", "{}"), "1"), 0, -32602),
        ("an unknown resource", caller.request(&Rpc::read("fixture://new/nothing"), "1"), 0, -32602),
        ("a foreign resource", caller.request(&Rpc::read("nowhere://x"), "1"), 0, -32602),
    ] {
        let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
        let body = response.json().with_context(|| what.to_owned())?;
        assert_eq!(body["error"]["code"], code, "{what}: {body}");
        assert!(status == 0 || response.status() == status, "{what}: status {}", response.status());
        assert_eq!(response.head.header("mcp-session-id"), None, "{what}");
    }
    let unknown = vmcp.client(Era::Modern).await?.send(&Rpc::read("nowhere://x")).await?.error()?;
    assert!(unknown.data.as_deref().unwrap_or_default().contains("nowhere://x"), "data.uri: {unknown:?}");
    let refused = Conn::open(vmcp.addr()).await?.exchange(&future("v999.0.0").set("mcp-protocol-version", "v999.0.0")).await?.json()?;
    assert_eq!(refused["error"]["data"]["requested"], "v999.0.0");
    assert!(refused["error"]["data"]["supported"].as_array().is_some_and(|versions| versions.contains(&json!("2026-07-28"))), "{refused}");
    assert_eq!(new.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn encoded_names_are_decoded_before_they_are_compared() -> Result<()> {
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [new.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let request = client.caller.request(&Rpc::tool("new_echo", "{}"), "1").set("mcp-name", "=?base64?bmV3X2VjaG8=?=");
    assert_eq!(client.conn.exchange(&request).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn legacy_errors_are_bodies_of_a_200() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    for (rpc, code) in [
        (Rpc::tool("old_nothing", "{}"), -32602),
        (Rpc::tool("nobody_echo", "{}"), -32602),
        (Rpc::prompt("old_nothing", "{}"), -32602),
        (Rpc::read("nowhere://x"), -32002),
        (Rpc::new("no/such", ""), -32601),
        (Rpc::list("tools/list", Some("no such cursor")), -32602),
    ] {
        let reply = client.send(&rpc).await?;
        assert_eq!((reply.status(), reply.error()?.code), (200, code), "{rpc:?}");
    }
    Ok(())
}

#[tokio::test]
async fn legacy_requests_are_read_leniently() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    let call = client.caller.request(&Rpc::tool("old_echo", "{}"), "1");
    for (what, request) in [
        ("any Accept", call.clone().set("accept", "*/*")),
        ("Accept only JSON", call.clone().set("accept", "application/json")),
        ("Accept only SSE", call.clone().set("accept", "text/event-stream")),
        ("no Accept", call.clone().without("accept")),
        ("no version header", call.clone().without("mcp-protocol-version")),
        ("another known revision", call.clone().set("mcp-protocol-version", "2025-06-18")),
        ("a charset", call.clone().set("content-type", "application/json; charset=utf-8")),
        ("the path with a slash", Request { path: "/mcp/".to_owned(), ..call.clone() }),
    ] {
        let reply = Reply::read(client.conn.exchange(&request).await?)?;
        assert_eq!(reply.status(), 200, "{what}");
        reply.result().with_context(|| what.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn the_oldest_revision_may_send_batches_and_later_ones_may_not() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(json!({}))] })).await?;
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"old_echo","arguments":{}}}]"#;
    for (revision, accepted) in [("2025-03-26", true), ("2025-06-18", false), ("2025-11-25", false)] {
        let mut client = vmcp.client_of(Era::Legacy).revision(revision).connect().await?;
        let session = client.caller.session.clone().context("no session")?;
        let request = Request::post(batch).header("mcp-session-id", session).header("mcp-protocol-version", revision);
        let response = client.conn.exchange(&request).await?;
        assert_eq!(response.status(), if accepted { 200 } else { 400 }, "{revision}: {}", response.text());
        if accepted {
            let text = response.text();
            assert!(text.contains(r#""id":1"#) && text.contains(r#""id":2"#) && text.contains("structuredContent"), "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_caller_without_a_session_has_no_get_and_no_delete() -> Result<()> {
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [new.entry(json!({}))] })).await?;
    for request in
        [Request::new("GET").header("accept", "text/event-stream"), Request::new("DELETE"), Request::new("PUT"), Request::new("PATCH")]
    {
        let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
        assert_eq!(response.status(), 405, "{}", request.verb);
    }
    Ok(())
}
