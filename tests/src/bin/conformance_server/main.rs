//! The server that the official conformance suite expects: every tool, resource and prompt that its scenarios name, in both eras.
//!
//! `conformance-server --http ADDR` prints its URL as its first line and serves `/mcp` until it is killed; `conformance-server --stdio`
//! speaks over its standard input and output until that ends.
//!
//! It stands on the Rust SDK, and shares no line with the gateway. Where an era has no way to say something, the fixture says it in the
//! way that the era has: a tool that wants an answer from its caller sends a request to a legacy one and returns `input_required` to a
//! modern one. So every tool works in both eras, and a gateway between the eras has something to translate.

mod asking;
mod catalogue;
mod changes;
mod handler;
mod http;
mod jobs;
mod prompts;
mod resources;
mod sealed;
mod tools;

use anyhow::{Context, Result, bail};
use handler::{Handler, Shared};
use rmcp::ServiceExt;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let shared = Arc::new(Shared::new()?);
    match arguments.next().as_deref() {
        Some("--http") => http::serve(&arguments.next().context("--http needs an address")?, shared).await,
        Some("--stdio") => {
            let server = Handler::new(shared).serve(rmcp::transport::stdio()).await?;
            server.waiting().await?;
            Ok(())
        }
        other => bail!("expected `--http ADDR` or `--stdio`, not {other:?}"),
    }
}
