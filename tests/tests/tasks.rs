//! The Tasks extension (SEP-2663): a task's id leads its owner back to the backend that has it, and nobody else anywhere.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Client, Reply, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

const TASKS: &str = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// Two backends, whose tasks have the same ids.
async fn scene() -> Result<([Fixture; 2], Vmcp)> {
    let fixtures = [Fixture::start(Spec::modern("a").tasks()).await?, Fixture::start(Spec::both("b").tasks()).await?];
    let vmcp = Vmcp::serve(json!({ "backends": [fixtures[0].entry(json!({})), fixtures[1].entry(json!({}))] })).await?;
    Ok((fixtures, vmcp))
}

async fn client(vmcp: &Vmcp) -> Result<Client> {
    vmcp.client_of(Era::Modern).capabilities(TASKS).connect().await
}

/// Begins a task and gives its id.
async fn begin(client: &mut Client, tool: &str, arguments: &str) -> Result<String> {
    let created = client.call(tool, arguments).await?.result()?;
    assert_eq!(created["resultType"], "task", "{created}");
    Ok(created["taskId"].as_str().context("no id")?.to_owned())
}

async fn about(client: &mut Client, method: &str, id: &str, more: &str) -> Result<Reply> {
    let rpc = Rpc::new(method, format!(r#""taskId":{}{more}"#, json!(id)));
    client.send(&Rpc { name: Some(id.to_owned()), ..rpc }).await
}

#[tokio::test]
async fn tasks_of_two_backends_with_one_id_are_two_tasks_and_each_request_reaches_its_own() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    let mut client = client(&vmcp).await?;
    let (at_a, at_b) = (begin(&mut client, "a_job", "{}").await?, begin(&mut client, "b_job", "{}").await?);
    assert_ne!(at_a, at_b);
    assert!(!at_a.contains("job-1"), "the backend's own id is nobody's business: {at_a}");
    a.complete("job-1");
    for (id, status) in [(&at_a, "completed"), (&at_b, "working")] {
        let reply = about(&mut client, "tasks/get", id, "").await?;
        let task = reply.result()?;
        assert_eq!((&task["taskId"], &task["status"], &task["resultType"]), (&json!(id), &json!(status), &json!("complete")), "{task}");
        // What else is told of it is as the backend wrote it.
        assert!(reply.raw_result()?.contains(r#""pollIntervalMs":1e2"#), "{}", reply.message);
    }
    assert_eq!(about(&mut client, "tasks/cancel", &at_b, "").await?.raw_result()?, r#"{"resultType":"complete"}"#);
    assert_eq!(about(&mut client, "tasks/get", &at_b, "").await?.result()?["status"], "cancelled");
    let cancelled = b.requests_of("tasks/cancel");
    assert_eq!((cancelled.len(), a.requests_of("tasks/cancel").len()), (1, 0));
    assert_eq!((&cancelled[0].json()["params"]["taskId"], cancelled[0].value("mcp-name")), (&json!("job-1"), Some("job-1")));
    assert!(a.violations().is_empty() && b.violations().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_task_whose_backend_forgets_the_type_of_its_results_keeps_the_id_that_its_caller_knows() -> Result<()> {
    let ([_a, _b], vmcp) = scene().await?;
    let mut client = client(&vmcp).await?;
    let id = begin(&mut client, "a_job", r#"{"untyped":true}"#).await?;
    let task = about(&mut client, "tasks/get", &id, "").await?.result()?;
    assert_eq!((&task["taskId"], &task["resultType"]), (&json!(id), &json!("complete")), "{task}");
    Ok(())
}

#[tokio::test]
async fn a_task_that_asks_gets_its_answers() -> Result<()> {
    let ([a, _b], vmcp) = scene().await?;
    let mut client = client(&vmcp).await?;
    let id = begin(&mut client, "a_job", r#"{"ask":true}"#).await?;
    let task = about(&mut client, "tasks/get", &id, "").await?.result()?;
    assert_eq!((&task["status"], &task["taskId"]), (&json!("input_required"), &json!(id)));
    assert_eq!(task["inputRequests"]["who"]["method"], "elicitation/create", "{task}");
    let answers = r#"{"who":{"action":"accept","content":{"name":"Ann","n":1.50}}}"#;
    about(&mut client, "tasks/update", &id, &format!(r#","inputResponses":{answers}"#)).await?.result()?;
    assert!(String::from_utf8_lossy(&a.requests_of("tasks/update")[0].body).contains(answers), "answers arrive byte for byte");
    let task = about(&mut client, "tasks/get", &id, "").await?;
    assert!(task.raw_result()?.contains(answers), "{}", task.message);
    // What answers have to be is the backend's to say.
    let error = about(&mut client, "tasks/update", &id, r#","inputResponses":[]"#).await?.error()?;
    assert_eq!((error.code, error.message.as_str()), (-32602, "inputResponses has to be an object"));
    Ok(())
}

#[tokio::test]
async fn an_id_that_this_caller_was_not_given_at_this_endpoint_is_unknown() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    let mut owner = client(&vmcp).await?;
    let id = begin(&mut owner, "a_job", "{}").await?;
    let mut elsewhere = vmcp.client_of(Era::Modern).capabilities(TASKS).path("/mcp/a").connect().await?;
    let tampered = format!("{}{}", &id[..id.len() - 1], if id.ends_with('A') { 'B' } else { 'A' });
    for unknown in ["job-1", "nonexistent", "", tampered.as_str()] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let error = about(&mut owner, method, unknown, "").await?.error()?;
            assert_eq!(error.code, -32602, "{method} {unknown}");
        }
    }
    assert_eq!(about(&mut elsewhere, "tasks/get", &id, "").await?.error()?.code, -32602, "another endpoint");
    for fixture in [&a, &b] {
        assert!(["tasks/get", "tasks/update", "tasks/cancel"].iter().all(|method| fixture.requests_of(method).is_empty()));
    }
    // A header that names another task than the body is not looked at further.
    let rpc = Rpc::new("tasks/get", format!(r#""taskId":{}"#, json!(id)));
    let reply = owner.send(&Rpc { name: Some("other".to_owned()), ..rpc }).await?;
    assert_eq!((reply.status(), reply.error()?.code), (400, -32020));
    Ok(())
}

#[tokio::test]
async fn without_the_extension_there_are_no_tasks() -> Result<()> {
    let ([_a, b], vmcp) = scene().await?;
    let required =
        |error: &vmcp_tests::client::RpcError| error.data.as_ref().is_some_and(|data| data.contains("io.modelcontextprotocol/tasks"));
    let mut client = vmcp.client(Era::Modern).await?;
    let reply = client.call("a_job", "{}").await?;
    let error = reply.error()?;
    assert!(reply.status() == 400 && error.code == -32021 && required(&error), "{error:?}");
    for id in ["nonexistent", "job-1"] {
        let error = about(&mut client, "tasks/get", id, "").await?.error()?;
        assert!(error.code == -32021 && required(&error), "{error:?}");
    }
    for method in ["tasks/result", "tasks/list"] {
        let reply = client.send(&Rpc::new(method, "")).await?;
        assert_eq!((reply.status(), reply.error()?.code), (404, -32601), "{method}");
    }
    let mut legacy = vmcp.client_of(Era::Legacy).capabilities(TASKS).connect().await?;
    assert!(legacy.call("b_job", "{}").await?.error().is_ok(), "nothing that such a client could follow is begun");
    assert_eq!(legacy.send(&Rpc::new("tasks/get", r#""taskId":"job-1""#)).await?.error()?.code, -32601);
    assert!(b.requests_of("tasks/get").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_subscription_hears_of_its_tasks_under_the_ids_that_its_caller_knows() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    let mut client = client(&vmcp).await?;
    let (at_a, at_b) = (begin(&mut client, "a_job", "{}").await?, begin(&mut client, "b_job", "{}").await?);
    let unfollowed = begin(&mut client, "a_job", "{}").await?;
    let (first, mut stream) = client.subscribe(&format!(r#""taskIds":{}"#, json!([at_b, "job-1", at_a]))).await?;
    let mut honoured = vec![at_a.clone(), at_b.clone()];
    honoured.sort();
    assert_eq!(first["params"]["notifications"], json!({ "taskIds": honoured }));
    a.complete("job-1");
    a.tell_of_task("job-2");
    a.tell_of_task("job-1");
    let note = stream.message().await?;
    assert_eq!((&note["method"], &note["params"]["taskId"]), (&json!("notifications/tasks"), &json!(at_a)), "{note} {unfollowed}");
    assert_eq!((&note["params"]["status"], &note["params"]["_meta"]), (&json!("completed"), &first["params"]["_meta"]), "{note}");
    b.tell_of_task("job-1");
    assert_eq!(stream.message().await?["params"]["taskId"], json!(at_b));
    // A request that does not declare the extension hears of no task.
    let plain = vmcp.client(Era::Modern).await?;
    let (first, _stream) = plain.subscribe(&format!(r#""taskIds":{}"#, json!([at_a]))).await?;
    assert_eq!(first["params"]["notifications"], json!({}));
    drop(stream);
    eventually("the backends are not listened to for it any more", async || a.streams() + b.streams() <= 2).await
}
