//! Calls of modern callers that wait for input at a legacy server.

use crate::named::NamedFactory;
use crate::player::{EVERYTHING, FORM, ROOTS, again, asking, play, scene};
use crate::served::serve;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, Reply, Rpc},
    fixture::{Fixture, Spec},
};

const ACCEPT: &str = r#"{"action":"accept","content":{}}"#;

/// The result that asks for input.
async fn required(client: &mut Client, rpc: &Rpc) -> Result<Value> {
    let result = client.send(rpc).await?.result()?;
    assert_eq!(result["resultType"], "input_required", "{result}");
    Ok(result)
}

fn key(result: &Value) -> Result<String> {
    Ok(result["inputRequests"].as_object().and_then(|asked| asked.keys().next()).context("nothing is asked")?.clone())
}

/// The request with the right answer to what a result asks first.
fn answered(rpc: &Rpc, result: &Value) -> Result<Rpc> {
    let answer: Value = serde_json::from_str(ACCEPT)?;
    Ok(again(rpc, result, &json!({ key(result)?: answer })))
}

fn refused(reply: &Reply, why: &str) -> Result<()> {
    let error = reply.error()?;
    assert_eq!(error.code, -32602, "{}", error.message);
    assert!(error.message.contains(why), "`{why}` is not in `{}`", error.message);
    Ok(())
}

#[tokio::test]
async fn only_the_same_request_of_the_same_caller_goes_on_with_a_call_and_only_once() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({ "passthroughHeaders": ["x-key"] }), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).header("x-key", "mine").connect().await?;
    let rpc = asking(&[FORM], "");
    let result = required(&mut client, &rpc).await?;
    let right = answered(&rpc, &result)?;

    let mut other = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).header("x-key", "another's").connect().await?;
    refused(&other.send(&right).await?, "other credentials")?;
    let mut elsewhere = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).header("x-key", "mine").path("/mcp/b").connect().await?;
    let there = Rpc { name: Some("ask".to_owned()), members: right.members.replacen("b_ask", "ask", 1), ..right.clone() };
    refused(&elsewhere.send(&there).await?, "was not given for this request")?;
    refused(&client.send(&answered(&asking(&[ROOTS], ""), &result)?).await?, "another request")?;
    let state = result["requestState"].as_str().context("no state")?;
    for at in [0, state.len() / 2, state.len() - 1] {
        let mut tampered = state.to_owned().into_bytes();
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        let mut changed = result.clone();
        changed["requestState"] = String::from_utf8(tampered)?.into();
        refused(&client.send(&answered(&rpc, &changed)?).await?, "was not given for this request")?;
    }
    for responses in [json!([]), json!(7), json!({ key(&result)?: 1 }), json!({ key(&result)?: {"action": "maybe"} })] {
        refused(&client.send(&again(&rpc, &result, &responses)).await?, "inputResponses")?;
    }
    refused(&client.send(&again(&rpc, &result, &json!({ key(&result)?: {"roots": []} }))).await?, "no result of elicitation/create")?;

    let done = client.send(&right).await?.result()?;
    assert_eq!(
        done["structuredContent"]["answers"],
        json!([{"result": {"action": "accept", "content": {}}}]),
        "it still waits after all that"
    );
    refused(&client.send(&right).await?, "used already")?;
    assert_eq!(fixture.calls().len(), 1, "the call ran once");
    let answers: Vec<_> = fixture.requests().into_iter().filter(|request| request.method.is_none() && request.verb == "POST").collect();
    assert_eq!(answers.len(), 1);
    assert!(answers.iter().all(|answer| answer.value("x-key") == Some("mine")));
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn another_principal_cannot_go_on_with_a_call_and_each_has_its_own_share_of_those_that_wait() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b").interactive()).await?;
    let config = json!({
        "backends": [fixture.entry(json!({}))], "incomingAuth": { "type": "named" }, "limits": { "maxRequestsPerSession": 2 },
    });
    let gateway = Gateway::builder(serde_json::from_value(config)?).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let user = async |name: &str| Client::of(Era::Modern, addr).capabilities(EVERYTHING).header("x-user", name).connect().await;
    let (mut ann, mut bob) = (user("ann").await?, user("bob").await?);
    let rpc = asking(&[FORM], "");
    let first = required(&mut ann, &rpc).await?;
    refused(&bob.send(&answered(&rpc, &first)?).await?, "was not given for this request")?;
    required(&mut ann, &rpc).await?;
    let full = ann.send(&rpc).await?;
    assert!(full.error()?.message.contains("limits.maxRequestsPerSession"), "{}", full.message);
    required(&mut bob, &rpc).await?;
    ann.send(&answered(&rpc, &first)?).await?.result()?;
    required(&mut ann, &rpc).await?;
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn a_new_configuration_cancels_what_waits_under_the_old_one() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b").interactive()).await?;
    let config = || anyhow::Ok(serde_json::from_value(json!({ "backends": [fixture.entry(json!({}))] }))?);
    let gateway = Gateway::builder(config()?).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let mut client = Client::of(Era::Modern, addr).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM], "");
    let result = required(&mut client, &rpc).await?;
    gateway.reload(config()?)?;
    let session = fixture.calls().first().and_then(|call| call.value("mcp-session-id").map(str::to_owned)).context("no session")?;
    let ended = |fixture: &Fixture| {
        fixture.requests().iter().any(|request| request.verb == "DELETE" && request.value("mcp-session-id") == Some(&session))
    };
    fixture.until("its session has ended", ended).await?;
    refused(&client.send(&answered(&rpc, &result)?).await?, "its call has ended")?;
    assert_eq!(fixture.calls().len(), 1, "it does not begin anew by itself");
    required(&mut client, &rpc).await?;
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn what_was_not_answered_is_asked_again_and_what_was_not_asked_is_ignored() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM, ROOTS], "");
    let first = required(&mut client, &rpc).await?;
    let keys: Vec<String> = first["inputRequests"].as_object().into_iter().flat_map(|asked| asked.keys().cloned()).collect();
    assert_eq!(keys.len(), 2, "{first}");
    let nothing = required(&mut client, &again(&rpc, &first, &json!({"unknown": {"roots": []}}))).await?;
    assert_eq!(nothing["inputRequests"], first["inputRequests"]);
    assert_ne!(nothing["requestState"], first["requestState"]);
    let half = required(&mut client, &again(&rpc, &nothing, &json!({ &*keys[1]: {"roots": []} }))).await?;
    assert_eq!(half["inputRequests"], json!({ &*keys[0]: first["inputRequests"][&keys[0]].clone() }));
    let done = client.send(&answered(&rpc, &half)?).await?.result()?;
    let answers = json!([{"result": {"action": "accept", "content": {}}}, {"result": {"roots": []}}]);
    assert_eq!(done["structuredContent"]["answers"], answers);
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_call_that_nobody_goes_on_with_is_cancelled_when_its_time_is_over() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({ "limits": { "parkedCallTimeout": "1s" } })).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM], "");
    let result = required(&mut client, &rpc).await?;
    fixture.until("it is cancelled", |fixture| fixture.requests_of("notifications/cancelled").len() == 1).await?;
    let reply = client.send(&answered(&rpc, &result)?).await?;
    assert_eq!(reply.error()?.code, -32602, "{}", reply.message);
    assert_eq!(fixture.calls().len(), 1, "what is over does not begin anew by itself");
    Ok(())
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_its_call_goes_on_cancels_it() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    // It waits for a word of the test's when it has asked, also when it has been answered.
    let rpc = asking(&[FORM], r#","withdraw":true"#);
    let result = required(&mut client, &rpc).await?;
    client.begin(&answered(&rpc, &result)?).await?;
    fixture.until("the answer is there", |fixture| fixture.requests().iter().any(|r| r.verb == "POST" && r.method.is_none())).await?;
    assert!(fixture.requests_of("notifications/cancelled").is_empty());
    drop(client);
    fixture.until("it is cancelled", |fixture| fixture.requests_of("notifications/cancelled").len() == 1).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_server_answers_while_nobody_waits_is_kept_for_the_caller() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM], r#","withdraw":true"#);
    let result = required(&mut client, &rpc).await?;
    fixture.release(1);
    let done = client.send(&answered(&rpc, &result)?).await?.result()?;
    assert_eq!(done["content"][0]["text"], "answered", "{done}");
    Ok(())
}

#[tokio::test]
async fn so_many_calls_wait_and_no_more_and_none_holds_up_the_end() -> Result<()> {
    let more = json!({ "limits": { "maxParkedCalls": 2, "shutdownTimeout": "20s" } });
    let (fixture, mut vmcp) = scene(Era::Legacy, json!({}), more).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM], "");
    let first = required(&mut client, &rpc).await?;
    required(&mut client, &rpc).await?;
    let full = client.send(&rpc).await?;
    assert_eq!(full.status(), 503, "{}", full.message);
    assert!(full.error()?.message.contains("limits.maxParkedCalls"), "{}", full.message);
    client.send(&answered(&rpc, &first)?).await?.result()?;
    required(&mut client, &rpc).await?;
    drop(client);
    vmcp.signal("TERM").await?;
    let ended = tokio::time::timeout(Duration::from_secs(10), vmcp.ended()).await.context("it waits for calls that wait")??;
    assert!(ended.success(), "{ended}");
    assert_eq!(fixture.live_sessions(), 0, "its sessions are closed");
    Ok(())
}

#[tokio::test]
async fn what_a_call_says_goes_to_whoever_waits_for_it_now() -> Result<()> {
    let (_fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Modern).capabilities(EVERYTHING).connect().await?;
    let rpc = asking(&[FORM], r#","rounds":2,"progress":true"#).meta(r#""progressToken":7"#);
    let answer: Value = serde_json::from_str(ACCEPT)?;
    let played = play(&mut client, &rpc, 1, async |_| answer.clone()).await?;
    assert_eq!((played.sent, played.notes.len()), (3, 2), "{played:?}");
    assert!(played.notes.iter().all(|note| note["params"]["progressToken"] == 7), "{:?}", played.notes);
    Ok(())
}
