//! Lists: what is denied is in none of them, and the rest is as it was.

use super::*;

const METHODS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

#[tokio::test]
async fn each_list_has_what_its_caller_may_use_and_nothing_else() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::new(backend).await?;
        let mut bob = scene.client(caller, "bob").await?;
        let mut ann = scene.client(caller, "ann").await?;
        for (method, of_bob) in
            METHODS.into_iter().zip([vec!["a_echo", "a_job"], vec!["a_greet"], vec!["fixture://a/text"], vec!["fixture://a/item/{id}"]])
        {
            let has_job = method == "tools/list" && listed(&mut ann, method).await?.contains(&"a_job".to_owned());
            let expected: Vec<&str> = of_bob.into_iter().filter(|name| *name != "a_job" || has_job).collect();
            assert_eq!(listed(&mut bob, method).await?, expected, "{method} {caller:?} {backend:?}");
            assert!(listed(&mut ann, method).await?.len() > expected.len(), "{method}");
        }
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_listed_is_listed_byte_for_byte() -> Result<()> {
    let scene = Scene::new(Era::Legacy).await?;
    let mut bob = scene.client(Era::Legacy, "bob").await?;
    let reply = bob.send(&Rpc::list("tools/list", None)).await?;
    let text = reply.raw_result()?;
    assert!(text.starts_with(r#"{"tools":[{"name":"a_echo","title":"Echo""#), "{text}");
    assert!(text.contains(r#""x-vendor":{"z":[1,2.50,1E3],"a":12345678901234567890}"#), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_list_that_is_not_everybodys_is_never_public() -> Result<()> {
    let mut a = Spec::modern("a");
    a.ttl_ms = 60_000;
    let mut b = Spec::modern("b");
    b.ttl_ms = 60_000;
    let scene = Scene::with(a, b, POLICIES, json!({})).await?;
    for user in ["ann", "bob"] {
        let mut client = scene.client(Era::Modern, user).await?;
        for method in METHODS {
            assert_eq!(client.send(&Rpc::list(method, None)).await?.result()?["cacheScope"], "private", "{user} {method}");
        }
        assert_eq!(client.send(&Rpc::new("server/discover", "")).await?.result()?["cacheScope"], "private");
    }
    Ok(())
}

#[tokio::test]
async fn the_words_of_a_backend_are_for_those_who_may_use_something_of_it() -> Result<()> {
    let (a, b) = (Spec::legacy("a").instructions("Words of A"), Spec::legacy("b").instructions("Words of B"));
    let scene = Scene::with(a, b, POLICIES, json!({})).await?;
    scene.client(Era::Legacy, "ann").await?.tools().await?;
    for (user, sees_a, sees_b) in [("ann", true, true), ("bob", true, false), ("eve", false, false)] {
        for era in [Era::Legacy, Era::Modern] {
            let mut client = scene.client(era, user).await?;
            let told = match era {
                Era::Legacy => client.opened.clone(),
                Era::Modern => client.send(&Rpc::new("server/discover", "")).await?.result()?,
            };
            let text = told["instructions"].as_str().unwrap_or_default();
            assert_eq!((text.contains("Words of A"), text.contains("Words of B")), (sees_a, sees_b), "{user} {era:?}: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn annotations_decide_in_lists_and_calls_alike() -> Result<()> {
    let policies = "permit(principal, action, resource) when { resource has readOnlyHint && resource.readOnlyHint };";
    for era in [Era::Legacy, Era::Modern] {
        let scene = Scene::with(Spec::new("a", era), Spec::new("b", era), policies, json!({})).await?;
        scene.a.change(|items| {
            items.tools.push(r#"{"name":"tool_read","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#.to_owned());
        });
        let mut bob = scene.client(era, "bob").await?;
        assert_eq!(listed(&mut bob, "tools/list").await?, ["a_tool_read"]);
        bob.call("a_tool_read", "{}").await?.result()?;
        alike(&mut bob, |name| Rpc::tool(name, "{}"), "a_echo", "a_ecco").await?;
    }
    Ok(())
}
