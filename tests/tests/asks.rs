//! What backends ask a legacy client outside of its calls: on its own stream, answered by it alone.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use vmcp_tests::{
    Era,
    client::{Client, Rpc, Stream},
    eventually,
    fixture::{Fault, Fixture, Spec},
    process::Vmcp,
};

const DECLARED: &str = r#"{"sampling":{},"elicitation":{},"roots":{"listChanged":true}}"#;

/// A client that listens, and a backend that can ask it.
async fn scene(more: Value) -> Result<(Fixture, Vmcp, Client, Stream)> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(more)] })).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(DECLARED).header("x-key", "mine").connect().await?;
    client.call("b_echo", "{}").await?.result()?;
    let stream = client.listen().await?;
    eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
    Ok((fixture, vmcp, client, stream))
}

async fn answer(client: &mut Client, id: &Value, member: &str) -> Result<()> {
    let request = client.caller.answer(id, member);
    assert_eq!(client.conn.exchange(&request).await?.status(), 202);
    Ok(())
}

#[tokio::test]
async fn a_backends_question_reaches_the_client_and_its_answer_the_backend() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene(json!({ "passthroughHeaders": ["x-key"] })).await?;
    let mut ids = Vec::new();
    for (member, told) in [
        (r#""result":{"roots":[{"uri":"file:///a"}],"x":1.50}"#, json!({"result": {"roots": [{"uri": "file:///a"}], "x": 1.5}})),
        (r#""error":{"code":-1,"message":"no, thank you"}"#, json!({"error": {"code": -1, "message": "no, thank you"}})),
    ] {
        let client_side = async {
            let question = stream.message().await?;
            assert_eq!((&question["method"], &question["params"]), (&json!("roots/list"), &json!({"x": 1})), "{question}");
            assert!(question["id"].is_u64(), "an id of the gateway's own: {question}");
            answer(&mut client, &question["id"], member).await?;
            anyhow::Ok(question["id"].clone())
        };
        let (answered, id) = tokio::join!(fixture.ask("roots/list", r#"{"x":1}"#), client_side);
        ids.push(id?);
        assert_eq!(answered?, told);
    }
    assert_ne!(ids[0], ids[1], "no id is used twice");
    let answers: Vec<_> = fixture.requests().into_iter().filter(|r| r.method.is_none() && r.verb == "POST").collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|r| r.value("x-key") == Some("mine")), "the headers of whoever brought the answer");
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_clients_progress_on_a_question_reaches_the_backend_under_its_own_token() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene(json!({ "passthroughHeaders": ["x-key"] })).await?;
    let client_side = async {
        let question = stream.message().await?;
        assert_eq!(
            question["params"]["_meta"],
            json!({"progressToken": question["id"], "x": 1}),
            "a token of the gateway's own: {question}"
        );
        report(&mut client, &question["id"]).await?;
        fixture.until("the progress", |f| f.requests_of("notifications/progress").len() == 1).await?;
        answer(&mut client, &question["id"], r#""result":{"model":"m"}"#).await
    };
    let params = r#"{"messages":[],"_meta":{"progressToken":"theirs","x":1}}"#;
    let (answered, done) = tokio::join!(fixture.ask("sampling/createMessage", params), client_side);
    done?;
    assert_eq!(answered?, json!({"result": {"model": "m"}}));
    told(&fixture);
    Ok(())
}

#[tokio::test]
async fn a_clients_progress_on_what_is_asked_during_its_call_reaches_the_backend_too() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b").interactive()).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))] })).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(DECLARED).header("x-key", "mine").connect().await?;
    let mut call = client.sibling().await?;
    let question = r#"{"method":"sampling/createMessage","params":{"messages":[],"_meta":{"progressToken":"theirs","x":1}}}"#;
    call.start(&Rpc::tool("b_ask", &format!(r#"{{"ask":[{question}]}}"#))).await?;
    let mut buffer = Vec::new();
    let asked = call.conn.event(&mut buffer).await?.context("no question")?.json();
    report(&mut client, &asked["id"]).await?;
    fixture.until("the progress", |f| f.requests_of("notifications/progress").len() == 1).await?;
    answer(&mut client, &asked["id"], r#""result":{"model":"m"}"#).await?;
    let result = call.conn.event(&mut buffer).await?.context("no result")?.json();
    assert_eq!(result["result"]["structuredContent"]["answers"][0], json!({"result": {"model": "m"}}), "{result}");
    told(&fixture);
    Ok(())
}

/// Says how far it is with a question.
async fn report(client: &mut Client, token: &Value) -> Result<()> {
    let note = Rpc::new("notifications/progress", format!(r#""progressToken":{token},"progress":0.50,"message":"half""#));
    assert_eq!(client.conn.exchange(&client.caller.notification(&note)).await?.status(), 202);
    Ok(())
}

/// The backend was told what [`report`] said.
fn told(fixture: &Fixture) {
    let progress = fixture.requests_of("notifications/progress");
    let text = String::from_utf8_lossy(&progress[0].body).into_owned();
    assert!(text.contains(r#""params":{"progressToken":"theirs","progress":0.50,"message":"half"}"#), "{text}");
    assert_eq!(progress[0].value("x-key"), Some("mine"), "the headers of whoever says it");
    assert_eq!(fixture.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn another_session_answers_nothing_and_the_same_answer_counts_once() -> Result<()> {
    let (fixture, vmcp, mut client, mut stream) = scene(json!({})).await?;
    let mut stranger = vmcp.client(Era::Legacy).await?;
    let client_side = async {
        let id = stream.message().await?["id"].clone();
        answer(&mut stranger, &id, r#""result":{"roots":"stolen"}"#).await?;
        for wrong in [json!(id.to_string()), json!(99)] {
            answer(&mut client, &wrong, r#""result":{"roots":"wrong"}"#).await?;
        }
        answer(&mut client, &id, r#""result":{"roots":[]}"#).await?;
        answer(&mut client, &id, r#""result":{"roots":"again"}"#).await
    };
    let (answered, done) = tokio::join!(fixture.ask("roots/list", "{}"), client_side);
    done?;
    assert_eq!(answered?, json!({"result": {"roots": []}}));
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_question_that_the_backend_takes_back_is_taken_back_from_the_client() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene(json!({})).await?;
    let id = fixture.pose("elicitation/create", r#"{"message":"sure?","requestedSchema":{}}"#)?;
    let first = stream.message().await?;
    assert_eq!(first["method"], "elicitation/create", "{first}");
    fixture.withdraw(&id);
    let second = stream.message().await?;
    assert_eq!((&second["method"], &second["params"]["requestId"]), (&json!("notifications/cancelled"), &first["id"]), "{second}");
    answer(&mut client, &first["id"], r#""result":{"action":"cancel"}"#).await?;
    client.call("b_echo", "{}").await?.result()?;
    assert_eq!(fixture.violations(), Vec::<String>::new(), "an answer that comes too late goes nowhere");
    Ok(())
}

#[tokio::test]
async fn a_client_that_lost_its_stream_finds_its_question_again() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene(json!({})).await?;
    fixture.say("notifications/message", r#"{"level":"info","data":1}"#);
    let before = stream.next().await?.and_then(|event| event.id).context("an event without an id")?;
    let client_side = async {
        let lost = stream.message().await?;
        drop(stream);
        let mut conn = client.come_back(&before).await?;
        let again = conn.event(&mut Vec::new()).await?.context("the stream ended")?.json();
        assert_eq!(again, lost);
        answer(&mut client, &again["id"], r#""result":{"roots":[]}"#).await
    };
    let (answered, done) = tokio::join!(fixture.ask("roots/list", "{}"), client_side);
    done?;
    assert_eq!(answered?, json!({"result": {"roots": []}}));
    Ok(())
}

#[tokio::test]
async fn a_backend_is_told_what_its_client_declared_and_that_its_roots_changed() -> Result<()> {
    let (fixture, _vmcp, mut client, _stream) = scene(json!({})).await?;
    let declared: Vec<Value> = fixture.requests_of("initialize").iter().map(|r| r.json()["params"]["capabilities"].clone()).collect();
    assert!(declared.contains(&serde_json::from_str(DECLARED)?), "{declared:?}");
    let note = Rpc::new("notifications/roots/list_changed", "");
    assert_eq!(client.conn.exchange(&client.caller.notification(&note)).await?.status(), 202);
    fixture.until("the roots have changed", |f| f.requests_of("notifications/roots/list_changed").len() == 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_does_not_wait_behind_what_another_client_has_the_backend_told() -> Result<()> {
    const LEVEL: &str = "logging/setLevel";
    let (fixture, vmcp, mut client, mut stream) = scene(json!({})).await?;
    let mut others = Vec::new();
    fixture.fail_on(LEVEL, Fault::Hang);
    // More than are told anything at once, whatever one of them says.
    for _ in 0..20 {
        let mut other = vmcp.client(Era::Legacy).await?;
        other.call("b_echo", "{}").await?.result()?;
        other.send(&Rpc::new(LEVEL, r#""level":"error""#)).await?.result()?;
        others.push(other);
    }
    fixture.until("the backend is told", |f| !f.requests_of(LEVEL).is_empty()).await?;
    let answering = async {
        let question = stream.message().await?;
        answer(&mut client, &question["id"], r#""result":{"roots":[]}"#).await
    };
    // Less than what hangs is given.
    let both = async { tokio::try_join!(fixture.ask("roots/list", "{}"), answering) };
    let (answered, ()) = tokio::time::timeout(Duration::from_secs(4), both).await.context("the answer waits")??;
    assert_eq!(answered, json!({"result": {"roots": []}}));
    Ok(())
}

#[tokio::test]
async fn what_waits_to_be_told_is_told_once_and_as_it_is_then() -> Result<()> {
    const LEVEL: &str = "logging/setLevel";
    let (fixture, _vmcp, mut client, _stream) = scene(json!({})).await?;
    fixture.fail_on(LEVEL, Fault::Hang);
    for _ in 0..200 {
        client.send(&Rpc::new(LEVEL, r#""level":"error""#)).await?.result()?;
    }
    client.send(&Rpc::new(LEVEL, r#""level":"debug""#)).await?.result()?;
    fixture.heal();
    let told = |f: &Fixture| f.requests_of(LEVEL).iter().any(|request| request.json()["params"]["level"] == "debug");
    fixture.until("the backend knows the last level", told).await?;
    assert!(fixture.requests_of(LEVEL).len() <= 40, "{}", fixture.requests_of(LEVEL).len());
    Ok(())
}

#[tokio::test]
async fn a_question_does_not_hold_up_the_end_of_its_session() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene(json!({})).await?;
    fixture.pose("roots/list", "{}")?;
    stream.message().await?;
    let request = client.caller.delete();
    assert_eq!(client.conn.exchange(&request).await?.status(), 204);
    fixture.until("the session's end", |f| f.requests().iter().any(|r| r.verb == "DELETE")).await?;
    while stream.next().await?.is_some() {}
    Ok(())
}
