//! `vmcp stdio`: one client at a pipe, in either era, and everything that HTTP has besides.

use anyhow::{Context, Result};
use rmcp::{
    model::{CallToolRequestParams, ClientConfig, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt},
};
use serde_json::{Value, json};
use std::process::Stdio;
use vmcp_tests::{
    Era, eventually,
    fixture::{Fixture, Spec},
    piped::Piped,
    process::command,
};

async fn scene(era: Era) -> Result<(Fixture, Piped)> {
    let fixture = Fixture::start(Spec::new("b", era)).await?;
    let piped = Piped::start(&json!({ "backends": [fixture.entry(json!({}))] }), &[], &[])?;
    Ok((fixture, piped))
}

fn tool(name: &str, arguments: &Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_client_is_served_in_every_lifecycle_and_era() -> Result<()> {
    let preferred = || vec![ProtocolVersion::V_2026_07_28];
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", era)).await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("vmcp.json");
        std::fs::write(&file, json!({ "backends": [fixture.entry(json!({}))] }).to_string())?;
        for lifecycle in [
            ClientLifecycleMode::Initialize,
            ClientLifecycleMode::Discover { preferred_versions: preferred() },
            ClientLifecycleMode::Auto { preferred_versions: preferred(), legacy_version: None },
        ] {
            let what = format!("{lifecycle:?} client, {era:?} backend");
            let mut command = command()?;
            command.arg("stdio").arg("--config").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.kill_on_drop(true).spawn()?;
            let transport = (child.stdout.take().context("no stdout")?, child.stdin.take().context("no stdin")?);
            let client = ClientConfig::default().serve_with_lifecycle(transport, lifecycle).await.with_context(|| what.clone())?;
            let tools = client.list_all_tools().await.with_context(|| what.clone())?;
            assert!(tools.iter().any(|tool| tool.name == "b_echo"), "{what}: {tools:?}");
            let arguments = json!({ "text": "ä", "n": [1, 2] });
            let call = CallToolRequestParams::new("b_echo").with_arguments(arguments.as_object().cloned().unwrap_or_default());
            assert_eq!(client.call_tool(call).await.with_context(|| what.clone())?.structured_content, Some(arguments), "{what}");
            client.cancel().await?;
            assert!(child.wait().await?.success(), "{what}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn both_eras_are_served_over_one_pipe() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, mut piped) = scene(backend).await?;
        piped.modern(1, "server/discover", json!({})).await?;
        assert_eq!(piped.answer(1).await?["result"]["resultType"], "complete");
        assert_eq!(piped.initialize("2025-06-18", json!({})).await?["result"]["protocolVersion"], "2025-06-18");
        piped.request("l", "tools/call", tool("b_echo", &json!({ "era": "legacy" }))).await?;
        piped.modern("m", "tools/call", tool("b_echo", &json!({ "era": "modern" }))).await?;
        let (legacy, modern) = (piped.answer("l").await?, piped.answer("m").await?);
        assert_eq!(legacy["result"]["structuredContent"], json!({ "era": "legacy" }), "{legacy}");
        assert!(legacy["result"].get("resultType").is_none(), "{legacy}");
        assert_eq!(modern["result"]["structuredContent"], json!({ "era": "modern" }), "{modern}");
        assert_eq!(modern["result"]["resultType"], "complete", "{modern}");
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn the_oldest_revision_is_spoken_too_and_a_session_begins_once() -> Result<()> {
    let (_fixture, mut piped) = scene(Era::Legacy).await?;
    piped.request(1, "ping", json!({})).await?;
    assert_eq!(piped.answer(1).await?["result"], json!({}));
    piped.request(2, "tools/list", json!({})).await?;
    let early = piped.answer(2).await?;
    assert!(early["error"]["message"].as_str().is_some_and(|message| message.contains("initialize")), "{early}");
    assert_eq!(piped.initialize("2024-11-05", json!({})).await?["result"]["protocolVersion"], "2024-11-05");
    piped.request(3, "initialize", json!({ "protocolVersion": "2025-11-25", "capabilities": {} })).await?;
    assert_eq!(piped.answer(3).await?["error"]["code"], -32600);
    piped.request(4, "tools/call", tool("b_echo", &json!({}))).await?;
    assert!(piped.answer(4).await?["result"].is_object());
    Ok(())
}

#[tokio::test]
async fn headers_of_the_command_line_and_of_variables_reach_the_backends_that_list_them_and_no_log() -> Result<()> {
    let a = Fixture::start(Spec::legacy("a")).await?;
    let b = Fixture::start(Spec::modern("b")).await?;
    let config = json!({ "backends": [
        a.entry(json!({ "passthroughHeaders": ["x-one"] })),
        b.entry(json!({ "passthroughHeaders": [{ "name": "x-two", "as": "authorization", "format": "Bearer {}" }] })),
    ] });
    let arguments = ["-H", "x-one: first-secret", "--header-env", "x-two=TWO", "-H", "x-three: third-secret"];
    let mut piped = Piped::start(&config, &arguments, &[("TWO", "second-secret")])?;
    piped.initialize("2025-11-25", json!({})).await?;
    for (id, name) in [(1, "a_echo"), (2, "b_echo")] {
        piped.request(id, "tools/call", tool(name, &json!({}))).await?;
        assert!(piped.answer(id).await?["result"].is_object());
    }
    let (to_a, to_b) = (a.calls().remove(0), b.calls().remove(0));
    assert_eq!((to_a.value("x-one"), to_a.value("x-two"), to_a.value("authorization")), (Some("first-secret"), None, None));
    assert_eq!((to_b.value("authorization"), to_b.value("x-one"), to_b.value("x-two")), (Some("Bearer second-secret"), None, None));
    assert!(to_a.value("x-three").is_none() && to_b.value("x-three").is_none());
    piped.close();
    assert!(piped.ended().await?.success());
    assert!(piped.log().contains("`x-three` is listed for no backend") && !piped.log().contains("secret"), "{}", piped.log());
    Ok(())
}

#[tokio::test]
async fn a_variable_that_is_not_there_is_named_before_anything_is_served() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let mut piped = Piped::start(&json!({ "backends": [fixture.entry(json!({}))] }), &["--header-env", "x-one=NOT_THERE"], &[])?;
    assert_eq!(piped.ended().await?.code(), Some(1));
    assert!(piped.log().contains("NOT_THERE"), "{}", piped.log());
    assert!(piped.next().await?.is_none(), "nothing is written but messages");
    Ok(())
}

#[tokio::test]
async fn answers_come_when_they_are_there_and_a_cancel_stops_its_call_alone() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, mut piped) = scene(backend).await?;
        piped.initialize("2025-11-25", json!({})).await?;
        piped.request(1, "tools/call", tool("b_slow", &json!({}))).await?;
        piped.modern(2, "tools/call", tool("b_slow", &json!({}))).await?;
        piped.request(3, "tools/call", tool("b_slow", &json!({}))).await?;
        fixture.until("three calls", |fixture| fixture.started() == 3).await?;
        piped.request(4, "tools/call", tool("b_echo", &json!({}))).await?;
        assert!(piped.answer(4).await?["result"].is_object(), "a slow call holds up nobody");
        for id in [1, 2] {
            piped.notify("notifications/cancelled", json!({ "requestId": id })).await?;
        }
        fixture.until("two calls were given up", |fixture| fixture.abandoned() == 2).await?;
        fixture.release(1);
        assert!(piped.answer(3).await?["result"].is_object());
        piped.silent().await.context("what was cancelled is not answered")?;
    }
    Ok(())
}

#[tokio::test]
async fn progress_comes_ahead_of_the_answer_under_the_callers_token() -> Result<()> {
    let (_fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({})).await?;
    for (id, modern) in [(1, false), (2, true)] {
        let mut params = tool("b_progress", &json!({ "steps": 3 }));
        params["_meta"] = json!({ "progressToken": format!("mine-{id}") });
        if modern {
            piped.modern(id, "tools/call", params).await?;
        } else {
            piped.request(id, "tools/call", params).await?;
        }
        for step in 1..=3 {
            let note = piped.next().await?.context("the end")?;
            assert_eq!(
                (&note["params"]["progressToken"], &note["params"]["progress"]),
                (&json!(format!("mine-{id}")), &json!(step)),
                "{note}"
            );
        }
        assert_eq!(piped.next().await?.context("the end")?["id"], id);
    }
    Ok(())
}

#[tokio::test]
async fn backends_ask_and_tell_the_client_over_the_pipe() -> Result<()> {
    let (fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({ "roots": {}, "elicitation": {} })).await?;
    piped.request(1, "tools/list", json!({})).await?;
    piped.answer(1).await?;
    piped.request(2, "tools/call", tool("b_echo", &json!({}))).await?;
    piped.answer(2).await?;
    eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
    let client = async {
        let question = piped.said("roots/list").await?;
        piped.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "roots": [] } })).await
    };
    let (answered, asked) = tokio::join!(fixture.ask("roots/list", "{}"), client);
    asked?;
    assert_eq!(answered?, json!({ "result": { "roots": [] } }));
    fixture.change(|items| items.tools.clear());
    fixture.announce("tools");
    piped.said("notifications/tools/list_changed").await?;
    Ok(())
}

#[tokio::test]
async fn a_backend_asks_during_a_call_over_the_pipe() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b").interactive()).await?;
    let mut piped = Piped::start(&json!({ "backends": [fixture.entry(json!({}))] }), &[], &[])?;
    piped.initialize("2025-11-25", json!({ "elicitation": {} })).await?;
    let question = json!({ "method": "elicitation/create", "params": { "message": "sure?", "requestedSchema": {} } });
    piped.request(1, "tools/call", tool("b_ask", &json!({ "ask": [question] }))).await?;
    let asked = piped.said("elicitation/create").await?;
    assert_eq!(asked["params"]["message"], "sure?", "{asked}");
    piped.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "decline" } })).await?;
    let answered = piped.answer(1).await?;
    assert_eq!(answered["result"]["structuredContent"]["answers"][0]["result"], json!({ "action": "decline" }), "{answered}");
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

/// Params that declare these capabilities.
fn declaring(mut params: Value, capabilities: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    params
}

#[tokio::test]
async fn a_modern_client_is_asked_by_a_result_and_answers_with_its_request_again() -> Result<()> {
    for backend in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", backend).interactive()).await?;
        let mut piped = Piped::start(&json!({ "backends": [fixture.entry(json!({}))] }), &[], &[])?;
        let question = json!({ "method": "elicitation/create", "params": { "mode": "form", "message": "sure?", "requestedSchema": {} } });
        let mut params = declaring(tool("b_ask", &json!({ "ask": [question], "rounds": 2 })), json!({ "elicitation": {} }));
        let answer = json!({ "action": "accept", "content": { "n": 1.5 } });
        for round in 1..=2 {
            piped.modern(round, "tools/call", params.clone()).await?;
            let asked = piped.answer(round).await?["result"].take();
            assert_eq!(asked["resultType"], "input_required", "{backend:?} {round}: {asked}");
            let requests = asked["inputRequests"].as_object().with_context(|| asked.to_string())?;
            let [(key, request)] = requests.iter().collect::<Vec<_>>()[..] else { anyhow::bail!("one question is expected: {asked}") };
            assert_eq!((&request["method"], &request["params"]["message"]), (&json!("elicitation/create"), &json!("sure?")), "{asked}");
            params["inputResponses"] = json!({ key: answer });
            params["requestState"] = asked["requestState"].clone();
        }
        piped.modern(3, "tools/call", params).await?;
        let answered = piped.answer(3).await?;
        let answers = answered["result"]["structuredContent"]["answers"].as_array().with_context(|| answered.to_string())?;
        assert!(!answers.is_empty() && answers.iter().all(|given| given["result"] == answer), "{backend:?}: {answered}");
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_client_follows_asks_about_and_cancels_its_tasks() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b").tasks()).await?;
    let mut piped = Piped::start(&json!({ "backends": [fixture.entry(json!({}))] }), &[], &[])?;
    let tasks = || json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    let mut begun = Vec::new();
    for id in ["one", "two"] {
        piped.modern(id, "tools/call", declaring(tool("b_job", &json!({})), tasks())).await?;
        let created = piped.answer(id).await?["result"].take();
        assert_eq!(created["resultType"], "task", "{created}");
        begun.push(created["taskId"].clone());
    }
    let wanted = json!({ "taskIds": [begun[0]] });
    piped.modern("s", "subscriptions/listen", declaring(json!({ "notifications": wanted }), tasks())).await?;
    assert_eq!(piped.said("notifications/subscriptions/acknowledged").await?["params"]["notifications"], wanted);
    fixture.complete("job-1");
    fixture.tell_of_task("job-2");
    fixture.tell_of_task("job-1");
    let told = piped.said("notifications/tasks").await?;
    assert_eq!((&told["params"]["taskId"], &told["params"]["status"]), (&begun[0], &json!("completed")), "{told}");
    piped.modern("cancel", "tasks/cancel", declaring(json!({ "taskId": begun[1] }), tasks())).await?;
    assert_eq!(piped.answer("cancel").await?["result"], json!({ "resultType": "complete" }));
    for (id, status) in begun.iter().zip(["completed", "cancelled"]) {
        piped.modern(status, "tasks/get", declaring(json!({ "taskId": id }), tasks())).await?;
        let task = piped.answer(status).await?["result"].take();
        assert_eq!((&task["taskId"], &task["status"]), (id, &json!(status)), "{task}");
    }
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn one_endpoint_of_several_is_served() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let endpoints = json!([{ "path": "/team", "backends": [{ "use": "b", "name": "code" }], "passthroughHeaders": ["x-team"] }]);
    let config = json!({ "backends": [fixture.entry(json!({}))], "endpoints": endpoints });
    let mut piped = Piped::start(&config, &["--endpoint", "/team", "-H", "x-team: blue"], &[])?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.request(1, "tools/call", tool("code_echo", &json!({}))).await?;
    assert!(piped.answer(1).await?["result"].is_object());
    assert_eq!(fixture.calls().remove(0).value("x-team"), Some("blue"));
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_acknowledged_told_and_ended_by_a_cancel_or_with_its_result() -> Result<()> {
    let (fixture, mut piped) = scene(Era::Modern).await?;
    let wanted = || json!({ "notifications": { "toolsListChanged": true } });
    for id in ["one", "two"] {
        piped.modern(id, "subscriptions/listen", wanted()).await?;
        let acknowledged = piped.said("notifications/subscriptions/acknowledged").await?;
        assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id, "{acknowledged}");
    }
    piped.notify("notifications/cancelled", json!({ "requestId": "one" })).await?;
    eventually("the gateway listens", async || fixture.streams() > 0).await?;
    piped.modern(3, "tools/list", json!({})).await?;
    piped.answer(3).await?;
    fixture.change(|items| items.tools.clear());
    fixture.announce("tools");
    let told = piped.said("notifications/tools/list_changed").await?;
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "two", "{told}");
    piped.signal("TERM").await?;
    assert_eq!(piped.answer("two").await?["result"]["resultType"], "complete");
    assert!(piped.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn one_client_has_64_subscriptions_and_another_one_where_it_cancels_one() -> Result<()> {
    let (_fixture, mut piped) = scene(Era::Modern).await?;
    let wanted = || json!({ "notifications": { "toolsListChanged": true } });
    for id in 0..64 {
        piped.modern(id, "subscriptions/listen", wanted()).await?;
        piped.said("notifications/subscriptions/acknowledged").await?;
    }
    piped.modern("more", "subscriptions/listen", wanted()).await?;
    let refused = piped.answer("more").await?;
    assert!(refused["error"]["message"].as_str().context("no error")?.contains("cancel one"), "{refused}");
    piped.notify("notifications/cancelled", json!({ "requestId": 7 })).await?;
    eventually("the place of the one that was cancelled is free", async || {
        piped.modern("again", "subscriptions/listen", wanted()).await.is_ok()
            && piped
                .until(|message| message["id"] == "again" || message["method"] == "notifications/subscriptions/acknowledged")
                .await
                .is_ok_and(|message| message["id"].is_null())
    })
    .await
}

#[tokio::test]
async fn a_subscription_to_a_resource_is_told_of_it_until_it_is_cancelled() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, mut piped) = scene(backend).await?;
        let uri = "fixture://b/text";
        let wanted = json!({ "resourceSubscriptions": [uri] });
        piped.modern("one", "subscriptions/listen", json!({ "notifications": wanted })).await?;
        assert_eq!(piped.said("notifications/subscriptions/acknowledged").await?["params"]["notifications"], wanted, "{backend:?}");
        fixture.updated(uri);
        let told = piped.said("notifications/resources/updated").await?;
        assert_eq!(told["params"]["uri"], uri);
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "one", "{told}");
        piped.notify("notifications/cancelled", json!({ "requestId": "one" })).await?;
        eventually("the backend is not subscribed to any more", async || fixture.followers(uri) == 0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_message_is_answered_without_an_id_and_nothing_else_is_lost() -> Result<()> {
    let (_fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.write("no json\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi").await?;
    let wrong = piped.next().await?.context("the end")?;
    assert_eq!((&wrong["id"], &wrong["error"]["code"]), (&Value::Null, &json!(-32700)), "{wrong}");
    piped.write(b"ng\"}\r\n\n\xff\n").await?;
    assert_eq!(piped.answer(1).await?["result"], json!({}));
    assert_eq!(piped.next().await?.context("the end")?["id"], Value::Null);
    piped.write("[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]\n").await?;
    assert_eq!(piped.next().await?.context("the end")?["id"], Value::Null, "no batches in this revision");
    // Without a line end at the end it is a message all the same.
    piped.write("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}").await?;
    piped.close();
    assert_eq!(piped.answer(3).await?["result"], json!({}));
    assert!(piped.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn batches_are_answered_as_one_message_where_the_revision_has_them() -> Result<()> {
    let (_fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-03-26", json!({})).await?;
    let echo = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": tool("b_echo", &json!({})) });
    piped.send(&json!([{ "jsonrpc": "2.0", "id": 1, "method": "ping" }, echo])).await?;
    let answers = piped.next().await?.context("the end")?;
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!(1), &json!(2)), "{answers}");
    Ok(())
}

#[tokio::test]
async fn a_line_beyond_the_limit_fails_alone() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let config = json!({ "backends": [fixture.entry(json!({}))], "limits": { "maxRequestBytes": "64KiB" } });
    let mut piped = Piped::start(&config, &[], &[])?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.request(1, "tools/call", tool("b_echo", &json!({ "text": "x".repeat(500_000) }))).await?;
    let refused = piped.next().await?.context("the end")?;
    assert_eq!(refused["id"], Value::Null);
    assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains("limits.maxRequestBytes")), "{refused}");
    piped.request(2, "tools/call", tool("b_echo", &json!({ "text": "x".repeat(60_000) }))).await?;
    assert!(piped.answer(2).await?["result"].is_object());
    assert_eq!(fixture.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_its_calls_and_loses_nothing() -> Result<()> {
    let (fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({})).await?;
    for id in 0..40 {
        piped.request(id, "tools/call", tool("b_big", &json!({ "bytes": 100_000 }))).await?;
    }
    fixture.until("all calls", |fixture| fixture.calls().len() == 40).await?;
    for id in 0..40 {
        let answer = piped.answer(id).await?;
        assert_eq!(answer["result"]["content"][0]["text"].as_str().map(str::len), Some(100_000));
    }
    Ok(())
}

#[tokio::test]
async fn at_the_end_of_input_running_calls_end_and_so_do_sessions_at_backends() -> Result<()> {
    let (fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.request(1, "tools/call", tool("b_slow", &json!({}))).await?;
    fixture.until("the call", |fixture| fixture.started() == 1).await?;
    piped.close();
    fixture.release(1);
    assert!(piped.answer(1).await?["result"].is_object());
    assert!(piped.next().await?.is_none(), "nothing comes behind the last answer");
    assert!(piped.ended().await?.success());
    assert_eq!(fixture.live_sessions(), 0);
    Ok(())
}

#[tokio::test]
async fn calls_that_do_not_end_are_cancelled_in_time() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let config = json!({ "backends": [fixture.entry(json!({}))], "limits": { "shutdownTimeout": "2s" } });
    for signal in [None, Some("TERM")] {
        let mut piped = Piped::start(&config, &[], &[])?;
        piped.initialize("2025-11-25", json!({})).await?;
        let begun = fixture.started();
        piped.request(1, "tools/call", tool("b_slow", &json!({}))).await?;
        fixture.until("the call", |fixture| fixture.started() > begun).await?;
        match signal {
            Some(signal) => piped.signal(signal).await?,
            None => piped.close(),
        }
        assert!(piped.ended().await?.success(), "{signal:?}");
        fixture.until("the call was given up", |fixture| fixture.abandoned() == fixture.started()).await?;
        assert_eq!(fixture.live_sessions(), 0, "{signal:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_has_gone_ends_everything() -> Result<()> {
    let (fixture, mut piped) = scene(Era::Legacy).await?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.request(1, "tools/call", tool("b_slow", &json!({}))).await?;
    fixture.until("the call", |fixture| fixture.started() == 1).await?;
    piped.hang_up();
    // Only who writes sees that nobody reads.
    piped.request(2, "ping", json!({})).await?;
    assert!(piped.ended().await?.success());
    fixture.until("the call was given up", |fixture| fixture.abandoned() == 1).await?;
    assert_eq!(fixture.live_sessions(), 0);
    Ok(())
}
