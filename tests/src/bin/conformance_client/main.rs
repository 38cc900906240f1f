//! The client that the conformance suite starts to judge the gateway's side towards backends.
//!
//! `conformance-client URL` starts `vmcp serve` with the suite's server at `URL` as its only backend and then behaves towards vmcp like
//! a complete client of the revision in `MCP_CONFORMANCE_PROTOCOL_VERSION`: it lists everything, calls every tool (or the calls in
//! `MCP_CONFORMANCE_CONTEXT`), reads every resource and gets every prompt. It answers whatever it is asked with the defaults. What the
//! gateway does then at the suite's server is what the suite judges; so a call that fails is written to stderr and nothing else.

mod answers;
mod arguments;
mod credentials;

use answers::User;
use anyhow::{Context, Result};
use rmcp::{
    model::{CallToolRequestParams, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams, Tool},
    service::{ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::Value;
use std::{env, fmt::Display, io::Write, time::Duration};
use vmcp_tests::{conformance, process::Vmcp};

/// How long one request may take. The suite waits 30 s for all of them.
const PATIENCE: Duration = Duration::from_secs(8);

type Client = RunningService<RoleClient, User>;

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().next_back().filter(|url| url.starts_with("http")).context("the last argument has to be the URL of a server")?;
    let context: Value = env::var("MCP_CONFORMANCE_CONTEXT").map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
    let mut config = conformance::in_front_of(&serde_json::json!({ "name": "suite", "url": url }));
    if let Some(strategy) = credentials::strategy(&url, &context).await? {
        config["outgoingAuth"] = serde_json::json!({ "default": strategy });
    }
    let vmcp = Vmcp::serve(config).await?;
    let modern = env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").is_ok_and(|revision| revision.as_str() >= "2026");
    let lifecycle = if modern {
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
    } else {
        ClientLifecycleMode::Initialize
    };
    let transport = StreamableHttpClientTransport::from_config(StreamableHttpClientTransportConfig::with_uri(vmcp.url()));
    let client = User.serve_with_lifecycle(transport, lifecycle).await.context("connecting to vmcp")?;
    let tools = client.list_all_tools().await.context("tools/list")?;
    call(&client, &context, &tools).await;
    read(&client).await;
    client.cancel().await?;
    Ok(())
}

async fn call(client: &Client, context: &Value, tools: &[Tool]) {
    let calls = match context["toolCalls"].as_array() {
        Some(calls) => calls.iter().map(|call| (call["name"].as_str().unwrap_or_default().to_owned(), call["arguments"].clone())).collect(),
        None => arguments::for_all(tools),
    };
    for (name, arguments) in calls {
        let call = CallToolRequestParams::new(name.clone()).with_arguments(arguments.as_object().cloned().unwrap_or_default());
        within(&name, client.call_tool(call)).await;
    }
}

/// Resources and prompts, where the gateway has any.
async fn read(client: &Client) {
    for resource in within("resources/list", client.list_all_resources()).await.unwrap_or_default() {
        within(&resource.uri, client.read_resource(ReadResourceRequestParams::new(resource.uri.clone()))).await;
    }
    for prompt in within("prompts/list", client.list_all_prompts()).await.unwrap_or_default() {
        within(&prompt.name, client.get_prompt(GetPromptRequestParams::new(prompt.name.clone()))).await;
    }
}

async fn within<T, E: Display>(what: &str, request: impl Future<Output = Result<T, E>>) -> Option<T> {
    let said = match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr(), "{what}: {said}");
    None
}
