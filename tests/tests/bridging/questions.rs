//! Every kind of question, between every two eras.

use crate::player::{EVERYTHING, FORM, NEW_URL, OLD_URL, ROOTS, SAMPLING, asking, fitting, play, scene};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{net::SocketAddr, rc::Rc};
use tokio::sync::Barrier;
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

fn url(backend: Era) -> &'static str {
    if backend == Era::Legacy { OLD_URL } else { NEW_URL }
}

/// What a question's parameters are.
fn params(question: &str) -> Result<Value> {
    Ok(serde_json::from_str::<Value>(question)?["params"].clone())
}

#[tokio::test]
async fn each_kind_of_question_reaches_the_caller_and_its_answer_the_server() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        for question in [FORM, url(backend), SAMPLING, ROOTS] {
            let played = play(&mut client, &asking(&[question], ""), 1, async |question| fitting(question)).await?;
            let asked = played.asked.first().with_context(|| format!("{caller:?} {backend:?}: not asked: {}", played.message))?;
            let (mut seen, mut sent) = (asked.params.clone(), params(question)?);
            let id = seen.as_object_mut().and_then(|seen| seen.remove("elicitationId"));
            sent.as_object_mut().map(|sent| sent.remove("elicitationId"));
            assert_eq!(seen, sent, "{caller:?} {backend:?}");
            let has_id = asked.params["mode"] == "url" && caller == Era::Legacy;
            assert_eq!(id.is_some(), has_id, "2025-11-25 has such an id, 2026-07-28 does not: {asked:?}");
            assert_eq!(played.answers(), &json!([{ "result": fitting(asked) }]), "{caller:?} {backend:?}: {}", played.message);
            assert_eq!(played.message["result"].get("resultType").is_some(), caller == Era::Modern);
            let again = played.sent - 1 + usize::from((caller, backend) == (Era::Legacy, Era::Modern));
            let calls = if backend == Era::Modern { 1 + again } else { 1 };
            assert_eq!(fixture.calls().len(), calls, "a legacy server runs a call once, a modern one sees it again with the answers");
            fixture.forget_requests();
        }
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{caller:?} {backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_asked_at_once_is_answered_at_once_and_as_often_as_it_is_asked() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        let rpc = asking(&[FORM, url(backend), SAMPLING, ROOTS], r#","rounds":2,"progress":true"#).meta(r#""progressToken":"mine""#);
        let played = play(&mut client, &rpc, 4, async |question| fitting(question)).await?;
        assert_eq!(played.asked.len(), 8, "{caller:?} {backend:?}");
        let answers = played.answers().as_array().with_context(|| format!("{caller:?} {backend:?}: {}", played.message))?;
        // The modern fixture keeps those of the last round.
        let kept = if backend == Era::Legacy { 8 } else { 4 };
        assert_eq!(answers.len(), kept, "{answers:?}");
        for (question, answer) in played.asked.iter().zip(answers) {
            assert_eq!(answer["result"], fitting(question), "{caller:?} {backend:?}: in order");
        }
        if backend == Era::Legacy {
            let steps: Vec<_> = played.notes.iter().map(|note| (&note["params"]["progressToken"], &note["params"]["progress"])).collect();
            assert_eq!(steps, [(&json!("mine"), &json!(1)), (&json!("mine"), &json!(2))], "on the stream of whoever waits");
        }
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{caller:?} {backend:?}");
    }
    Ok(())
}

async fn one_of_many(era: Era, addr: SocketAddr, name: String, rounds: usize, asked: Rc<Barrier>) -> Result<()> {
    let mut client = Client::of(era, addr).capabilities(EVERYTHING).connect().await?;
    let schema = r#""requestedSchema":{"type":"object","properties":{}}"#;
    let question = format!(r#"{{"method":"elicitation/create","params":{{"message":"{name}",{schema}}}}}"#);
    let answered = json!({"action": "accept", "content": {"name": name}});
    let played = play(&mut client, &asking(&[&question], &format!(r#","rounds":{rounds}"#)), 1, async |question| {
        asked.wait().await;
        assert_eq!(question.params["message"], name.as_str());
        answered.clone()
    })
    .await?;
    ensure!(played.asked.len() == rounds, "{played:?}");
    let answers = played.answers().as_array().with_context(|| format!("{}", played.message))?;
    ensure!(!answers.is_empty() && answers.iter().all(|given| given["result"] == answered), "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn two_callers_who_are_asked_at_the_same_time_are_asked_their_own_and_answer_their_own() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        // All of them are asked before the first answers.
        let (users, rounds) = (6, 3);
        let everybody = tokio::task::LocalSet::new();
        let asked = Rc::new(Barrier::new(users));
        let running: Vec<_> = (0..users)
            .map(|user| everybody.spawn_local(one_of_many(caller, vmcp.addr(), format!("user {user}"), rounds, Rc::clone(&asked))))
            .collect();
        everybody.await;
        for user in running {
            user.await?.with_context(|| format!("{caller:?} {backend:?}"))?;
        }
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{caller:?} {backend:?}");
    }
    Ok(())
}

/// Three legacy servers, each of which counts its questions from the same number, and a client of all of them.
async fn three_who_ask() -> Result<(Vec<(&'static str, Fixture)>, Vmcp, Client)> {
    let mut fixtures = Vec::new();
    for name in ["a", "b", "c"] {
        fixtures.push((name, Fixture::start(Spec::legacy(name).interactive()).await?));
    }
    let entries: Vec<Value> = fixtures.iter().map(|(_, fixture)| fixture.entry(json!({}))).collect();
    let vmcp = Vmcp::serve(json!({ "backends": entries })).await?;
    let client = vmcp.client_of(Era::Legacy).capabilities(EVERYTHING).connect().await?;
    Ok((fixtures, vmcp, client))
}

#[tokio::test]
async fn servers_that_ask_one_client_under_one_id_during_its_calls_get_their_own_answers() -> Result<()> {
    let (fixtures, _vmcp, mut client) = three_who_ask().await?;
    let mut calls = Vec::new();
    for (name, _) in &fixtures {
        let mut call = client.sibling().await?;
        let schema = r#""requestedSchema":{"type":"object","properties":{}}"#;
        let question = format!(r#"{{"method":"elicitation/create","params":{{"message":"{name}",{schema}}}}}"#);
        call.start(&Rpc::tool(&format!("{name}_ask"), &format!(r#"{{"ask":[{question}]}}"#))).await?;
        let mut buffer = Vec::new();
        let asked = call.conn.event(&mut buffer).await?.context("no question")?.json();
        assert_eq!((&asked["method"], &asked["params"]["message"]), (&json!("elicitation/create"), &json!(name)), "{asked}");
        assert!(calls.iter().all(|(_, _, _, id)| *id != asked["id"]), "an id of its own: {asked}");
        calls.push((name, call, buffer, asked["id"].clone()));
    }
    // All wait now; who asked last is answered first.
    for (name, _, _, id) in calls.iter().rev() {
        let answer = client.caller.answer(id, &format!(r#""result":{{"action":"accept","content":{{"name":"{name}"}}}}"#));
        ensure!(client.conn.exchange(&answer).await?.status() == 202, "an answer was not taken");
    }
    for (name, mut call, mut buffer, _) in calls {
        let message = call.conn.event(&mut buffer).await?.context("no answer")?.json();
        let answers = &message["result"]["structuredContent"]["answers"];
        assert_eq!(answers, &json!([{ "result": { "action": "accept", "content": { "name": name } } }]), "{message}");
    }
    for (name, fixture) in &fixtures {
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn servers_that_ask_one_client_under_one_id_outside_of_calls_get_their_own_answers() -> Result<()> {
    let (fixtures, _vmcp, mut client) = three_who_ask().await?;
    for (name, _) in &fixtures {
        client.call(&format!("{name}_echo"), "{}").await?.result()?;
    }
    let mut stream = client.listen().await?;
    for (_, fixture) in &fixtures {
        eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
    }
    let client_side = async {
        let mut asked = Vec::new();
        for _ in &fixtures {
            asked.push(stream.next().await?.context("the stream ended")?.json());
        }
        // All wait now; who asked last is answered first.
        for question in asked.iter().rev() {
            let answer = client.caller.answer(&question["id"], &format!(r#""result":{{"roots":[],"to":{}}}"#, question["params"]["from"]));
            ensure!(client.conn.exchange(&answer).await?.status() == 202, "an answer was not taken");
        }
        anyhow::Ok(())
    };
    let ask = async |(name, fixture): &(&str, Fixture)| fixture.ask("roots/list", &format!(r#"{{"from":"{name}"}}"#)).await;
    let (a, b, c, done) = tokio::join!(ask(&fixtures[0]), ask(&fixtures[1]), ask(&fixtures[2]), client_side);
    done?;
    for ((name, fixture), answer) in fixtures.iter().zip([a?, b?, c?]) {
        assert_eq!(answer, json!({"result": {"roots": [], "to": name}}));
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_declines_or_fails_says_so_to_the_server() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        let played = play(&mut client, &asking(&[FORM], ""), 1, async |_| json!({"action": "decline"})).await?;
        assert_eq!(played.answers(), &json!([{"result": {"action": "decline"}}]), "{caller:?} {backend:?}: {}", played.message);
        if caller == Era::Legacy {
            let error = json!({"code": -1, "message": "User rejected sampling request"});
            let played = play(&mut client, &asking(&[SAMPLING], ""), 1, async |_| error.clone()).await?;
            match backend {
                Era::Legacy => assert_eq!(played.answers(), &json!([{ "error": error }]), "{}", played.message),
                // There is no way to bring an error to a modern server: the call ends with it.
                Era::Modern => assert_eq!(played.message["error"], error),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_asked_what_it_did_not_declare() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        for (declared, question, required) in [
            ("{}", ROOTS, json!({"roots": {}})),
            (r#"{"roots":{}}"#, SAMPLING, json!({"sampling": {}})),
            (r#"{"elicitation":{}}"#, url(backend), json!({"elicitation": {"url": {}}})),
            (r#"{"elicitation":{"url":{}}}"#, FORM, json!({"elicitation": {"form": {}}})),
        ] {
            let mut client = vmcp.client_of(caller).capabilities(declared).connect().await?;
            let played = play(&mut client, &asking(&[question], ""), 1, async |question| fitting(question)).await?;
            assert!(played.asked.is_empty(), "{caller:?} {backend:?} {declared}");
            match (caller, backend) {
                (_, Era::Legacy) => assert!(played.answers()[0]["error"]["code"].is_i64(), "{}", played.message),
                (Era::Modern, Era::Modern) => {
                    assert_eq!(played.message["error"]["code"], -32021, "{}", played.message);
                    assert_eq!(played.message["error"]["data"]["requiredCapabilities"], required);
                }
                (Era::Legacy, Era::Modern) => assert_eq!(played.message["error"]["code"], -32603, "{}", played.message),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_question_that_is_taken_back_during_a_call_is_taken_back_from_the_client() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(EVERYTHING).connect().await?;
    client.start(&asking(&[FORM, ROOTS], r#","withdraw":true"#)).await?;
    let mut buffer = Vec::new();
    let mut next = async || anyhow::Ok(client.conn.event(&mut buffer).await?.context("the stream ended")?.json());
    let asked = [next().await?, next().await?];
    fixture.until("it has asked", |fixture| fixture.started() == 1).await?;
    fixture.release(1);
    for question in &asked {
        let taken_back = next().await?;
        assert_eq!(taken_back["method"], "notifications/cancelled", "{taken_back}");
        assert_eq!(taken_back["params"]["requestId"], question["id"]);
    }
    assert_eq!(next().await?["result"]["structuredContent"], json!({"answers": []}));
    Ok(())
}

#[tokio::test]
async fn a_modern_server_is_asked_again_without_a_state_where_it_gave_none_and_not_for_ever() -> Result<()> {
    for caller in Era::BOTH {
        let (_fixture, vmcp) = scene(Era::Modern, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        let played = play(&mut client, &asking(&[FORM], r#","stateless":true"#), 1, async |question| fitting(question)).await?;
        assert_eq!(played.answers().as_array().map(Vec::len), Some(1), "{}", played.message);
    }
    let (_fixture, vmcp) = scene(Era::Modern, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(EVERYTHING).connect().await?;
    let played = play(&mut client, &asking(&[ROOTS], r#","rounds":11"#), 1, async |question| fitting(question)).await?;
    let message = played.message["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("more than 10 times"), "{}", played.message);
    let waiting = play(&mut client, &asking(&[], r#","rounds":2"#), 1, async |question| fitting(question)).await?;
    assert_eq!(waiting.answers(), &json!([]), "a server that only wants to be asked again is: {}", waiting.message);
    Ok(())
}

#[tokio::test]
async fn a_tool_that_changes_while_its_caller_is_asked_is_listed_anew_and_given_the_answers_again() -> Result<()> {
    for caller in Era::BOTH {
        let (fixture, vmcp) = scene(Era::Modern, json!({}), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        client.tools().await?;
        let listed = fixture.requests_of("tools/list").len();
        let played = play(&mut client, &asking(&[FORM], r#","changed":true"#), 1, async |question| fitting(question)).await?;
        assert_eq!(played.answers().as_array().map(Vec::len), Some(1), "{caller:?}: {}", played.message);
        assert_eq!((fixture.calls().len(), played.asked.len()), (3, 1), "{caller:?}: its client is not asked again");
        assert!(fixture.requests_of("tools/list").len() > listed, "{caller:?}");
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn answers_may_come_in_one_batch_where_the_clients_revision_has_them() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        let client = vmcp.client_of(Era::Legacy).revision("2025-03-26").capabilities(EVERYTHING).connect().await?;
        let (mut call, mut beside) = (client.sibling().await?, client.sibling().await?);
        call.start(&asking(&[SAMPLING, ROOTS], "")).await?;
        let (mut buffer, mut answers) = (Vec::new(), Vec::new());
        for result in [r#"{"model":"m"}"#, r#"{"roots":[]}"#] {
            let question = call.conn.event(&mut buffer).await?.context("no question")?.json();
            answers.push(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, question["id"]));
        }
        answers.push(r#"{"jsonrpc":"2.0","id":12345,"result":{}}"#.to_owned());
        let mut batch = beside.caller.answer(&json!(1), r#""result":{}"#);
        batch.body = format!("[{}]", answers.join(",")).into_bytes();
        assert_eq!(beside.conn.exchange(&batch).await?.status(), 202);
        let message = call.conn.event(&mut buffer).await?.context("no result")?.json();
        let answers = &message["result"]["structuredContent"]["answers"];
        assert_eq!(*answers, json!([{ "result": { "model": "m" } }, { "result": { "roots": [] } }]), "{backend:?}: {message}");
        assert_eq!(fixture.violations(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn a_stray_answer_harms_nothing() -> Result<()> {
    let (fixture, vmcp) = scene(Era::Legacy, json!({}), json!({})).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(EVERYTHING).connect().await?;
    let stray = client.caller.answer(&json!(12345), r#""result":{"action":"accept"}"#);
    assert_eq!(client.conn.exchange(&stray).await?.status(), 202);
    let played = play(&mut client, &asking(&[FORM], ""), 1, async |question| fitting(question)).await?;
    assert_eq!(played.answers().as_array().map(Vec::len), Some(1), "{}", played.message);
    client.send(&Rpc::tool("b_echo", "{}")).await?.result()?;
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}
