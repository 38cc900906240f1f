//! A gateway inside another program, with a strategy of its own: `cargo run -p vmcp-server --example embed`.
//!
//! It needs no MCP server: the one backend that it names does not answer, and the last line says so.
#![allow(clippy::print_stdout)]

use http::{HeaderName, HeaderValue, Request, header::AUTHORIZATION};
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
    fn resolve<'a>(&'a self, backend: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        let token = HeaderValue::from_str(&format!("Bearer token-for-{}", backend.backend));
        let token = token.map(|token| Credentials::headers([(AUTHORIZATION, token)].into_iter().collect()));
        Box::pin(async { token.map_err(|_| StrategyError::Issuer("the token is no header value".into())) })
    }
}

struct VaultFactory;

impl StrategyFactory for VaultFactory {
    const KIND: &'static str = "vault";
    type Config = NoSettings;
    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Vault))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = r#"{"backends": [{"name": "notes", "url": "http://127.0.0.1:9/mcp"}], "outgoingAuth": {"default": {"type": "vault"}}}"#;
    let gateway = Gateway::builder(serde_json::from_str(config)?).outgoing_strategy(VaultFactory).build()?;

    // As a tower service, in whatever server this program has.
    let request = Request::get("http://localhost/readyz").body(http_body_util::Empty::new())?;
    println!("readyz: {}", gateway.service(None).oneshot(request).await?.status());

    // Without HTTP.
    let arguments = serde_json::value::to_raw_value(&serde_json::json!({"text": "hello"}))?;
    match gateway.direct(Identity::anonymous()).call_tool("notes_add", &arguments).await {
        Ok(result) => println!("notes_add: {result}"),
        Err(error) => println!("notes_add: {error}"),
    }
    gateway.shutdown().await;
    Ok(())
}
