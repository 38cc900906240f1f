//! Every way by which the result of a call reaches its caller passes by interceptors, and by the authorizer too.

use super::*;
use serde_json::value::RawValue;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use vmcp_auth::Identity;
use vmcp_core::plugin::{Authenticated, Principal};
use vmcp_tests::client::{Old, Rpc};

const TASKS: &str = r#"{"elicitation":{},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
const ASKS: &str = r#""ask":[{"method":"roots/list"}]"#;

/// A gateway with both: Ann may call everything of `b` but `b_big`.
struct Scene {
    fixture: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
    seen: Seen,
}

impl Scene {
    async fn new(spec: Spec) -> Result<Self> {
        let fixture = Fixture::start(spec).await?;
        let mut config = serde_json::to_value(json!({
            "backends": [fixture.entry(json!({}))],
            "ssePath": "/sse",
            "interceptors": [{ "type": "marked", "marked": { "word": "first" } }, { "type": "marked", "marked": { "word": "second" } }],
        }))?;
        let policies = r#"permit(principal == Client::"ann", action, resource) unless {
            resource.name == "b_big" || (context has arg_level && context.arg_level > context.claim_level) };"#;
        config["incomingAuth"] = json!({ "type": "named", "authz": { "type": "cedar", "policies": [policies] } });
        let seen = Seen::default();
        let builder = Gateway::builder(serde_json::from_value(config)?).authenticator(NamedFactory);
        let gateway = builder.interceptor(MarkedFactory(Arc::clone(&seen))).build()?;
        let (addr, _) = serve(&gateway).await?;
        Ok(Self { fixture, gateway, addr, seen })
    }

    async fn ann(&self, era: Era) -> Result<Client> {
        Client::of(era, self.addr).header("x-user", "ann").capabilities(TASKS).connect().await
    }
}

/// Both interceptors have changed it.
#[track_caller]
fn is_marked(result: &Value) {
    assert_eq!((&result["first"], &result["second"]), (&json!(true), &json!(true)), "{result}");
}

fn about(method: &str, id: &str, more: &str) -> Rpc {
    Rpc { name: Some(id.to_owned()), ..Rpc::new(method, format!(r#""taskId":{}{more}"#, json!(id))) }
}

async fn begin(client: &mut Client, arguments: &str) -> Result<String> {
    let created = client.call("b_job", arguments).await?.result()?;
    Ok(created["taskId"].as_str().context("no id")?.to_owned())
}

#[tokio::test]
async fn the_result_of_a_task_is_seen_whenever_it_is_collected() -> Result<()> {
    let scene = Scene::new(Spec::modern("b").tasks()).await?;
    let mut ann = scene.ann(Era::Modern).await?;
    let id = begin(&mut ann, "{}").await?;
    taken(&scene.seen);
    assert_eq!(ann.send(&about("tasks/get", &id, "")).await?.result()?["status"], "working");
    assert!(taken(&scene.seen).is_empty(), "there is no result yet");
    scene.fixture.complete("job-1");
    for _ in 0..2 {
        let reply = ann.send(&about("tasks/get", &id, "")).await?;
        let task = reply.result()?;
        is_marked(&task["result"]);
        assert_eq!((&task["status"], &task["taskId"], &task["first"]), (&json!("completed"), &json!(id), &Value::Null), "{task}");
        assert!(reply.raw_result()?.contains(r#""pollIntervalMs":1e2"#), "the rest is as the backend wrote it: {}", reply.message);
        assert_eq!(taken(&scene.seen), ["second after b_job", "first after b_job"]);
    }
    Ok(())
}

#[tokio::test]
async fn the_result_of_a_task_that_is_refused_is_told_nowhere() -> Result<()> {
    let scene = Scene::new(Spec::modern("b").tasks()).await?;
    let mut ann = scene.ann(Era::Modern).await?;
    let (refused, other) = (begin(&mut ann, r#"{"ask":true}"#).await?, begin(&mut ann, "{}").await?);
    let (_, mut stream) = ann.subscribe(&format!(r#""taskIds":{}"#, json!([refused, other]))).await?;
    let answers = r#","inputResponses":{"who":{"action":"accept","content":{"name":"secret"}}}"#;
    ann.send(&about("tasks/update", &refused, answers)).await?.result()?;
    let error = ann.send(&about("tasks/get", &refused, "")).await?.error()?;
    assert_eq!((error.code, error.message.as_str()), (-31801, "this result stays here"));
    taken(&scene.seen);
    scene.fixture.tell_of_task("job-1");
    scene.fixture.tell_of_task("job-2");
    let note = stream.message().await?;
    assert_eq!((&note["params"]["taskId"], &note["params"]["status"]), (&json!(other), &json!("working")), "{note}");
    scene.fixture.complete("job-2");
    scene.fixture.tell_of_task("job-2");
    let note = stream.message().await?;
    assert_eq!((&note["params"]["taskId"], &note["params"]["status"]), (&json!(other), &json!("completed")), "{note}");
    is_marked(&note["params"]["result"]);
    let seen = taken(&scene.seen);
    assert_eq!(seen, ["second after b_job", "second after b_job", "first after b_job"], "the refused one was seen and stopped");
    Ok(())
}

/// A call during which its backend asks for the roots, from the first request to the result.
async fn asked(scene: &Scene, era: Era, arguments: &str) -> Result<Value> {
    let mut ann = scene.ann(era).await?;
    let call = Rpc::tool("b_ask", arguments);
    if era == Era::Modern {
        let asked = ann.send(&call).await?.result()?;
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let key = asked["inputRequests"].as_object().and_then(|asked| asked.keys().next().cloned()).context("nothing asked")?;
        let answers = json!({ key: { "roots": [] } });
        let again = call.with(&format!(r#""requestState":{},"inputResponses":{answers}"#, asked["requestState"]));
        return ann.send(&again).await?.result();
    }
    let mut calling = ann.sibling().await?;
    calling.start(&call).await?;
    let mut buffer = Vec::new();
    let question = calling.conn.event(&mut buffer).await?.context("no question")?.json();
    let answer = ann.caller.answer(&question["id"], r#""result":{"roots":[]}"#);
    assert_eq!(ann.conn.exchange(&answer).await?.status(), 202);
    Ok(calling.conn.event(&mut buffer).await?.context("no result")?.json()["result"].clone())
}

#[tokio::test]
async fn the_result_of_a_call_that_goes_on_after_questions_is_seen() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::new(Spec::new("b", backend).interactive()).await?;
        // What interceptors make of the arguments may be something else each time: it is the caller's request that has to be the same.
        for arguments in [format!("{{{ASKS}}}"), format!(r#"{{{ASKS},"fresh":true}}"#)] {
            let result = asked(&scene, caller, &arguments).await.with_context(|| format!("{caller:?} {backend:?} {arguments}"))?;
            is_marked(&result);
            let seen = taken(&scene.seen);
            assert_eq!(seen.last().map(String::as_str), Some("first after b_ask"), "{caller:?} {backend:?}: {seen:?}");
        }
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn only_a_token_that_may_send_what_was_sent_goes_on_with_a_call() -> Result<()> {
    let scene = Scene::new(Spec::legacy("b").interactive()).await?;
    let mut ann = scene.ann(Era::Modern).await?;
    ann.caller.set("x-claims", r#"{"level":2}"#);
    let call = Rpc::tool("b_ask", &format!(r#"{{{ASKS},"claimed":true}}"#));
    let asked = ann.send(&call).await?.result()?;
    let key = asked["inputRequests"].as_object().and_then(|asked| asked.keys().next().cloned()).context("nothing asked")?;
    let answers = json!({ key: { "roots": [] } });
    let again = call.with(&format!(r#""requestState":{},"inputResponses":{answers}"#, asked["requestState"]));
    // What would be sent for this token is something that it may send; what waits at the backend is not.
    ann.caller.set("x-claims", r#"{"level":1}"#);
    assert_eq!(ann.send(&again).await?.error()?.message, "Unknown tool: b_ask");
    ann.caller.set("x-claims", r#"{"level":3}"#);
    is_marked(&ann.send(&again).await?.result()?);
    assert_eq!(scene.fixture.calls().len(), 1);
    assert_eq!(scene.fixture.calls()[0].json()["params"]["arguments"]["level"], 2);
    Ok(())
}

#[tokio::test]
async fn each_message_of_a_batch_is_seen_and_decided() -> Result<()> {
    let scene = Scene::new(Spec::legacy("b")).await?;
    let mut ann = Client::of(Era::Legacy, scene.addr).header("x-user", "ann").revision("2025-03-26").connect().await?;
    let message = |id: u32, name: &str, arguments: &str| Rpc::tool(name, arguments).text(Era::Legacy, Some(&id.to_string()));
    let batch = [message(1, "b_echo", "{}"), message(2, "b_echo", r#"{"a":"secret"}"#), message(3, "b_big", "{}")].join(",");
    let mut request = ann.caller.request(&Rpc::new("ping", ""), "1");
    request.body = format!("[{batch}]").into_bytes();
    let response = ann.conn.exchange(&request).await?;
    let answers: Vec<Value> = serde_json::from_slice(&response.body)?;
    is_marked(&answers[0]["result"]);
    assert_eq!(answers[1]["error"]["message"], "this result stays here", "{answers:?}");
    assert_eq!(answers[2]["error"]["message"], "Unknown tool: b_big", "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_read_after_its_connection_broke_was_seen() -> Result<()> {
    for backend in Era::BOTH {
        let scene = Scene::new(Spec::new("b", backend)).await?;
        let ann = scene.ann(Era::Legacy).await?;
        let mut lost = ann.sibling().await?;
        lost.start(&Rpc::tool("b_progress", r#"{"steps":2,"hold":true}"#).meta(r#""progressToken":"mine""#)).await?;
        let id = lost.conn.event(&mut Vec::new()).await?.context("no step")?.id.context("no id")?;
        drop(lost);
        scene.fixture.until("the call waits", |fixture| fixture.started() == 1).await?;
        let mut back = ann.come_back(&id).await?;
        scene.fixture.release(1);
        let mut buffer = Vec::new();
        let result = loop {
            let message = back.event(&mut buffer).await?.context("no result")?.json();
            if message["result"].is_object() {
                break message["result"].clone();
            }
        };
        is_marked(&result);
        scene.gateway.shutdown().await;
    }
    Ok(())
}

fn identity() -> Identity {
    Identity::new(Authenticated::new(Principal { issuer: "test".into(), subject: "ann".into() }))
}

#[tokio::test]
async fn a_call_without_http_is_seen_and_decided() -> Result<()> {
    let scene = Scene::new(Spec::modern("b")).await?;
    let direct = scene.gateway.direct(identity());
    let none = RawValue::from_string("{}".to_owned())?;
    is_marked(&serde_json::from_str(direct.call_tool("b_echo", &none).await?.get())?);
    is_marked(&serde_json::from_str(direct.read_resource("fixture://b/text").await?.get())?);
    is_marked(&serde_json::from_str(direct.get_prompt("b_greet", &none).await?.get())?);
    assert_eq!(direct.call_tool("b_big", &none).await.unwrap_err().message, "Unknown tool: b_big");
    let refused = RawValue::from_string(r#"{"a":"secret"}"#.to_owned())?;
    assert_eq!(direct.call_tool("b_echo", &refused).await.unwrap_err().code, -31801);
    Ok(())
}

#[tokio::test]
async fn a_client_at_standard_input_is_seen_and_decided() -> Result<()> {
    let scene = Scene::new(Spec::modern("b").tasks()).await?;
    let ((ours, theirs), gateway) = (tokio::io::duplex(1 << 16), scene.gateway.clone());
    let (reader, writer) = tokio::io::split(theirs);
    let serving = tokio::spawn(async move { gateway.serve_stdio(reader, writer, identity(), http::HeaderMap::new()).await });
    let (reader, mut writer) = tokio::io::split(ours);
    let mut lines = BufReader::new(reader).lines();
    let mut ask = async |id: u32, rpc: Rpc| -> Result<Value> {
        let line = rpc.declaring(Era::Modern, Some(&id.to_string()), TASKS) + "\n";
        writer.write_all(line.as_bytes()).await?;
        Ok(serde_json::from_str(&lines.next_line().await?.context("no answer")?)?)
    };
    is_marked(&ask(1, Rpc::tool("b_echo", "{}")).await?["result"]);
    assert_eq!(ask(2, Rpc::tool("b_big", "{}")).await?["error"]["message"], "Unknown tool: b_big");
    assert_eq!(ask(3, Rpc::tool("b_echo", r#"{"a":"secret"}"#)).await?["error"]["code"], -31801);
    let id = ask(4, Rpc::tool("b_job", "{}")).await?["result"]["taskId"].as_str().context("no id")?.to_owned();
    scene.fixture.complete("job-1");
    is_marked(&ask(5, about("tasks/get", &id, "")).await?["result"]["result"]);
    scene.gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn an_old_client_on_its_event_stream_is_seen_and_decided() -> Result<()> {
    let scene = Scene::new(Spec::legacy("b")).await?;
    let mut old = Old::open(scene.addr, "/sse", &[("x-user", "ann")]).await?;
    old.initialize("2024-11-05", json!({})).await?;
    is_marked(&old.call(1, "b_echo", json!({})).await?);
    for (id, name, arguments, message) in
        [(2, "b_big", json!({}), "Unknown tool: b_big"), (3, "b_echo", json!({ "a": "secret" }), "this result stays here")]
    {
        old.request(id, "tools/call", json!({ "name": name, "arguments": arguments })).await?;
        assert_eq!(old.answer(id).await?["error"]["message"], message);
    }
    Ok(())
}
