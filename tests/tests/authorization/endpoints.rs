//! Other ways to the same things: each backend's own endpoint, named endpoints, calls without HTTP.

use super::*;
use serde_json::value::RawValue;
use vmcp_auth::Identity;
use vmcp_core::{
    catalogue::ListKind,
    plugin::{Authenticated, Principal},
};

#[tokio::test]
async fn a_backends_own_endpoint_is_no_way_around_a_policy() -> Result<()> {
    let policies = r#"permit(principal, action, resource in MCP::"corp");
        forbid(principal == Client::"bob", action, resource) when { ["a_big", "a_greet"].contains(resource.name) };
        forbid(principal == Client::"bob", action, resource in Backend::"b");"#;
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::with(Spec::new("a", backend), Spec::new("b", backend), policies, json!({ "name": "corp" })).await?;
        let mut bob = scene.user(caller, "bob").path("/mcp/a").connect().await?;
        for _ in 0..2 {
            alike(&mut bob, |name| Rpc::tool(name, r#"{"bytes":1}"#), "big", "bug").await?;
            alike(&mut bob, |name| Rpc::prompt(name, "{}"), "greet", "great").await?;
            bob.call("echo", "{}").await?.result()?;
            let tools = bob.tools().await?;
            assert!(tools.contains(&"echo".to_owned()) && !tools.contains(&"big".to_owned()), "{tools:?}");
            assert!(bob.list("prompts/list").await?.is_empty());
        }
        let mut at_b = scene.user(caller, "bob").path("/mcp/b").connect().await?;
        alike(&mut at_b, |name| Rpc::tool(name, "{}"), "echo", "ecco").await?;
        assert!(at_b.tools().await?.is_empty());
        scene.user(caller, "ann").path("/mcp/a").connect().await?.call("big", r#"{"bytes":1}"#).await?.result()?;
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn what_lost_its_name_to_another_is_not_taken_for_it_at_its_own_endpoint() -> Result<()> {
    let aggregation = json!({ "aggregation": { "conflictResolution": "priority",
        "conflictResolutionConfig": { "priorityOrder": ["a", "b"] } } });
    let policies = r#"permit(principal == Client::"bob", action, resource == Tool::"echo");
        permit(principal == Client::"ann", action, resource == Tool::"b_echo");"#;
    let scene = Scene::with(Spec::legacy("a"), Spec::legacy("b"), policies, aggregation).await?;
    let mut bob = scene.client(Era::Modern, "bob").await?;
    bob.call("echo", "{}").await?.result()?;
    assert_eq!(bob.tools().await?, ["echo"]);
    let at = |user: &str, path: &str| scene.user(Era::Modern, user).path(path).connect();
    at("bob", "/mcp/a").await?.call("echo", "{}").await?.result()?;
    let mut at_b = at("bob", "/mcp/b").await?;
    assert!(at_b.tools().await?.is_empty());
    alike(&mut at_b, |name| Rpc::tool(name, "{}"), "echo", "ecco").await?;
    at("ann", "/mcp/b").await?.call("echo", "{}").await?.result()?;
    assert_eq!((scene.a.calls().len(), scene.b.calls().len()), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_named_endpoint_is_a_server_of_its_own_name() -> Result<()> {
    let policies = r#"permit(principal == Client::"bob", action, resource in MCP::"team");
        permit(principal == Client::"ann", action, resource in MCP::"corp");"#;
    let more = json!({ "name": "corp", "endpoints": [{ "path": "/team", "name": "team", "backends": ["a"] }] });
    let scene = Scene::with(Spec::legacy("a"), Spec::legacy("b"), policies, more).await?;
    for era in [Era::Legacy, Era::Modern] {
        for (user, path, may) in [("bob", "/team", true), ("bob", "/mcp", false), ("ann", "/team", false), ("ann", "/mcp", true)] {
            let mut client = scene.user(era, user).path(path).connect().await?;
            assert_eq!(client.call("a_echo", "{}").await?.result().is_ok(), may, "{user} {path}");
            assert_eq!(client.tools().await?.is_empty(), !may, "{user} {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn calls_without_http_are_decided_too() -> Result<()> {
    let scene = Scene::new(Era::Modern).await?;
    let caller = |issuer: &str| Identity::new(Authenticated::new(Principal { issuer: issuer.into(), subject: "bob".into() }));
    let none = RawValue::from_string("{}".to_owned())?;
    let bob = scene.gateway.direct(caller("test"));
    bob.call_tool("a_echo", &none).await?;
    assert_eq!(bob.call_tool("b_echo", &none).await.unwrap_err().message, "Unknown tool: b_echo");
    assert_eq!(bob.get_prompt("b_greet", &none).await.unwrap_err().message, "Unknown prompt: b_greet");
    assert!(bob.read_resource("fixture://b/text").await.is_err());
    let tools: Value = serde_json::from_str(bob.list(ListKind::Tools).await?.get())?;
    assert!(tools.as_array().is_some_and(|tools| tools.iter().all(|tool| tool["name"] != "b_echo")), "{tools}");
    assert!(bob.origins().await.tools.iter().all(|(name, _)| name.starts_with("a_")));
    // Another issuer's Bob is another one.
    assert!(scene.gateway.direct(caller("other")).call_tool("a_echo", &none).await.is_err());
    Ok(())
}
