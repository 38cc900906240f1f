//! URLs that a server wants opened before it runs a call: error -32042 of 2025-11-25, a result of 2026-07-28.

use crate::player::{again, scene};
use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{Era, client::Rpc};

const URL: &str = r#"{"elicitation":{"url":{}}}"#;

fn refused() -> Rpc {
    let elicitations = r#"[{"mode":"url","elicitationId":"e","url":"https://example.com/x","message":"m"},{"mode":"url","elicitationId":"f","url":"https://example.com/y","message":"n"}]"#;
    Rpc::tool("b_fail", &format!(r#"{{"code":-32042,"message":"open these","data":{{"elicitations":{elicitations}}}}}"#))
}

#[tokio::test]
async fn a_modern_caller_is_asked_to_open_them_and_its_next_request_is_a_new_one() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(URL).connect().await?;
    let result = client.send(&refused()).await?.result()?;
    let asked: Vec<&Value> = result["inputRequests"].as_object().into_iter().flat_map(serde_json::Map::values).collect();
    let url = |url: &str, message: &str| json!({"method": "elicitation/create", "params": {"mode": "url", "url": url, "message": message}});
    assert_eq!(asked, [&url("https://example.com/x", "m"), &url("https://example.com/y", "n")]);
    assert_eq!((&result["resultType"], result.get("requestState")), (&json!("input_required"), None));
    let keys = result["inputRequests"].as_object().into_iter().flat_map(serde_json::Map::keys);
    let responses: Value = keys.map(|key| (key.clone(), json!({"action": "accept"}))).collect::<serde_json::Map<_, _>>().into();
    let second = client.send(&again(&refused(), &result, &responses)).await?.result()?;
    assert_eq!(second["resultType"], "input_required");
    let calls = fixture.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.json()["params"].get("inputResponses").is_none()), "an old server knows of no answers");
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_caller_that_cannot_open_urls_is_told_what_is_missing() -> Result<()> {
    let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(r#"{"elicitation":{}}"#).connect().await?;
    let error = client.send(&refused()).await?.error()?;
    assert_eq!(error.code, -32021);
    assert_eq!(
        serde_json::from_str::<Value>(&error.data.unwrap_or_default())?,
        json!({"requiredCapabilities": {"elicitation": {"url": {}}}})
    );
    Ok(())
}

#[tokio::test]
async fn between_legacy_peers_the_error_arrives_as_it_is() -> Result<()> {
    let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(URL).connect().await?;
    let error = client.send(&refused()).await?.error()?;
    assert_eq!(error.code, -32042);
    assert!(error.data.unwrap_or_default().contains(r#""elicitationId":"e""#));
    Ok(())
}
