//! URLs that a server wants opened before it runs a call: error -32042 of 2025-11-25, a result of 2026-07-28.

use crate::player::{again, scene};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{Era, client::Rpc, eventually};

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

#[tokio::test]
async fn that_an_elicitation_is_complete_is_told_to_a_client_whose_revision_knows_of_that() -> Result<()> {
    for (revision, is_known) in [("2025-11-25", true), ("2025-06-18", false)] {
        let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(Era::Legacy).revision(revision).capabilities(URL).connect().await?;
        client.call("b_echo", "{}").await?.result()?;
        let mut stream = client.listen().await?;
        eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
        fixture.say("notifications/elicitation/complete", r#"{"elicitationId":"e","x":1.0}"#);
        fixture.say("notifications/message", r#"{"level":"info","data":1}"#);
        let mut next = async || anyhow::Ok(stream.next().await?.context("the stream ended")?.json());
        if is_known {
            let note = next().await?;
            assert_eq!(
                (&note["method"], &note["params"]),
                (&json!("notifications/elicitation/complete"), &json!({"elicitationId": "e", "x": 1.0})),
                "{note}"
            );
        }
        assert_eq!(next().await?["method"], "notifications/message", "{revision}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_revision_does_not_know_is_not_told_on_a_calls_own_stream_either() -> Result<()> {
    let complete = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e","x":1.0}}"#;
    let status = r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t"}}"#;
    let own = r#"{"jsonrpc":"2.0","method":"notifications/x.example/own","params":{}}"#;
    let modern = r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t"}}"#;
    let rpc = Rpc::tool("b_log", &format!(r#"{{"notes":[{complete},{status},{modern},{own}]}}"#));
    for (revision, known) in [("2025-11-25", vec![complete, status, own]), ("2025-06-18", vec![own]), ("2025-03-26", vec![own])] {
        let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(Era::Legacy).revision(revision).capabilities(URL).connect().await?;
        let reply = client.send(&rpc).await?;
        reply.result()?;
        let known: Vec<Value> = known.into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert_eq!(reply.notes, known, "{revision}");
    }
    Ok(())
}
