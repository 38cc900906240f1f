//! Somebody who answers what is asked during a call, in either era.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

/// Everything that can be asked.
pub(crate) const EVERYTHING: &str = r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}"#;

pub(crate) const FORM: &str = r#"{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{"n":{"type":"number"}}}}}"#;
pub(crate) const SAMPLING: &str =
    r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"q"}}],"maxTokens":10}}"#;
pub(crate) const ROOTS: &str = r#"{"method":"roots/list","params":{}}"#;
/// As servers of 2025-11-25 ask.
pub(crate) const OLD_URL: &str =
    r#"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://example.com/x","elicitationId":"e"}}"#;
/// As servers of 2026-07-28 ask.
pub(crate) const NEW_URL: &str = r#"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://example.com/x"}}"#;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl Question {
    fn of(request: &Value) -> Result<Self> {
        let method = request["method"].as_str().context("a question without a method")?.to_owned();
        Ok(Self { method, params: request["params"].clone() })
    }
}

/// How a call went.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// The JSON-RPC response.
    pub(crate) message: Value,
    pub(crate) asked: Vec<Question>,
    /// Notifications on the way.
    pub(crate) notes: Vec<Value>,
    /// How often the request was sent.
    pub(crate) sent: usize,
}

impl Played {
    /// What the fixture's tool `ask` was answered.
    pub(crate) fn answers(&self) -> &Value {
        &self.message["result"]["structuredContent"]["answers"]
    }
}

/// A result that fits a question.
pub(crate) fn fitting(question: &Question) -> Value {
    match question.method.as_str() {
        "sampling/createMessage" => json!({"role": "assistant", "content": {"type": "text", "text": "a"}, "model": "m"}),
        "roots/list" => json!({"roots": [{"uri": "file:///a"}]}),
        _ if question.params["mode"] == "url" => json!({"action": "accept"}),
        _ => json!({"action": "accept", "content": {"n": 1.5}}),
    }
}

/// A call of the tool that asks these.
pub(crate) fn asking(questions: &[&str], more: &str) -> Rpc {
    Rpc::tool("b_ask", &format!(r#"{{"ask":[{}]{more}}}"#, questions.join(",")))
}

/// A server that asks, behind a gateway.
pub(crate) async fn scene(backend: Era, entry: Value, more: Value) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::new("b", backend).interactive()).await?;
    let mut config = json!({ "backends": [fixture.entry(entry)] });
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    let vmcp = Vmcp::serve(config).await?;
    Ok((fixture, vmcp))
}

/// Calls, and answers what is asked: as soon as `burst` questions are there, so that they are seen to be asked at once.
pub(crate) async fn play(client: &mut Client, rpc: &Rpc, burst: usize, answer: impl AsyncFnMut(&Question) -> Value) -> Result<Played> {
    match client.caller.era {
        Era::Legacy => on_the_stream(client, rpc, burst, answer).await,
        Era::Modern => by_result(client, rpc, burst, answer).await,
    }
}

async fn on_the_stream(client: &mut Client, rpc: &Rpc, burst: usize, mut answer: impl AsyncFnMut(&Question) -> Value) -> Result<Played> {
    let mut beside = client.sibling().await?;
    let (id, head) = client.start(rpc).await?;
    let mut played = Played { sent: 1, ..Played::default() };
    if !head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
        played.message = serde_json::from_slice(&client.conn.body().await?)?;
        return Ok(played);
    }
    let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
    while let Some(event) = client.conn.event(&mut buffer).await? {
        let message = event.json();
        if message["method"].is_null() {
            ensure!(message["id"] == id, "an answer to something else: {message}");
            played.message = message;
            while client.conn.event(&mut buffer).await?.is_some() {}
            return Ok(played);
        }
        if message["id"].is_null() {
            played.notes.push(message);
            continue;
        }
        let question = Question::of(&message)?;
        played.asked.push(question.clone());
        waiting.push((message["id"].clone(), question));
        if waiting.len() == burst {
            for (id, question) in waiting.drain(..) {
                let result = answer(&question).await;
                let member = if result["code"].is_null() { "result" } else { "error" };
                let request = beside.caller.answer(&id, &format!("\"{member}\":{result}"));
                ensure!(beside.conn.exchange(&request).await?.status() == 202, "an answer was not taken");
            }
        }
    }
    anyhow::bail!("the stream ended without an answer")
}

async fn by_result(client: &mut Client, rpc: &Rpc, burst: usize, mut answer: impl AsyncFnMut(&Question) -> Value) -> Result<Played> {
    let mut played = Played::default();
    let mut next = rpc.clone();
    loop {
        // Whoever comes back comes over another connection, and so maybe to another of the gateway's threads.
        let reply = if played.sent == 0 { client.send(&next).await? } else { client.sibling().await?.send(&next).await? };
        played.sent += 1;
        played.notes.extend(reply.notes.iter().cloned());
        played.message = serde_json::from_str(&reply.message)?;
        let result = &played.message["result"];
        if result["resultType"] != "input_required" {
            return Ok(played);
        }
        let mut responses = Map::new();
        for (key, request) in result["inputRequests"].as_object().context("no inputRequests")? {
            let question = Question::of(request)?;
            responses.insert(key.clone(), answer(&question).await);
            played.asked.push(question);
        }
        ensure!(responses.len() == burst, "not asked at once: {result}");
        next = again(rpc, result, &Value::Object(responses));
    }
}

/// The same request with answers to what its result asks.
pub(crate) fn again(rpc: &Rpc, result: &Value, responses: &Value) -> Rpc {
    let state = result.get("requestState").map(|state| format!(r#","requestState":{state}"#)).unwrap_or_default();
    rpc.clone().with(&format!(r#""inputResponses":{responses}{state}"#))
}
