//! Calls that go on: tasks, and calls that wait for their callers' answers.

use super::*;
use anyhow::Context;

const TASKS: &str = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

fn about(method: &'static str) -> impl Fn(&str) -> Rpc {
    move |id| Rpc { name: Some(id.to_owned()), ..Rpc::new(method, format!(r#""taskId":{}"#, json!(id))) }
}

#[tokio::test]
async fn a_task_is_there_for_as_long_as_its_tool_is() -> Result<()> {
    let scene = Scene::with(Spec::modern("a").tasks(), Spec::modern("b"), POLICIES, json!({})).await?;
    let mut bob = scene.user(Era::Modern, "bob").capabilities(TASKS).connect().await?;
    let created = bob.call("a_job", "{}").await?.result()?;
    let id = created["taskId"].as_str().context("no id")?.to_owned();
    bob.send(&about("tasks/get")(&id)).await?.result()?;
    let (first, _) = bob.subscribe(&format!(r#""taskIds":{}"#, json!([id]))).await?;
    assert_eq!(first["params"]["notifications"], json!({ "taskIds": [id] }));
    // The same principal with a token that does not reach the tool.
    bob.caller.set("x-claims", r#"{"jobs":false}"#);
    scene.a.forget_requests();
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        alike(&mut bob, about(method), &id, "nothing").await?;
    }
    let (first, _) = bob.subscribe(&format!(r#""taskIds":{}"#, json!([id]))).await?;
    assert_eq!(first["params"]["notifications"], json!({}));
    assert!(scene.a.requests_of("tasks/get").is_empty() && scene.a.requests_of("tasks/cancel").is_empty());
    bob.caller.set("x-claims", r#"{"jobs":true}"#);
    bob.send(&about("tasks/get")(&id)).await?.result()?;
    Ok(())
}

#[tokio::test]
async fn where_arguments_decide_a_task_is_there_for_credentials_that_allow_what_the_one_did_that_began_it() -> Result<()> {
    let by_arguments =
        r#"permit(principal, action, resource) when { !(context has arg_level) || context.arg_level <= context.claim_level };"#;
    for (policies, decides) in [(by_arguments, true), ("permit(principal, action, resource);", false)] {
        let scene = Scene::with(Spec::modern("a").tasks(), Spec::modern("b"), policies, json!({})).await?;
        let strong = r#"{"level":3,"jti":"1"}"#;
        let user = scene.user(Era::Modern, "ann").capabilities(TASKS).header("x-claims", strong).header("x-standing", "strong");
        let mut ann = user.connect().await?;
        let created = ann.call("a_job", r#"{"level":3}"#).await?.result()?;
        let id = created["taskId"].as_str().context("no id")?.to_owned();
        // A renewed token that allows the same.
        ann.caller.set("x-claims", r#"{"level":3,"jti":"2"}"#);
        let told = ann.send(&about("tasks/get")(&id)).await?.result()?;
        assert_eq!(told["taskId"], id.as_str(), "it is known by one id");
        // The same principal with a token that does not reach what was asked for.
        ann.caller.set("x-claims", r#"{"level":1}"#);
        ann.caller.set("x-standing", "weak");
        let (first, _) = ann.subscribe(&format!(r#""taskIds":{}"#, json!([id]))).await?;
        let heard = if decides { json!({}) } else { json!({ "taskIds": [id] }) };
        assert_eq!(first["params"]["notifications"], heard, "{policies}");
        scene.a.forget_requests();
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            if decides {
                alike(&mut ann, about(method), &id, "nothing").await?;
            } else {
                ann.send(&about("tasks/get")(&id)).await?.result()?;
            }
        }
        assert_eq!(scene.a.requests_of("tasks/get").is_empty(), decides, "{policies}");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_waits_goes_on_only_for_somebody_who_may_still_make_it() -> Result<()> {
    let policies = "permit(principal, action, resource) when { context.claim_level >= 3 };";
    let scene = Scene::with(Spec::legacy("a").interactive(), Spec::legacy("b"), policies, json!({})).await?;
    let mut ann = scene.user(Era::Modern, "ann").header("x-claims", r#"{"level":3}"#).capabilities(TASKS).connect().await?;
    let arguments = r#"{"ask":[{"method":"elicitation/create","params":{"mode":"form","message":"who?","requestedSchema":{"type":"object","properties":{}}}}]}"#;
    let asked = ann.call("a_ask", arguments).await?.result()?;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let key = asked["inputRequests"].as_object().and_then(|asked| asked.keys().next().cloned()).context("nothing asked")?;
    let again = |name: &str| {
        let answers = json!({ key.as_str(): { "action": "accept", "content": {} } });
        Rpc::tool(name, arguments).with(&format!(r#""requestState":{},"inputResponses":{answers}"#, asked["requestState"]))
    };
    ann.caller.set("x-claims", r#"{"level":2}"#);
    alike(&mut ann, again, "a_ask", "a_axe").await?;
    ann.caller.set("x-claims", r#"{"level":3,"newer":true}"#);
    let result = ann.send(&again("a_ask")).await?.result()?;
    assert_eq!(result["resultType"], "complete", "{result}");
    Ok(())
}
