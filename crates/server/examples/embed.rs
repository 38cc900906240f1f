//! A gateway inside another program, with an outgoing strategy of its own: `cargo run --example embed`.
//!
//! It needs no MCP server: the one backend that it names does not answer, and the errors say so.

#![allow(clippy::print_stdout)]

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use tower::ServiceExt;
use vmcp_auth::Identity;
use vmcp_core::{
    config::Config,
    plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};
use vmcp_server::Gateway;

/// Tells the backend who calls, in a header that only this strategy may write.
struct WhoCalls(HeaderName);

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WhoCallsConfig {
    /// The header to write the caller's subject into.
    header_name: String,
}

impl OutgoingStrategy for WhoCalls {
    fn managed_headers(&self) -> &[HeaderName] {
        std::slice::from_ref(&self.0)
    }

    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        context.principal.map(|caller| Cow::Borrowed(&*caller.subject))
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async move {
            let Some(caller) = context.principal else { return Ok(Credentials::none()) };
            let value = HeaderValue::from_str(&caller.subject).map_err(|_| StrategyError::Caller("no header value".into()))?;
            Ok(Credentials::headers(HeaderMap::from_iter([(self.0.clone(), value)])))
        })
    }
}

struct WhoCallsFactory;

impl StrategyFactory for WhoCallsFactory {
    const KIND: &'static str = "who_calls";
    type Config = WhoCallsConfig;

    fn build(&self, config: WhoCallsConfig, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        let name = config.header_name.parse().map_err(|_| StrategyError::Config("headerName is not a header name".into()))?;
        Ok(Arc::new(WhoCalls(name)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config: Config = serde_json::from_str(
        r#"{"backends": [{"name": "notes", "url": "http://127.0.0.1:9/mcp"}],
            "outgoingAuth": {"default": {"type": "who_calls", "whoCalls": {"headerName": "x-caller"}}}}"#,
    )?;
    let gateway = Gateway::builder(config).outgoing_strategy(WhoCallsFactory).build()?;

    // As a service: any server that speaks tower can hold it.
    let request = Request::get("http://localhost/readyz").body(http_body_util::Empty::new())?;
    println!("readyz: {}", gateway.service(None).oneshot(request).await?.status());

    // Without HTTP.
    let arguments = serde_json::value::to_raw_value(&serde_json::json!({"text": "hello"}))?;
    match gateway.direct(Identity::anonymous()).call_tool("notes_add", &arguments).await {
        Ok(result) => println!("result: {result}"),
        Err(error) => println!("no result: {error}"),
    }
    gateway.shutdown().await;
    Ok(())
}
