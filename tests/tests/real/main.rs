//! Servers and clients that other people wrote, with everything that they offer: the protocol authors' test server over each transport,
//! eight servers of one `mcpServers` file, and MCP Inspector's command line. Needs Node, Python and git; the packages are installed once
//! under `target/tools`.

mod asking;
mod checks;
mod eight;
mod everything;
mod inspector;
mod person;
mod workshop;

use anyhow::{Result, ensure};
use checks::Checks;
use inspector::Inspector;
use person::Client;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use vmcp_tests::{
    Era, eventually,
    offspring::working_in,
    process::{Vmcp, binary},
    server::Server,
};
use workshop::Workshop;

/// Whose turn it is to start many servers: together they would take so long that a machine with few cores runs out of patience.
static TURN: Mutex<()> = Mutex::const_new(());

/// Uses the test server through a gateway with this backend, as a caller of each era.
async fn everything_behind(scene: &str, backend: Value) -> Result<Vmcp> {
    let vmcp = Vmcp::serve(json!({ "backends": [backend], "sessions": { "shareAnonymous": true } })).await?;
    let mut checks = Checks::default();
    for era in Era::BOTH {
        let client = Client::connect(&vmcp.url(), era).await?;
        everything::check(&mut checks, scene, &client, era).await;
        asking::check(&mut checks, scene, &client, era).await;
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
async fn that_a_url_is_one_of_http_with_sse_is_found_out() -> Result<()> {
    let server = Server::everything("sse").await?;
    everything_behind("HTTP with SSE, found out", json!({ "name": "everything", "url": server.at("/sse") })).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_servers_of_a_client_s_file_work_as_it_stands_and_none_is_left() -> Result<()> {
    let _turn = TURN.lock().await;
    let workshop = Workshop::open()?;
    let mut vmcp = workshop.serve().start().await?;
    let mut checks = Checks::default();
    for era in Era::BOTH {
        let client = Client::connect(&vmcp.url(), era).await?;
        eventually("all servers are listed", async || eight::are_listed(&client).await).await?;
        everything::check(&mut checks, "standard input and output", &client, era).await;
        asking::check(&mut checks, "standard input and output", &client, era).await;
        eight::check(&mut checks, &client, era).await;
        client.end().await?;
    }
    checks.done()?;
    let (one, other) = (Client::connect(&vmcp.url(), Era::Legacy).await?, Client::connect(&vmcp.url(), Era::Legacy).await?);
    let known = (eight::think(&one).await?, eight::think(&other).await?, eight::think(&one).await?);
    ensure!(known == (json!(1), json!(1), json!(2)), "one session's thoughts are in another: {known:?}");
    ensure!(working_in(workshop.path()).len() > 8, "the servers work somewhere else");
    vmcp.signal("TERM").await?;
    ensure!(vmcp.ended().await?.success());
    let left = async || working_in(workshop.path()).is_empty();
    eventually("the end of all servers", left).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_leaves_nothing_of_what_a_launcher_launched() -> Result<()> {
    let _turn = TURN.lock().await;
    let (workshop, server) = (Workshop::open()?, json!({ "command": "npx", "args": ["@modelcontextprotocol/server-sequential-thinking"] }));
    let file = workshop.path().join("one-server.json");
    std::fs::write(&file, json!({ "mcpServers": { "thinking": server } }).to_string())?;
    let vmcp = workshop.serve_file(file).start().await?;
    vmcp.logged("Healthy").await?;
    ensure!(working_in(workshop.path()).iter().any(|words| words.starts_with("node ")), "the launcher launched nothing");
    vmcp.kill().await?;
    eventually("the end of the launcher and its server", async || working_in(workshop.path()).is_empty()).await
}

/// What Inspector calls the eras, and the revision that it speaks then.
const INSPECTORS: [(&str, &str); 2] = [("legacy", "2025-11-25"), ("modern", "2026-07-28")];

#[tokio::test(flavor = "multi_thread")]
async fn inspector_sees_and_uses_everything_in_both_eras_at_a_url_and_behind_a_command() -> Result<()> {
    let _turn = TURN.lock().await;
    let (server, home) = (Server::everything("streamableHttp").await?, tempfile::tempdir()?);
    let config = json!({ "backends": [{ "name": "everything", "url": server.url() }] });
    let (vmcp, file) = (Vmcp::serve(config.clone()).await?, home.path().join("vmcp.json"));
    std::fs::write(&file, config.to_string())?;
    let (url, program, file) = (vmcp.url(), binary()?.to_string_lossy(), file.to_string_lossy());
    for target in [&[&*url][..], &[&*program, "stdio", "--config", &*file]] {
        let look = async |(era, revision): (&str, &str)| {
            let inspector = Inspector::new(target, era, home.path());
            let opened = inspector.run("initialize", &[]).await?;
            ensure!(opened["protocolVersion"] == revision && opened["serverInfo"]["name"] == "vmcp", "{opened}");
            inspector.looks_around().await
        };
        tokio::try_join!(look(INSPECTORS[0]), look(INSPECTORS[1]))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inspector_starts_a_gateway_that_starts_eight_servers_and_leaves_none_behind() -> Result<()> {
    let _turn = TURN.lock().await;
    let workshop = Workshop::open()?;
    let (program, file) = (binary()?.to_string_lossy(), workshop.config());
    let target = [&*program, "stdio", "--config", &*file.to_string_lossy()];
    for (era, _) in INSPECTORS {
        // It asks once, as soon as it is connected.
        let listed = Inspector::new(&target, era, workshop.path()).tools().await?;
        let missing: Vec<&str> = eight::SERVERS.into_iter().filter(|server| !listed.iter().any(|tool| tool.starts_with(server))).collect();
        ensure!(missing.is_empty(), "{era}: nothing of {missing:?} in {listed:?}");
    }
    let left = async || working_in(workshop.path()).is_empty();
    eventually("the end of all servers", left).await
}
