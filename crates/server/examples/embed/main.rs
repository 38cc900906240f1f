//! A gateway inside another program, with a strategy of its own: `cargo run -p vmcp-server --example embed`.
//!
//! It calls one tool twice, once through the gateway as a tower service and once without HTTP. The tool belongs to an MCP server in this
//! process (`backend.rs`) and answers with the `authorization` header that the strategy had it sent.
#![allow(clippy::print_stdout)]

mod backend;

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::{json, value::to_raw_value};
use std::sync::Arc;
use tower::ServiceExt;
use vmcp_auth::{Identity, NoSettings};
use vmcp_core::plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory};
use vmcp_server::Gateway;

struct Vault; // Gives every backend a token of its own, wherever this program gets it from.

impl OutgoingStrategy for Vault {
    fn managed_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }
    fn resolve<'a>(&'a self, to: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        let token = HeaderValue::from_str(&format!("Bearer token-for-{}", to.backend));
        let token = token.map_err(|_| StrategyError::Issuer("the token is no header value".into()));
        Box::pin(async { Ok(Credentials::headers([(AUTHORIZATION, token?)].into_iter().collect())) })
    }
}

impl StrategyFactory for Vault {
    const KIND: &'static str = "vault";
    type Config = NoSettings;
    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Vault))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backends = json!([{ "name": "notes", "url": backend::start().await? }]);
    let config = serde_json::from_value(json!({ "backends": backends, "outgoingAuth": { "default": { "type": "vault" } } }))?;
    let gateway = Gateway::builder(config).outgoing_strategy(Vault).build()?;
    // As a tower service, in whatever server this program has.
    let response = gateway.service(None).oneshot(backend::request("notes_whoami")).await?;
    println!("as a service, {}: {}", response.status(), backend::text(response).await?);
    // Without HTTP.
    let result = gateway.direct(Identity::anonymous()).call_tool("notes_whoami", &to_raw_value(&json!({}))?).await?;
    println!("directly: {result}");
    gateway.shutdown().await;
    Ok(())
}
