//! `/health`, `/readyz`, `/status`, and everything else that is not the endpoint.

use anyhow::Result;
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Conn, Request, Response},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn get(vmcp: &Vmcp, path: &str) -> Result<Response> {
    Conn::open(vmcp.addr()).await?.exchange(&Request::get(path)).await
}

#[tokio::test]
async fn health_and_readiness_have_the_originals_shapes() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
    for path in ["/health", "/ping"] {
        let response = get(&vmcp, path).await?;
        assert_eq!((response.status(), response.json()?), (200, json!({ "status": "ok" })), "{path}");
    }
    let ready = get(&vmcp, "/readyz").await?;
    assert_eq!((ready.status(), ready.json()?), (200, json!({ "status": "ready", "mode": "static" })));
    Ok(())
}

#[tokio::test]
async fn the_status_has_the_originals_shape() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({
        "groupRef": "team",
        "backends": [old.entry(json!({ "headers": { "x-secret": "TOPSECRET" } })), new.entry(json!({}))],
        "outgoingAuth": { "backends": { "new": { "type": "header_injection", "headerInjection": { "headerName": "x-api-key", "headerValue": "TOPSECRET" } } } },
    }))
    .await?;
    let mut client = vmcp.client(Era::Modern).await?;
    client.tools().await?;
    client.call("old_echo", "{}").await?.result()?;
    client.call("new_echo", "{}").await?.result()?;
    let response = get(&vmcp, "/status").await?;
    assert!(!response.text().contains("TOPSECRET"));
    let status = response.json()?;
    assert_eq!((&status["group_ref"], &status["healthy"]), (&json!("team"), &json!(true)), "{status}");
    assert!(status["version"].is_string(), "{status}");
    let backends = status["backends"].as_array().cloned().unwrap_or_default();
    assert_eq!(backends.len(), 2, "{status}");
    for (backend, name, auth, revision) in
        [(&backends[0], "old", "unauthenticated", "2025-11-25"), (&backends[1], "new", "header_injection", "2026-07-28")]
    {
        assert_eq!(backend["name"], name);
        assert_eq!(backend["health"], "healthy", "{backend}");
        assert_eq!(backend["transport"], "streamable-http");
        assert_eq!(backend["auth_type"], auth);
        assert_eq!(backend["mcp_revision"], revision, "{backend}");
    }
    Ok(())
}

#[tokio::test]
async fn the_status_shows_what_lost_a_collision() -> Result<()> {
    let one = Fixture::start(Spec::legacy("one")).await?;
    let two = Fixture::start(Spec::legacy("two")).await?;
    let vmcp = Vmcp::serve(json!({
        "aggregation": { "conflictResolution": "manual" },
        "backends": [one.entry(json!({})), two.entry(json!({}))],
    }))
    .await?;
    let tools = vmcp.client(Era::Legacy).await?.tools().await?;
    assert_eq!(tools.iter().filter(|name| *name == "echo").count(), 1, "{tools:?}");
    let text = get(&vmcp, "/status").await?.text();
    assert!(text.contains("echo") && text.contains("two"), "{text}");
    Ok(())
}

#[tokio::test]
async fn without_authentication_well_known_paths_are_plain_not_found() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/nothing",
        "/",
    ] {
        let response = get(&vmcp, path).await?;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.head.header("www-authenticate"), None);
    }
    Ok(())
}

#[tokio::test]
async fn the_path_of_the_endpoint_can_be_chosen() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let vmcp = Vmcp::serve(json!({ "path": "/tools/v1", "backends": [fixture.entry(json!({}))] })).await?;
    let caller = vmcp_tests::client::Caller::new(Era::Modern);
    let request = caller.request(&vmcp_tests::client::Rpc::tool("b_echo", "{}"), "1");
    for (path, status) in [("/tools/v1", 200), ("/tools/v1/", 200), ("/mcp", 404), ("/tools", 404), ("/tools/v1/more", 404)] {
        let request = Request { path: path.to_owned(), ..request.clone() };
        assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&request).await?.status(), status, "{path}");
    }
    Ok(())
}
