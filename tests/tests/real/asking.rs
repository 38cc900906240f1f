//! What the test server asks somebody during a call and outside of calls, through the gateway.

use crate::{checks::Checks, person::Client};
use anyhow::{Result, ensure};
use serde_json::json;
use vmcp_tests::Era;

/// Makes all checks.
pub(crate) async fn check(checks: &mut Checks, scene: &str, client: &Client, era: Era) {
    let mut note = |what: &str, outcome| checks.note(&format!("{scene}, {era:?} caller, {what}"), outcome);
    note("sampling", sampling(client).await);
    note("elicitation with a form", form(client).await);
    note("elicitation by URL", url(client).await);
    // The server asks for the roots when a session is opened, and keeps them with it; callers of the other era have it for one call.
    if era == Era::Legacy {
        note("roots", roots(client).await);
        note("other roots", other_roots(client).await);
    }
}

async fn sampling(client: &Client) -> Result<()> {
    let answered = client.text("everything_trigger-sampling-request", json!({ "prompt": "coffee?", "maxTokens": 9 })).await?;
    ensure!(answered.contains("tea it is") && answered.contains("kettle-1"), "{answered}");
    let asked = client.person.hear("sampling/createMessage", |_| true).await?;
    ensure!(asked["maxTokens"] == 9 && asked.to_string().contains("coffee?"), "{asked}");
    Ok(())
}

async fn form(client: &Client) -> Result<()> {
    let answered = client.text("everything_trigger-elicitation-request", json!({})).await?;
    ensure!(answered.contains("- Name: Ann") && answered.contains("\"integer\": 7"), "{answered}");
    let asked = client.person.hear("elicitation/create", |params| params["requestedSchema"].is_object()).await?;
    ensure!(asked["requestedSchema"]["properties"]["integer"]["default"] == 42, "{asked}");
    Ok(())
}

async fn url(client: &Client) -> Result<()> {
    let arguments = json!({ "url": "https://tea.example.com/order", "message": "Order first.", "elicitationId": "order-1" });
    let answered = client.text("everything_trigger-url-elicitation", arguments).await?;
    ensure!(answered.contains("User completed the URL elicitation flow"), "{answered}");
    let asked = client.person.hear("elicitation/create", |params| params["mode"] == "url").await?;
    ensure!(asked["url"] == "https://tea.example.com/order" && asked["message"] == "Order first.", "{asked}");
    Ok(())
}

async fn roots(client: &Client) -> Result<()> {
    let known = client.text("everything_get-roots-list", json!({})).await?;
    ensure!(known.contains("file:///workshop/bench"), "{known}");
    Ok(())
}

/// The server asks again when it hears that the roots changed, outside of any call.
async fn other_roots(client: &Client) -> Result<()> {
    let before = client.person.count("roots/list", |_| true);
    client.moves_to("file:///workshop/attic").await?;
    let asked = async || client.person.count("roots/list", |_| true) > before;
    vmcp_tests::eventually("the server asks for the new roots", asked).await?;
    let known =
        async || client.text("everything_get-roots-list", json!({})).await.is_ok_and(|text| text.contains("file:///workshop/attic"));
    vmcp_tests::eventually("the server knows the new roots", known).await
}
