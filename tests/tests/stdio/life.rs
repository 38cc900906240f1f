//! How processes begin and end.

use super::{ends, entry, facts, gateway, runs};
use crate::served::serve;
use anyhow::Result;
use serde_json::json;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, Request},
    piped::Piped,
    process::Vmcp,
};

#[tokio::test]
async fn a_crash_fails_the_call_with_the_exit_status_and_the_next_one_finds_a_new_process() -> Result<()> {
    for kind in ["legacy", "modern"] {
        let vmcp = gateway(entry("b", kind, json!({}))).await?;
        let mut client = vmcp.client(Era::Legacy).await?;
        let before = facts(&mut client).await?;
        let failure = client.call("b_crash", "{}").await?.failure()?;
        assert!(failure.contains("backend `b`") && failure.contains("its process ended with exit status 7"), "{failure}");
        let after = facts(&mut client).await?;
        assert_ne!(before["pid"], after["pid"]);
        assert_eq!(after["count"], 1, "nothing was repeated");
    }
    Ok(())
}

#[tokio::test]
async fn ending_a_session_ends_its_process() -> Result<()> {
    let vmcp = gateway(entry("b", "legacy", json!({}))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    let pid = facts(&mut client).await?["pid"].take();
    client.conn.exchange(&client.caller.delete()).await?;
    ends(&pid).await
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_servers_and_what_they_started() -> Result<()> {
    let mut vmcp = gateway(entry("b", "stubborn", json!({}))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    let facts = facts(&mut client).await?;
    drop(client);
    vmcp.signal("TERM").await?;
    let status = vmcp.ended().await?;
    assert!(status.success(), "{status}");
    assert!(!runs(&facts["pid"]) && !runs(&facts["child"]), "{facts}");
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_is_killed_leaves_no_server_behind() -> Result<()> {
    let vmcp = gateway(entry("b", "stubborn", json!({}))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    let facts = facts(&mut client).await?;
    assert!(runs(&facts["pid"]) && runs(&facts["child"]));
    vmcp.kill().await?;
    ends(&facts["pid"]).await?;
    ends(&facts["child"]).await
}

#[tokio::test]
async fn a_server_that_cannot_be_started_says_why_and_costs_the_others_nothing() -> Result<()> {
    let lost = json!({ "name": "lost", "command": "no-such-program" });
    let vmcp = Vmcp::serve(json!({ "backends": [lost, entry("b", "legacy", json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    facts(&mut client).await?;
    let failure = client.call("lost_tool", "{}").await?.failure()?;
    assert!(failure.contains("backend `lost`") && failure.contains("there is no program `no-such-program` on the PATH"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn the_status_tells_of_processes() -> Result<()> {
    let vmcp = gateway(entry("b", "modern", json!({}))).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    facts(&mut client).await?;
    let status = client.conn.exchange(&Request::get("/status")).await?.json()?;
    assert_eq!((&status["backends"][0]["transport"], &status["backends"][0]["processes"]), (&json!("stdio"), &json!(1)));
    Ok(())
}

#[tokio::test]
async fn a_session_that_comes_as_the_last_one_goes_gets_a_process_of_its_own() -> Result<()> {
    // It takes its time to end, and takes nobody in meanwhile.
    let vmcp = gateway(entry("b", "stubborn", json!({ "process": "principal" }))).await?;
    let mut before = None;
    for _ in 0..3 {
        let mut client = vmcp.client(Era::Legacy).await?;
        let pid = facts(&mut client).await?["pid"].take();
        assert_ne!(before.as_ref(), Some(&pid));
        client.conn.exchange(&client.caller.delete()).await?;
        before = Some(pid);
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_keeps_ending_is_not_started_for_every_call() -> Result<()> {
    let vmcp = gateway(entry("b", "falling", json!({}))).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    for _ in 0..10 {
        let failure = client.call("b_facts", "{}").await?.failure()?;
        if failure.contains("its process keeps ending; it is not started again before") {
            return Ok(());
        }
        assert!(failure.contains("its process ended with exit status 3"), "{failure}");
    }
    anyhow::bail!("it is started for every call")
}

#[tokio::test]
async fn a_new_configuration_ends_the_processes_of_the_old_one() -> Result<()> {
    let config = || serde_json::from_value(json!({ "backends": [entry("b", "stubborn", json!({}))] }));
    let gateway = Gateway::builder(config()?).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let mut client = Client::connect(Era::Legacy, addr).await?;
    let old = facts(&mut client).await?;
    gateway.reload(config()?)?;
    let new = facts(&mut client).await?;
    assert_ne!(old["pid"], new["pid"]);
    ends(&old["pid"]).await?;
    ends(&old["child"]).await?;
    gateway.shutdown().await;
    serving.await??;
    ends(&new["pid"]).await?;
    ends(&new["child"]).await
}

#[tokio::test]
async fn a_client_that_kills_the_vmcp_that_it_started_leaves_no_server_behind() -> Result<()> {
    let mut piped = Piped::start(&json!({ "backends": [entry("b", "stubborn", json!({}))] }), &[], &[])?;
    piped.initialize("2025-11-25", json!({})).await?;
    piped.request(1, "tools/call", json!({ "name": "b_facts" })).await?;
    let facts = piped.answer(1).await?["result"]["structuredContent"].take();
    assert!(runs(&facts["pid"]) && runs(&facts["child"]), "{facts}");
    drop(piped);
    ends(&facts["pid"]).await?;
    ends(&facts["child"]).await
}
