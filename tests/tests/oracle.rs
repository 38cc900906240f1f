//! The Rust SDK on both sides of the gateway: an implementation that shares no line with it judges both of its edges.

use anyhow::{Context, Result};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientConfig, ContentBlock, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    },
    service::{ClientLifecycleMode, ClientServiceExt, RequestContext},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager},
    },
};
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc};
use tokio::net::TcpListener;
use vmcp_tests::{Era, client::Rpc, process::Vmcp};

#[derive(Clone)]
struct Handler;

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(json!({ "type": "object" }).as_object().cloned().unwrap_or_default());
        Ok(ListToolsResult::with_all_items(vec![
            Tool::new("echo", "Answers with its arguments", schema.clone()),
            Tool::new("steps", "Reports three steps", schema),
        ]))
    }

    async fn call_tool(&self, call: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        match &*call.name {
            "echo" => Ok(CallToolResult::structured(json!(call.arguments)).into()),
            "steps" => {
                if let Some(token) = context.meta.get_progress_token() {
                    for step in 1..=3 {
                        let note = ProgressNotificationParam::new(token.clone(), f64::from(step)).with_total(3.0);
                        context.peer.notify_progress(note).await.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
                    }
                }
                Ok(CallToolResult::success(vec![ContentBlock::text("stepped")]).into())
            }
            other => Err(ErrorData::invalid_params(format!("no tool {other}"), None)),
        }
    }
}

/// Serves the SDK's server on a loopback port for the rest of the test.
async fn serve() -> Result<String> {
    let service =
        StreamableHttpService::new(|| Ok(Handler), Arc::new(LocalSessionManager::default()), StreamableHttpServerConfig::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let service = service.clone();
                    async move { Ok::<_, std::convert::Infallible>(service.handle(request).await) }
                });
                // How a connection ends is seen by its peer.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(url)
}

fn lifecycles() -> [ClientLifecycleMode; 3] {
    let preferred = || vec![ProtocolVersion::V_2026_07_28];
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: preferred() },
        ClientLifecycleMode::Auto { preferred_versions: preferred(), legacy_version: None },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_client_reaches_the_sdks_server_in_every_lifecycle_and_era() -> Result<()> {
    for era in ["auto", "legacy", "modern"] {
        let vmcp = Vmcp::serve(json!({ "backends": [{ "name": "sdk", "url": serve().await?, "protocolEra": era }] })).await?;
        for lifecycle in lifecycles() {
            let what = format!("{lifecycle:?} client, {era} backend");
            let transport = StreamableHttpClientTransport::from_uri(vmcp.url());
            let client = ClientConfig::default().serve_with_lifecycle(transport, lifecycle).await.with_context(|| what.clone())?;
            let tools: Vec<_> =
                client.list_all_tools().await.with_context(|| what.clone())?.iter().map(|tool| tool.name.to_string()).collect();
            assert_eq!(tools, ["sdk_echo", "sdk_steps"], "{what}");
            let arguments = json!({ "text": "ä", "n": [1, 2] });
            let call = CallToolRequestParams::new("sdk_echo").with_arguments(arguments.as_object().cloned().unwrap_or_default());
            let result = client.call_tool(call).await.with_context(|| what.clone())?;
            assert_eq!(result.structured_content, Some(arguments), "{what}");
            let unknown = client.call_tool(CallToolRequestParams::new("sdk_nothing")).await;
            assert!(unknown.is_err(), "{what}: {unknown:?}");
            client.cancel().await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_progress_reaches_a_caller_of_either_era() -> Result<()> {
    for backend in ["legacy", "modern"] {
        let vmcp = Vmcp::serve(json!({ "backends": [{ "name": "sdk", "url": serve().await?, "protocolEra": backend }] })).await?;
        for era in Era::BOTH {
            let rpc = Rpc::tool("sdk_steps", "{}").meta(r#""progressToken":"mine""#);
            let reply = vmcp.client(era).await?.send(&rpc).await?;
            assert_eq!(reply.result()?["content"][0]["text"], "stepped");
            assert_eq!(reply.notes.len(), 3, "{era:?} caller, {backend} backend: {:?}", reply.notes);
            assert!(reply.notes.iter().all(|note| note["params"]["progressToken"] == "mine"), "{:?}", reply.notes);
        }
    }
    Ok(())
}
