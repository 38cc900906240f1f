//! Changes of lists: those hear of them whose own view changed.

use super::*;

/// A tool of this name, as text.
fn tool(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)
}

#[tokio::test]
async fn only_those_hear_of_a_change_who_see_it() -> Result<()> {
    for era in [Era::Legacy, Era::Modern] {
        let policies = r#"permit(principal == Client::"ann", action, resource);
            permit(principal == Client::"bob", action, resource) when { resource.name like "a_mine*" };"#;
        let scene = Scene::with(Spec::new("a", era), Spec::new("b", era), policies, json!({})).await?;
        let (mut ann, mut bob) = (scene.client(era, "ann").await?, scene.client(era, "bob").await?);
        ann.tools().await?;
        assert!(bob.tools().await?.is_empty());
        let (mut of_ann, mut of_bob) = (ann.listen().await?, bob.listen().await?);
        scene.a.change(|items| items.tools.push(tool("tool_x")));
        scene.a.announce("tools");
        assert_eq!(of_ann.message().await?["method"], "notifications/tools/list_changed");
        assert!(bob.tools().await?.is_empty(), "the change is in the lists of everybody now, and not in Bob's");
        // What Bob hears first is of the change after that.
        scene.a.change(|items| items.tools.push(tool("mine")));
        scene.a.announce("tools");
        assert_eq!(of_bob.message().await?["method"], "notifications/tools/list_changed");
        assert_eq!(bob.tools().await?, ["a_mine"]);
        scene.a.change(|items| items.prompts.clear());
        scene.a.announce("prompts");
        ann.list("prompts/list").await?;
        scene.a.change(|items| items.tools.push(tool("mine_too")));
        scene.a.announce("tools");
        assert_eq!(of_bob.message().await?["method"], "notifications/tools/list_changed");
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn other_policies_hold_from_the_reload_on() -> Result<()> {
    for era in [Era::Legacy, Era::Modern] {
        let scene = Scene::new(era).await?;
        let mut bob = scene.client(era, "bob").await?;
        bob.call("a_echo", "{}").await?.result()?;
        let policies = r#"permit(principal == Client::"bob", action, resource == Tool::"b_echo");"#;
        scene.gateway.reload(config(&[&scene.a, &scene.b], policies, json!({}))?)?;
        alike(&mut bob, |name| Rpc::tool(name, "{}"), "a_echo", "a_ecco").await?;
        bob.call("b_echo", "{}").await?.result()?;
        assert_eq!(bob.tools().await?, ["b_echo"]);
        // What cannot be read changes nothing.
        assert!(scene.gateway.reload(config(&[&scene.a, &scene.b], "permit(all);", json!({}))?).is_err());
        bob.call("b_echo", "{}").await?.result()?;
        scene.gateway.shutdown().await;
    }
    Ok(())
}
