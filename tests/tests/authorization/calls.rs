//! Calls: what is denied looks like what does not exist, to the byte, and reaches no backend.

use super::*;

const ARGUMENT: &str = r#""argument":{"name":"who","value":"a"}"#;

fn complete(reference: &Value) -> Rpc {
    Rpc::new("completion/complete", format!(r#""ref":{reference},{ARGUMENT}"#))
}

fn of_prompt(name: &str) -> Rpc {
    complete(&json!({ "type": "ref/prompt", "name": name }))
}

fn of_resource(uri: &str) -> Rpc {
    complete(&json!({ "type": "ref/resource", "uri": uri }))
}

#[tokio::test]
async fn what_a_caller_may_do_is_done() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::new(backend).await?;
        let mut bob = scene.client(caller, "bob").await?;
        assert_eq!(bob.call("a_echo", r#"{"n":1e400}"#).await?.status(), 200);
        bob.send(&Rpc::prompt("a_greet", r#"{"who":"x"}"#)).await?.result()?;
        bob.send(&Rpc::read("fixture://a/text")).await?.result()?;
        bob.send(&Rpc::read("fixture://a/item/7")).await?.result()?;
        bob.send(&of_prompt("a_greet")).await?.result()?;
        bob.send(&of_resource("fixture://a/item/{id}")).await?.result()?;
        let mut ann = scene.client(caller, "ann").await?;
        ann.call("b_echo", "{}").await?.result()?;
        ann.send(&Rpc::read("fixture://b/blob")).await?.result()?;
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_caller_may_not_do_looks_like_what_does_not_exist() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::new(backend).await?;
        let mut bob = scene.client(caller, "bob").await?;
        // Before anything was listed, and after.
        for _ in 0..2 {
            alike(&mut bob, |name| Rpc::tool(name, "{}"), "a_big", "a_bug").await?;
            alike(&mut bob, |name| Rpc::tool(name, r#"{"bytes":"x"}"#), "b_echo", "b_ecco").await?;
            alike(&mut bob, |name| Rpc::prompt(name, "{}"), "b_greet", "b_great").await?;
            alike(&mut bob, Rpc::read, "fixture://a/blob", "fixture://c/blob").await?;
            alike(&mut bob, Rpc::read, "fixture://b/item/1", "fixture://c/item/1").await?;
            alike(&mut bob, of_prompt, "b_greet", "b_great").await?;
            alike(&mut bob, of_resource, "fixture://b/item/{id}", "fixture://c/item/{id}").await?;
            alike(&mut bob, of_resource, "fixture://a/blob", "fixture://c/blob").await?;
            for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
                bob.list(method).await?;
            }
        }
        for fixture in [&scene.a, &scene.b] {
            for method in ["tools/call", "prompts/get", "resources/read", "completion/complete"] {
                assert!(fixture.requests_of(method).is_empty(), "{method} reached {caller:?} {backend:?}");
            }
        }
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn somebody_whom_no_policy_names_can_do_nothing() -> Result<()> {
    let scene = Scene::new(Era::Legacy).await?;
    for era in [Era::Legacy, Era::Modern] {
        let mut eve = scene.client(era, "eve").await?;
        alike(&mut eve, |name| Rpc::tool(name, "{}"), "a_echo", "a_ecco").await?;
        assert!(listed(&mut eve, "tools/list").await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_header_that_repeats_an_argument_tells_nobody_that_a_tool_exists() -> Result<()> {
    let scene = Scene::new(Era::Modern).await?;
    let mut bob = scene.client(Era::Modern, "bob").await?;
    // Somebody who may call it is told of a mismatch here.
    let wrong = |name: &str| Rpc::tool(name, r#"{"region":"x"}"#).param("region", "y");
    let mut ann = scene.client(Era::Modern, "ann").await?;
    assert_eq!(ann.send(&wrong("a_regional")).await?.error()?.code, -32020);
    alike(&mut bob, wrong, "a_regional", "a_regionel").await
}

#[tokio::test]
async fn arguments_decide_where_policies_read_them_and_are_those_that_are_sent() -> Result<()> {
    let policies = r#"
        permit(principal == Client::"bob", action, resource) when { context.arg_env == "dev" };
        forbid(principal, action, resource) when { resource.arg_count > 5 };
        permit(principal == Client::"ann", action, resource);"#;
    for era in [Era::Legacy, Era::Modern] {
        let scene = Scene::with(Spec::new("a", era), Spec::new("b", era), policies, json!({})).await?;
        let mut bob = scene.client(era, "bob").await?;
        assert!(listed(&mut bob, "tools/list").await?.contains(&"a_echo".to_owned()), "what can be called with some arguments is shown");
        let sent = r#"{ "env" : "dev" ,"count":5,"x":1e400}"#;
        let reply = bob.call("a_echo", sent).await?;
        assert!(reply.raw_result()?.contains(sent), "{}", reply.message);
        for arguments in [
            r#"{"env":"prod","count":1}"#,
            r#"{"count":1}"#,
            r#"{"env":"dev","count":6}"#,
            r#"{"env":"dev"}"#,
            r#"{"env":["dev"],"count":1}"#,
        ] {
            alike(&mut bob, |name| Rpc::tool(name, arguments), "a_echo", "a_ecco").await?;
        }
        // A key that stands twice would be one thing here and may be another there.
        let twice = r#"{"env":"dev","count":1,"env":"prod"}"#;
        assert_eq!(bob.call("a_echo", twice).await?.error()?.code, -32602);
        let escaped = "{\"env\":\"dev\",\"count\":1,\"\\u0065nv\":\"prod\"}";
        assert_eq!(bob.call("a_echo", escaped).await?.error()?.code, -32602);
        // Half of a character is read by some servers, and by others not.
        let half = r#"{"env":"dev\ud800","count":1}"#;
        assert_eq!(bob.call("a_echo", half).await?.error()?.code, -32602);
        let mut eve = scene.client(era, "eve").await?;
        alike(&mut eve, |name| Rpc::tool(name, twice), "a_echo", "a_ecco").await?;
        assert_eq!(scene.a.calls().len(), 1, "no other call reached the backend");
    }
    Ok(())
}

#[tokio::test]
async fn a_number_is_what_it_is_however_its_caller_writes_it() -> Result<()> {
    let policies = r#"
        permit(principal, action, resource);
        forbid(principal, action, resource) when { context has arg_account && context.arg_account == 100 };
        forbid(principal, action, resource) when { context has arg_big && context.arg_big == 9007199254740991 };
        forbid(principal, action, resource) when { resource has arg_amount && resource.arg_amount.greaterThan(decimal("9.5")) };"#;
    let scene = Scene::with(Spec::new("a", Era::Legacy), Spec::new("b", Era::Legacy), policies, json!({})).await?;
    let mut bob = scene.client(Era::Legacy, "bob").await?;
    for number in ["100", "100.0", "100.000", "1e2", "1E+2", "1000e-1", "0.1e3"] {
        alike(&mut bob, |name| Rpc::tool(name, &format!(r#"{{"account":{number}}}"#)), "a_echo", "a_ecco").await?;
        alike(&mut bob, |name| Rpc::tool(name, &format!(r#"{{"amount":{number}}}"#)), "a_echo", "a_ecco").await?;
    }
    for number in ["9007199254740991", "9007199254740991.0", "9007199254740991.0000", "900719925474099.1e1", "9007199254740991e0"] {
        alike(&mut bob, |name| Rpc::tool(name, &format!(r#"{{"big":{number}}}"#)), "a_echo", "a_ecco").await?;
    }
    // What cannot be compared, and what servers read as different numbers, is nobody's to send where a policy compares it.
    for number in ["100.00001", "1e30", "1e400", "-1e400", "9007199254740993", "9007199254740992.0"] {
        alike(&mut bob, |name| Rpc::tool(name, &format!(r#"{{"account":{number}}}"#)), "a_echo", "a_ecco").await?;
        bob.call("a_echo", &format!(r#"{{"other":{number}}}"#)).await?.raw_result()?;
    }
    for arguments in [r#"{"account":101.0,"amount":9}"#, r#"{"amount":9.0}"#, r#"{"amount":95e-1}"#, r#"{"account":100.5}"#] {
        assert!(bob.call("a_echo", arguments).await?.raw_result()?.contains(arguments), "{arguments}");
    }
    assert_eq!(scene.a.calls().len(), 10);
    Ok(())
}

#[tokio::test]
async fn decisions_follow_the_token_of_each_request() -> Result<()> {
    let policies = r#"permit(principal, action, resource) when { context.claim_level >= 3 };"#;
    for era in [Era::Legacy, Era::Modern] {
        let scene = Scene::with(Spec::new("a", era), Spec::new("b", era), policies, json!({})).await?;
        let mut ann = scene.user(era, "ann").header("x-claims", r#"{"level":3}"#).connect().await?;
        ann.call("a_echo", "{}").await?.result()?;
        assert!(!listed(&mut ann, "tools/list").await?.is_empty());
        // The same principal in the same session, with another token.
        ann.caller.set("x-claims", r#"{"level":2}"#);
        alike(&mut ann, |name| Rpc::tool(name, "{}"), "a_echo", "a_ecco").await?;
        assert!(listed(&mut ann, "tools/list").await?.is_empty());
        ann.caller.set("x-claims", r#"{"level":4}"#);
        ann.call("a_echo", "{}").await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn every_message_of_a_batch_is_decided_for_itself() -> Result<()> {
    let scene = Scene::new(Era::Legacy).await?;
    let mut bob = scene.user(Era::Legacy, "bob").revision("2025-03-26").connect().await?;
    let message = |id: u32, name: &str| Rpc::tool(name, "{}").text(Era::Legacy, Some(&id.to_string()));
    let batch = format!("[{},{},{}]", message(1001, "a_big"), message(1002, "a_echo"), message(1003, "a_bug"));
    let mut request = bob.caller.request(&Rpc::new("ping", ""), "1");
    request.body = batch.into_bytes();
    let response = bob.conn.exchange(&request).await?;
    let answers: Vec<Value> = serde_json::from_slice(&response.body)?;
    assert_eq!(answers[0]["error"]["message"], "Unknown tool: a_big");
    assert!(answers[1]["result"].is_object(), "{answers:?}");
    assert_eq!(answers[2]["error"]["message"], "Unknown tool: a_bug");
    assert_eq!(scene.a.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_uri_that_goes_up_on_its_way_is_nobodys() -> Result<()> {
    let scene = Scene::new(Era::Legacy).await?;
    let mut bob = scene.client(Era::Modern, "bob").await?;
    for uri in ["fixture://a/item/../blob", "fixture://a/item/%2e%2E/blob", "fixture://a/item/..%2Fblob"] {
        alike(&mut bob, Rpc::read, uri, "fixture://c/x").await?;
    }
    assert!(scene.a.requests_of("resources/read").is_empty());
    Ok(())
}
