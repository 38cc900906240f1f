//! Resources that are called something else here than at their server, where the server asks something before it gives one.

use crate::player::{EVERYTHING, fitting, play};
use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

const TOOL: &str = r#"{"name":"show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://show/ask"}}}"#;
const PAGE: &str = r#"{"uri":"ui://show/ask","name":"page"}"#;

/// Two servers that have a page of the same URI, which both give after a question.
async fn scene(backend: Era) -> Result<([Fixture; 2], Vmcp)> {
    let fixtures =
        [Fixture::start(Spec::new("a", backend).interactive()).await?, Fixture::start(Spec::new("b", backend).interactive()).await?];
    for fixture in &fixtures {
        fixture.change(|items: &mut Items| {
            items.tools.push(TOOL.to_owned());
            items.resources.push(PAGE.to_owned());
        });
    }
    let vmcp = Vmcp::serve(json!({ "backends": [fixtures[0].entry(json!({})), fixtures[1].entry(json!({}))] })).await?;
    Ok((fixtures, vmcp))
}

/// The URI of a tool's page.
async fn page(client: &mut Client, tool: &str) -> Result<String> {
    let tools = client.list("tools/list").await?;
    let tool = tools.iter().find(|listed| listed["name"] == tool).with_context(|| format!("no {tool}"))?;
    Ok(tool["_meta"]["ui"]["resourceUri"].as_str().context("no page")?.to_owned())
}

#[tokio::test]
async fn a_page_for_which_something_is_asked_has_our_uri_here_and_its_own_at_its_server() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixtures, vmcp) = scene(backend).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        let uris = [page(&mut client, "a_show").await?, page(&mut client, "b_show").await?];
        assert_ne!(uris[0], uris[1], "one of them is not its server's own");
        for (uri, fixture) in uris.iter().zip(&fixtures) {
            let played = play(&mut client, &Rpc::read(uri), 1, async |question| fitting(question)).await?;
            let at = format!("{caller:?} {backend:?} {uri}: {}", played.message);
            assert_eq!(played.asked.len(), 1, "{at}");
            let content = &played.message["result"]["contents"][0];
            assert_eq!((&content["uri"], &content["x-vendor"]), (&json!(uri), &json!(1.5)), "{at}");
            let read = fixture.requests_of("resources/read");
            assert_eq!(read.len(), if backend == Era::Modern { 2 } else { 1 }, "{at}");
            assert!(read.iter().all(|read| read.json()["params"]["uri"] == "ui://show/ask"), "{at}");
        }
        assert!(fixtures.iter().all(|fixture| fixture.violations().is_empty()), "{caller:?} {backend:?}");
    }
    Ok(())
}
