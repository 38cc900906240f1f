//! Servers and clients that other people wrote, with everything that they offer: the protocol authors' test server over each transport,
//! and MCP Inspector's command line. Needs Node; the packages are installed once under `target/tools`.

mod checks;
mod everything;
mod inspector;
mod person;

use anyhow::{Result, ensure};
use checks::Checks;
use inspector::Inspector;
use person::Client;
use serde_json::{Value, json};
use vmcp_tests::{Era, process::Vmcp, server::Server};

/// Uses the test server through a gateway with this backend, as a caller of each era.
async fn everything_behind(scene: &str, backend: Value) -> Result<Vmcp> {
    let vmcp = Vmcp::serve(json!({ "backends": [backend], "sessions": { "shareAnonymous": true } })).await?;
    let mut checks = Checks::default();
    for era in Era::BOTH {
        let client = Client::connect(&vmcp.url(), era).await?;
        everything::check(&mut checks, scene, &client, era).await;
        client.end().await?;
    }
    checks.done()?;
    Ok(vmcp)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_server_keeps_all_its_abilities_over_streamable_http() -> Result<()> {
    let server = Server::everything("streamableHttp").await?;
    everything_behind("streamable HTTP", json!({ "name": "everything", "url": server.url() })).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_server_keeps_all_its_abilities_over_http_with_sse() -> Result<()> {
    let server = Server::everything("sse").await?;
    everything_behind("HTTP with SSE", json!({ "name": "everything", "url": server.at("/sse"), "transport": "sse" })).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inspector_sees_and_uses_everything_in_both_eras() -> Result<()> {
    let server = Server::everything("streamableHttp").await?;
    let vmcp = Vmcp::serve(json!({ "backends": [{ "name": "everything", "url": server.url() }] })).await?;
    let (url, home) = (vmcp.url(), tempfile::tempdir()?);
    let look = async |era: &str, revision: &str| {
        let target = [url.as_str()];
        let inspector = Inspector::new(&target, era, home.path());
        let opened = inspector.run("initialize", &[]).await?;
        ensure!(opened["protocolVersion"] == revision && opened["serverInfo"]["name"] == "vmcp", "{opened}");
        inspector.looks_around().await
    };
    tokio::try_join!(look("legacy", "2025-11-25"), look("modern", "2026-07-28"))?;
    Ok(())
}
