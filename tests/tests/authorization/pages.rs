//! Pages that have another URI at their backend's own endpoint: of a change of one is told whoever may read it, there too.

use super::*;
use anyhow::Context;

const UPDATED: &str = "notifications/resources/updated";
const MESSAGE: &str = "notifications/message";
/// The page as each backend has it, and as policies know that of `b`.
const PAGE: &str = "ui://show";
const PART: &str = "ui://show#top";
/// A page that `b` alone has, and that is a part of the other by its name.
const BELOW: &str = "ui://show/below";
const KNOWN: &str = "ui://b/show";
const CAPABILITIES: &str = r#"{"roots":{}}"#;
const ALL: &str = r#"{"all":1}"#;

/// A gateway in front of two servers that both have the page. It has listed them for such callers.
async fn scene(callers: Era, backends: Era, policies: &str) -> Result<Scene> {
    let (a, b) = (Spec::new("a", backends).interactive(), Spec::new("b", backends).interactive());
    let (a, b) = (Fixture::start(a).await?, Fixture::start(b).await?);
    for fixture in [&a, &b] {
        fixture.change(|items| items.resources.push(json!({ "uri": PAGE, "name": "page" }).to_string()));
    }
    b.change(|items| items.resources.push(json!({ "uri": BELOW, "name": "below" }).to_string()));
    let gateway = Gateway::builder(config(&[&a, &b], policies, json!({}))?).authenticator(NamedFactory).build()?;
    let (addr, _) = serve(&gateway).await?;
    let scene = Scene { a, b, gateway, addr };
    let mut client = scene.user(callers, "ann").header("x-claims", ALL).capabilities(CAPABILITIES).connect().await?;
    assert!(listed(&mut client, "resources/list").await?.contains(&KNOWN.to_owned()), "it is known by another URI among all");
    Ok(scene)
}

/// Ann may read everything, and Bob that page of all pages, with its parts.
fn bob_reads_the_page() -> String {
    format!(
        r#"permit(principal == Client::"ann", action, resource);
        permit(principal == Client::"bob", action == Action::"read_resource", resource) when {{ resource.uri like "{KNOWN}*" }};
        permit(principal == Client::"bob", action == Action::"call_tool", resource == Tool::"b_log");"#
    )
}

fn subscribe() -> Rpc {
    Rpc::new("resources/subscribe", format!(r#""uri":"{PAGE}""#))
}

/// What a call's stream brings, during which its backend tells of changes of the page and of its part: all up to the answer.
async fn told_during_a_call(client: &Client) -> Result<Vec<Value>> {
    let notes = [PAGE, PART].map(|uri| json!({ "jsonrpc": "2.0", "method": UPDATED, "params": { "uri": uri } }));
    let (mut call, mut buffer, mut told) = (client.sibling().await?, Vec::new(), Vec::new());
    call.start(&Rpc::tool("log", &json!({ "notes": notes, "levels": ["emergency"] }).to_string())).await?;
    loop {
        let message = call.conn.event(&mut buffer).await?.context("no answer")?.json();
        match &message["method"] {
            Value::String(method) if method == UPDATED => told.push(message),
            Value::String(_) => {}
            _ => return Ok(told),
        }
    }
}

#[tokio::test]
async fn who_may_read_a_page_is_told_of_its_changes_whatever_it_is_called_there() -> Result<()> {
    for backend in [Era::Legacy, Era::Modern] {
        let scene = scene(Era::Legacy, backend, &bob_reads_the_page()).await?;
        let mut bob = scene.user(Era::Legacy, "bob").capabilities(CAPABILITIES).path("/mcp/b").connect().await?;
        bob.send(&Rpc::read(PAGE)).await?.result()?;
        bob.send(&subscribe()).await?.result()?;
        let mut stream = bob.listen().await?;
        let is_heard = |b: &Fixture| if backend == Era::Legacy { b.declared_streams() == 1 } else { b.followers(PAGE) == 1 };
        scene.b.until("the gateway listens for Bob", is_heard).await?;
        for uri in [PAGE, PART] {
            scene.b.part_updated(PAGE, uri);
            let note = stream.message().await?;
            assert_eq!((&note["method"], &note["params"]["uri"]), (&json!(UPDATED), &json!(uri)), "{backend:?}");
        }
        if backend == Era::Legacy {
            let told = told_during_a_call(&bob).await?;
            assert!(told.iter().map(|told| &told["params"]["uri"]).eq([PAGE, PART]), "{told:?}");
        }
        scene.gateway.shutdown().await;

        let scene = self::scene(Era::Modern, backend, &bob_reads_the_page()).await?;
        let bob = scene.user(Era::Modern, "bob").capabilities(CAPABILITIES).path("/mcp/b").connect().await?;
        let (first, mut stream) = bob.subscribe(&format!(r#""resourceSubscriptions":["{PAGE}"]"#)).await?;
        assert_eq!(first["params"]["notifications"], json!({ "resourceSubscriptions": [PAGE] }), "{backend:?}");
        for uri in [PAGE, PART] {
            scene.b.part_updated(PAGE, uri);
            assert_eq!(stream.message().await?["params"]["uri"], uri, "{backend:?}");
        }
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_may_not_read_a_page_is_told_nothing_of_it_by_another_name() -> Result<()> {
    let policies = format!(
        r#"permit(principal, action, resource);
        forbid(principal, action == Action::"read_resource", resource) when {{ resource.uri like "{KNOWN}*" }}
        unless {{ principal == Client::"ann" && context has claim_all }};"#
    );
    let scene = scene(Era::Legacy, Era::Legacy, &policies).await?;
    let weak = scene.user(Era::Legacy, "ann").capabilities(CAPABILITIES).path("/mcp/b").connect().await?;
    let mut strong = weak.sibling().await?;
    strong.caller.set("x-claims", ALL);
    strong.send(&subscribe()).await?.result()?;
    let mut of_strong = strong.listen().await?;
    let mut of_weak = weak.listen().await?;
    scene.b.until("the gateway listens for Ann", |b| b.declared_streams() == 1).await?;
    for uri in [PAGE, PART] {
        scene.b.part_updated(PAGE, uri);
        let note = of_strong.message().await?;
        assert_eq!((&note["method"], &note["params"]["uri"]), (&json!(UPDATED), &json!(uri)));
    }
    // What everybody may hear goes to the newest: nothing came before it.
    scene.b.say(MESSAGE, r#"{"level":"emergency","data":"b"}"#);
    assert_eq!(of_weak.message().await?["method"], MESSAGE);
    assert_eq!(told_during_a_call(&weak).await?, Vec::<Value>::new());
    assert_eq!(told_during_a_call(&strong).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_page_below_another_is_known_by_its_own_name_where_nobody_else_has_that() -> Result<()> {
    let policies = format!(
        r#"permit(principal, action, resource);
        forbid(principal == Client::"bob", action == Action::"read_resource", resource) when {{ resource.uri == "{BELOW}" }};"#
    );
    let scene = scene(Era::Modern, Era::Modern, &policies).await?;
    let bob = scene.user(Era::Modern, "bob").capabilities(CAPABILITIES).path("/mcp/b").connect().await?;
    let (_, mut stream) = bob.subscribe(&format!(r#""resourceSubscriptions":["{PAGE}"]"#)).await?;
    for uri in [BELOW, PAGE] {
        scene.b.part_updated(PAGE, uri);
    }
    assert_eq!(stream.message().await?["params"]["uri"], PAGE, "he may not read the one below");
    scene.gateway.shutdown().await;
    Ok(())
}
