//! Backends that a caller may see nothing of: what they say and ask outside of its calls does not reach it, nor what is said of them.

use super::*;
use anyhow::Context;
use std::time::Duration;
use vmcp_tests::client::{Conn, Old, Request};

const CAPABILITIES: &str = r#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{}}"#;
const MESSAGE: &str = "notifications/message";
const QUESTIONS: [(&str, &str); 3] = [
    ("elicitation/create", r#"{"message":"who?","requestedSchema":{"type":"object","properties":{}}}"#),
    ("sampling/createMessage", r#"{"messages":[],"maxTokens":1}"#),
    ("roots/list", "{}"),
];

fn told(of: &str) -> String {
    format!(r#"{{"level":"emergency","logger":"{of}","data":"x"}}"#)
}

/// A backend says all that one can say outside of calls, and asks all that one can ask. When this returns, the gateway has heard it.
async fn says_everything(backend: &Fixture) -> Result<()> {
    backend.say(MESSAGE, &told("denied"));
    backend.say("notifications/elicitation/complete", r#"{"elicitationId":"1"}"#);
    backend.say("notifications/resources/updated", r#"{"uri":"fixture://a/text"}"#);
    backend.say("notifications/progress", r#"{"progressToken":1,"progress":1}"#);
    backend.say("notifications/vendor", "{}");
    for (method, params) in QUESTIONS {
        let answer = backend.ask(method, params).await?;
        assert!(answer["error"]["code"].is_number(), "nobody can be asked: {answer}");
    }
    Ok(())
}

/// A gateway in front of two legacy servers, which has listed both for everybody.
async fn scene() -> Result<Scene> {
    let (a, b) = (Spec::legacy("a").interactive(), Spec::legacy("b").interactive());
    let scene = Scene::with(a, b, POLICIES, json!({ "ssePath": "/sse" })).await?;
    scene.client(Era::Legacy, "ann").await?.tools().await?;
    Ok(scene)
}

#[tokio::test]
async fn a_client_on_its_stream_hears_nothing_of_a_backend_that_it_may_see_nothing_of() -> Result<()> {
    let scene = scene().await?;
    let mut bob = scene.user(Era::Legacy, "bob").capabilities(CAPABILITIES).connect().await?;
    let mut stream = bob.listen().await?;
    for backend in [&scene.a, &scene.b] {
        backend.until("the gateway listens for the client", |backend| backend.declared_streams() == 1).await?;
    }
    bob.send(&Rpc::new("resources/subscribe", r#""uri":"fixture://a/text""#)).await?.result()?;
    says_everything(&scene.b).await?;
    scene.a.say(MESSAGE, &told("allowed"));
    let first = stream.message().await?;
    assert_eq!(first["params"]["logger"], "allowed", "{first}");
    // What he may use something of is heard as before.
    let asked = scene.a.pose("roots/list", "{}")?;
    let question = stream.message().await?;
    assert_eq!(question["method"], "roots/list", "{asked} {question}");
    Ok(())
}

#[tokio::test]
async fn somebody_who_may_see_it_hears_it() -> Result<()> {
    let scene = scene().await?;
    let ann = scene.user(Era::Legacy, "ann").capabilities(CAPABILITIES).connect().await?;
    let mut stream = ann.listen().await?;
    scene.b.until("the gateway listens for the client", |backend| backend.declared_streams() == 1).await?;
    // She has not listed anything: the gateway does it to know whom she may hear.
    let heard = loop {
        scene.b.say(MESSAGE, &told("b"));
        tokio::select! {
            heard = stream.message() => break heard?,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    };
    assert_eq!(heard["params"]["logger"], "b");
    for (method, params) in QUESTIONS {
        scene.b.pose(method, params)?;
        let mut asked = stream.message().await?;
        while asked["method"] == MESSAGE {
            asked = stream.message().await?;
        }
        assert_eq!(asked["method"], method);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_at_a_pipe_hears_nothing_of_it_either() -> Result<()> {
    let scene = scene().await?;
    let mut bob = Old::open(scene.addr, "/sse", &[("x-user", "bob")]).await?;
    bob.initialize("2025-06-18", serde_json::from_str(CAPABILITIES)?).await?;
    bob.request(1, "tools/list", json!({})).await?;
    assert_eq!(bob.answer(1).await?["result"]["tools"].as_array().map(Vec::len), Some(1));
    for backend in [&scene.a, &scene.b] {
        backend.until("the gateway listens for the client", |backend| backend.declared_streams() == 1).await?;
    }
    says_everything(&scene.b).await?;
    scene.a.say(MESSAGE, &told("allowed"));
    let first = bob.event().await?.context("the stream ended")?.json();
    assert_eq!(first["params"]["logger"], "allowed", "{first}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_still_there_after_a_reload_is_not_taken_for_the_one_in_its_place() -> Result<()> {
    let (a, b) = (Fixture::start(Spec::legacy("a").interactive()).await?, Fixture::start(Spec::legacy("b").interactive()).await?);
    let everything = "permit(principal, action, resource);";
    let gateway = Gateway::builder(config(&[&b, &a], everything, json!({}))?).authenticator(NamedFactory).build()?;
    let (addr, _) = serve(&gateway).await?;
    let scene = Scene { a, b, gateway, addr };
    let mut bob = scene.user(Era::Legacy, "bob").capabilities(CAPABILITIES).connect().await?;
    bob.tools().await?;
    let mut stream = bob.listen().await?;
    scene.b.until("the gateway listens for Bob", |b| b.declared_streams() == 1).await?;
    let mut calling = bob.sibling().await?;
    calling.begin(&Rpc::tool("b_slow", "{}")).await?;
    scene.b.until("the call that B's session is kept for", |b| b.started() == 1).await?;

    scene.gateway.reload(config(&[&scene.a], POLICIES, json!({}))?)?;
    while stream.next().await.context("the stream's end")?.is_some() {}
    scene.a.until("the old session's stream has ended", |a| a.declared_streams() == 0).await?;
    assert_eq!(bob.tools().await?, ["a_echo"]);
    let mut stream = bob.listen().await?;
    scene.a.until("the gateway listens for Bob", |a| a.declared_streams() == 1).await?;
    scene.b.say(MESSAGE, &told("denied"));
    scene.b.say("notifications/elicitation/complete", r#"{"elicitationId":"1"}"#);
    scene.b.say("notifications/resources/updated", r#"{"uri":"fixture://a/text"}"#);
    // Answered by the gateway itself, so it has heard what came ahead of this.
    scene.b.ask("ping", "{}").await?;
    scene.a.say(MESSAGE, &told("allowed"));
    let first = stream.message().await?;
    assert_eq!(first["params"]["logger"], "allowed", "{first}");
    scene.b.release(1);
    calling.finish().await?.result()?;
    Ok(())
}

#[tokio::test]
async fn the_stream_of_a_call_from_before_a_reload_is_not_for_a_server_that_the_new_policies_hide() -> Result<()> {
    let (a, b) = (Fixture::start(Spec::legacy("a").interactive()).await?, Fixture::start(Spec::legacy("b").interactive()).await?);
    let backends = [a.entry(json!({})), b.entry(json!({}))];
    let open = serde_json::from_value(json!({ "backends": backends, "incomingAuth": { "type": "named" } }))?;
    let gateway = Gateway::builder(open).authenticator(NamedFactory).build()?;
    let (addr, _) = serve(&gateway).await?;
    let scene = Scene { a, b, gateway, addr };
    let mut bob = scene.user(Era::Legacy, "bob").capabilities(CAPABILITIES).connect().await?;
    let (mut call, mut buffer) = (bob.sibling().await?, Vec::new());
    call.start(&Rpc::tool("a_progress", r#"{"steps":2,"hold":true}"#).meta(r#""progressToken":1"#)).await?;
    let step = call.conn.event(&mut buffer).await?.context("no step")?.json();
    assert_eq!(step["params"]["progress"], 1, "{step}");

    scene.gateway.reload(config(&[&scene.a, &scene.b], POLICIES, json!({}))?)?;
    assert_eq!(bob.tools().await?, ["a_echo"]);
    let _stream = bob.listen().await?;
    scene.b.until("the gateway listens for Bob", |b| b.declared_streams() == 1).await?;
    says_everything(&scene.b).await?;
    scene.a.release(1);
    let step = call.conn.event(&mut buffer).await?.context("no step")?.json();
    assert_eq!(step["params"]["progress"], 2, "nothing comes between: {step}");
    let last = call.conn.event(&mut buffer).await?.context("no answer")?.json();
    assert_eq!(last["result"]["content"][0]["text"], "progressed", "{last}");
    Ok(())
}

#[tokio::test]
async fn a_token_that_may_see_it_is_heard_with_when_the_next_stream_opens() -> Result<()> {
    let scene = Scene::with(
        Spec::legacy("a").interactive(),
        Spec::legacy("b").interactive(),
        r#"permit(principal, action, resource in Backend::"a"); permit(principal, action, resource) when { context has claim_all };"#,
        json!({}),
    )
    .await?;
    scene.client(Era::Legacy, "ann").await?.tools().await?;
    let mut ann = scene.user(Era::Legacy, "ann").capabilities(CAPABILITIES).connect().await?;
    ann.tools().await?;
    let mut stream = ann.listen().await?;
    for backend in [&scene.a, &scene.b] {
        backend.until("the gateway listens for the client", |backend| backend.declared_streams() == 1).await?;
    }
    says_everything(&scene.b).await?;
    scene.a.say(MESSAGE, &told("a"));
    assert_eq!(stream.message().await?["params"]["logger"], "a");
    ann.caller.set("x-claims", r#"{"all":1}"#);
    let mut stream = ann.listen().await?;
    assert_eq!(stream.message().await?["method"], "notifications/tools/list_changed", "it shows more than she saw");
    scene.b.say(MESSAGE, &told("b"));
    assert_eq!(stream.message().await?["params"]["logger"], "b");
    Ok(())
}

/// A gateway whose backends are sent a header of the caller's, so that each caller has lists of its own.
async fn own_lists(b: Spec) -> Result<Scene> {
    let (a, b) = (Fixture::start(Spec::legacy("a").interactive()).await?, Fixture::start(b).await?);
    let more = json!({ "passthroughHeaders": ["x-tenant"] });
    let gateway = Gateway::builder(config(&[&a, &b], POLICIES, more)?).authenticator(NamedFactory).build()?;
    let (addr, _) = serve(&gateway).await?;
    Ok(Scene { a, b, gateway, addr })
}

#[tokio::test]
async fn a_change_of_lists_that_are_a_callers_own_is_not_told_to_who_sees_nothing_of_the_backend() -> Result<()> {
    let scene = own_lists(Spec::legacy("b").interactive()).await?;
    let user = |name: &str| scene.user(Era::Legacy, name).header("x-tenant", "t").capabilities(CAPABILITIES);
    let mut ann = user("ann").connect().await?;
    ann.tools().await?;
    let mut of_ann = ann.listen().await?;
    scene.b.until("the gateway listens for Ann", |b| b.declared_streams() == 1).await?;
    scene.b.announce("tools");
    assert_eq!(of_ann.message().await?["method"], "notifications/tools/list_changed");
    drop((ann, of_ann));
    let scene = own_lists(Spec::legacy("b").interactive()).await?;
    let mut bob = scene.user(Era::Legacy, "bob").header("x-tenant", "t").capabilities(CAPABILITIES).connect().await?;
    assert_eq!(bob.tools().await?, ["a_echo"]);
    let mut of_bob = bob.listen().await?;
    for backend in [&scene.a, &scene.b] {
        backend.until("the gateway listens for Bob", |backend| backend.declared_streams() == 1).await?;
    }
    scene.b.announce("tools");
    says_everything(&scene.b).await?;
    scene.a.announce("tools");
    scene.a.say(MESSAGE, &told("allowed"));
    let heard = [of_bob.message().await?["method"].clone(), of_bob.message().await?["method"].clone()];
    assert_eq!(heard, ["notifications/tools/list_changed", MESSAGE], "of A he hears once");
    Ok(())
}

#[tokio::test]
async fn extensions_are_those_of_what_a_caller_may_see() -> Result<()> {
    let scene = Scene::with(Spec::modern("a"), Spec::modern("b").tasks(), POLICIES, json!({})).await?;
    for user in ["ann", "bob", "eve"] {
        let mut client = scene.client(Era::Modern, user).await?;
        for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
            client.list(method).await?;
        }
        let told = client.send(&Rpc::new("server/discover", "")).await?.result()?;
        let has_tasks = told["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object();
        assert_eq!(has_tasks, user == "ann", "{user}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_status_names_the_backends_that_a_caller_may_see_something_of() -> Result<()> {
    let more = json!({ "endpoints": [{ "path": "/team", "name": "team", "backends": ["b"] }] });
    for era in Era::BOTH {
        let scene = Scene::with(Spec::new("a", era), Spec::new("b", era), POLICIES, more.clone()).await?;
        for path in ["/mcp", "/team"] {
            scene.user(era, "ann").path(path).connect().await?.tools().await?;
        }
        for (user, backends, endpoints) in [("ann", vec!["a", "b"], 1), ("bob", vec!["a"], 0), ("eve", vec![], 0)] {
            let response = Conn::open(scene.addr).await?.exchange(&Request::get("/status").header("x-user", user)).await?;
            let status = response.json()?;
            let names = |of: &Value| {
                of.as_array().into_iter().flatten().filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect::<Vec<_>>()
            };
            assert_eq!(names(&status["backends"]), backends, "{user}: {status}");
            assert_eq!(status["endpoints"].as_array().map(Vec::len), Some(endpoints), "{user}: {status}");
            if user == "bob" {
                assert!(status["backends"][0]["tools"].as_u64().is_some_and(|tools| (1..=2).contains(&tools)), "{status}");
                assert!(!response.text().contains("\"b\"") && !response.text().contains(&scene.b.addr().port().to_string()), "{status}");
            }
        }
        let all = scene.gateway.status();
        assert_eq!(all["backends"].as_array().map(Vec::len), Some(2), "who holds the gateway sees all of it");
    }
    Ok(())
}
