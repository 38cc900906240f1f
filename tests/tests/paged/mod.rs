//! Two servers that have a page of the same URI, and a tool each that shows it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    client::Client,
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

/// These servers behind a gateway with these settings. `page` is the entry of the page in their lists; it needs a `uri`.
pub(crate) async fn scene(specs: [Spec; 2], page: &Value, mut settings: Value) -> Result<([Fixture; 2], Vmcp)> {
    let [one, other] = specs;
    let fixtures = [Fixture::start(one).await?, Fixture::start(other).await?];
    let tool = json!({ "name": "show", "inputSchema": { "type": "object" }, "_meta": { "ui": { "resourceUri": page["uri"] } } });
    for fixture in &fixtures {
        fixture.change(|items: &mut Items| {
            items.tools.push(tool.to_string());
            items.resources.push(page.to_string());
        });
    }
    settings["backends"] = fixtures.iter().map(|fixture| fixture.entry(json!({}))).collect();
    Ok((fixtures, Vmcp::serve(settings).await?))
}

/// The URI of a tool's page.
pub(crate) async fn page(client: &mut Client, tool: &str) -> Result<String> {
    let tools = client.list("tools/list").await?;
    let tool = tools.iter().find(|listed| listed["name"] == tool).with_context(|| format!("no {tool}"))?;
    Ok(tool["_meta"]["ui"]["resourceUri"].as_str().context("no page")?.to_owned())
}
