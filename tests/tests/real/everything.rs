//! What the protocol authors' test server offers, through the gateway.

#![expect(deprecated, reason = "levels and subscriptions of sessions stay in use with servers of earlier revisions")]

use crate::{checks::Checks, person::Client};
use anyhow::{Context, Result, ensure};
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, CompletionContext, ReadResourceRequestParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vmcp_tests::Era;

/// Its tools, the ones for clients that can be asked included; those for clients that run tasks themselves are left out.
const TOOLS: [&str; 17] = [
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-roots-list",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "simulate-research-query",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-elicitation-request",
    "trigger-long-running-operation",
    "trigger-sampling-request",
    "trigger-url-elicitation",
];
const DYNAMIC: &str = "demo://resource/dynamic/text/3";

fn named(name: &str) -> String {
    format!("everything_{name}")
}

/// Makes all checks that make sense for callers of this era.
pub(crate) async fn check(checks: &mut Checks, scene: &str, client: &Client, era: Era) {
    let mut note = |what: &str, outcome| checks.note(&format!("{scene}, {era:?} caller, {what}"), outcome);
    note("lists", lists(client).await);
    note("tools", tools(client).await);
    note("resources", resources(client).await);
    note("prompts", prompts(client).await);
    note("completion", completion(client).await);
    note("progress and cancellation", progress(client).await);
    // The server keeps who follows and who wants to read its log with the session, which a caller of the other era has for one call.
    if era == Era::Legacy {
        note("log", log(client).await);
        note("subscription", subscription(client).await);
    }
}

/// Of what servers with other prefixes may have besides, what is this one's.
async fn lists(client: &Client) -> Result<()> {
    let own = |name: &str| name.starts_with("everything_") || name.starts_with("demo://");
    let listed: BTreeSet<String> = client.sdk.list_all_tools().await?.iter().map(|tool| tool.name.to_string()).collect();
    let (listed, wanted) = (listed.into_iter().filter(|name| own(name)).collect::<BTreeSet<_>>(), TOOLS.into_iter().map(named).collect());
    ensure!(listed == wanted, "missing tools: {:?}, unknown tools: {:?}", &wanted - &listed, &listed - &wanted);
    let resources = documents(client).await?;
    ensure!(resources.len() == 7 && resources.iter().all(|uri| uri.starts_with("demo://resource/static/")), "{resources:?}");
    let templates = client.sdk.list_all_resource_templates().await?.into_iter().map(|template| template.uri_template);
    let templates: Vec<String> = templates.filter(|uri| own(uri)).collect();
    ensure!(templates == ["demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/blob/{resourceId}"], "{templates:?}");
    let prompts = client.sdk.list_all_prompts().await?.into_iter().map(|prompt| prompt.name);
    let prompts: Vec<String> = prompts.filter(|name| own(name)).collect();
    ensure!(prompts == ["simple-prompt", "args-prompt", "completable-prompt", "resource-prompt"].map(named), "{prompts:?}");
    Ok(())
}

/// The URIs of its listed resources.
async fn documents(client: &Client) -> Result<Vec<String>> {
    let listed = client.sdk.list_all_resources().await?.into_iter().map(|resource| resource.uri);
    Ok(listed.filter(|uri| uri.starts_with("demo://")).collect())
}

async fn tools(client: &Client) -> Result<()> {
    let echoed = client.text(&named("echo"), json!({ "message": "größer ☂" })).await?;
    ensure!(echoed == "Echo: größer ☂", "{echoed}");
    let sum = client.text(&named("get-sum"), json!({ "a": 2, "b": 40 })).await?;
    ensure!(sum.contains("42"), "{sum}");
    let weather = client.call(&named("get-structured-content"), json!({ "location": "Chicago" })).await?;
    let weather = weather.structured_content.context("no structured content")?;
    ensure!(weather["temperature"].is_number() && weather["conditions"].is_string(), "{weather}");
    let image = serde_json::to_value(client.call(&named("get-tiny-image"), json!({})).await?)?;
    let image = image["content"].as_array().and_then(|content| content.iter().find(|block| block["type"] == "image"));
    ensure!(image.is_some_and(|image| image["mimeType"] == "image/png" && image["data"].as_str().is_some_and(|data| data.len() > 100)));
    let annotated = serde_json::to_value(client.call(&named("get-annotated-message"), json!({ "messageType": "error" })).await?)?;
    ensure!(annotated["content"][0]["annotations"]["priority"] == 1.0, "{annotated}");
    let wrong = client.call(&named("get-sum"), json!({ "a": "two" })).await?;
    ensure!(wrong.is_error == Some(true), "{wrong:?}");
    Ok(())
}

async fn resources(client: &Client) -> Result<()> {
    let document = documents(client).await?.swap_remove(0);
    let text = client.read(&document).await?;
    ensure!(text["uri"] == *document && text["text"].as_str().is_some_and(|text| text.len() > 100), "{text}");
    let dynamic = client.read(DYNAMIC).await?;
    ensure!(dynamic["text"].as_str().is_some_and(|text| text.starts_with("Resource 3: ")), "{dynamic}");
    let blob = client.read("demo://resource/dynamic/blob/4").await?;
    ensure!(blob["blob"].is_string(), "{blob}");
    let links = serde_json::to_value(client.call(&named("get-resource-links"), json!({ "count": 2 })).await?)?;
    let links = links["content"].as_array().context("no content")?.iter().filter_map(|block| block["uri"].as_str());
    let links: Vec<&str> = links.collect();
    ensure!(links.len() == 2, "{links:?}");
    for link in links {
        client.read(link).await?;
    }
    let missing = client.sdk.read_resource(ReadResourceRequestParams::new("demo://resource/dynamic/text/none")).await;
    ensure!(missing.is_err(), "{missing:?}");
    Ok(())
}

async fn prompts(client: &Client) -> Result<()> {
    let get = async |name: &str, arguments: Value| client.prompt(&named(name), arguments).await;
    let weather = get("args-prompt", json!({ "city": "Oslo", "state": "rain" })).await?;
    ensure!(weather.contains("Oslo, rain"), "{weather}");
    let resource = get("resource-prompt", json!({ "resourceType": "Text", "resourceId": "5" })).await?;
    ensure!(resource.contains("demo://resource/dynamic/text/5"), "{resource}");
    Ok(())
}

async fn completion(client: &Client) -> Result<()> {
    let departments = client.sdk.complete_prompt_simple(named("completable-prompt"), "department", "S").await?;
    ensure!(departments == ["Sales", "Support"], "{departments:?}");
    let department = [("department".to_owned(), "Sales".to_owned())];
    let context = CompletionContext::with_arguments(department.into());
    let names = client.sdk.complete_prompt_argument(named("completable-prompt"), "name", "E", Some(context)).await?.values;
    ensure!(names == ["Eve"], "{names:?}");
    let numbers = client.sdk.complete_resource_simple("demo://resource/dynamic/text/{resourceId}", "resourceId", "12").await?;
    ensure!(numbers == ["12"], "{numbers:?}");
    Ok(())
}

async fn progress(client: &Client) -> Result<()> {
    // A modern client that can be asked would have to take up the call again where the server asks for its roots meanwhile.
    let client = &client.quiet().await?;
    let start = async |duration: f64, steps: u32| {
        let arguments = json!({ "duration": duration, "steps": steps }).as_object().cloned().unwrap_or_default();
        let params = CallToolRequestParams::new(named("trigger-long-running-operation")).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        client.sdk.send_cancellable_request(request, rmcp::service::PeerRequestOptions::no_options()).await
    };
    let told = |token: &Value, step: Option<u32>| {
        let fits = |params: &Value| params["progressToken"] == *token && step.is_none_or(|step| params["progress"] == f64::from(step));
        client.person.count("notifications/progress", fits)
    };
    let endless = start(600.0, 6000).await?;
    let cancelled = serde_json::to_value(&endless.progress_token)?;
    client.person.hear("notifications/progress", |params| params["progressToken"] == cancelled).await?;
    endless.cancel(Some("enough".to_owned())).await?;
    let whole = start(0.3, 3).await?;
    let token = serde_json::to_value(&whole.progress_token)?;
    let result = serde_json::to_value(whole.await_response().await?)?;
    ensure!(result.to_string().contains("Long running operation completed. Duration: 0.3 seconds, Steps: 3."), "{result}");
    for step in 1..=3 {
        client
            .person
            .hear("notifications/progress", |params| params["progressToken"] == token && params["progress"] == f64::from(step))
            .await?;
        ensure!(told(&token, Some(step)) == 1, "step {step} came more than once");
    }
    let before = told(&cancelled, None);
    start(0.3, 1).await?.await_response().await?;
    ensure!(told(&cancelled, None) == before, "the cancelled operation is still heard");
    Ok(())
}

async fn log(client: &Client) -> Result<()> {
    use rmcp::model::{LoggingLevel, SetLevelRequestParams};
    client.sdk.set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await?;
    let started = client.text(&named("toggle-simulated-logging"), json!({})).await?;
    ensure!(started.starts_with("Started"), "{started}");
    client.person.hear("notifications/message", |params| params["data"].as_str().is_some_and(|data| data.contains("level"))).await?;
    let stopped = client.text(&named("toggle-simulated-logging"), json!({})).await?;
    ensure!(stopped.starts_with("Stopped"), "{stopped}");
    Ok(())
}

async fn subscription(client: &Client) -> Result<()> {
    use rmcp::model::{SubscribeRequestParams, UnsubscribeRequestParams};
    let updated = |uri: &str| client.person.count("notifications/resources/updated", |params| params["uri"] == *uri);
    let other = "demo://resource/dynamic/text/9";
    client.sdk.subscribe(SubscribeRequestParams::new(DYNAMIC)).await?;
    client.sdk.subscribe(SubscribeRequestParams::new(other)).await?;
    client.sdk.unsubscribe(UnsubscribeRequestParams::new(other)).await?;
    client.text(&named("toggle-subscriber-updates"), json!({})).await?;
    client.person.hear("notifications/resources/updated", |params| params["uri"] == DYNAMIC).await?;
    ensure!(updated(other) == 0, "an update came for what is not followed any more");
    client.text(&named("toggle-subscriber-updates"), json!({})).await?;
    Ok(())
}
