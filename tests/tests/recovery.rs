//! Backends that forget, die and come back.

use anyhow::{Context, Result};
use serde_json::json;
use std::{collections::BTreeSet, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn a_forgotten_backend_session_is_opened_anew_and_the_call_runs_once() -> Result<()> {
    for caller in Era::BOTH {
        let fixture = Fixture::start(Spec::legacy("b")).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        client.call("b_counter", "{}").await?.result()?;
        fixture.forget_sessions();
        let result = client.call("b_counter", "{}").await?.result()?;
        assert_eq!(result["structuredContent"]["count"], 1, "{caller:?}: once, in the new session");
    }
    Ok(())
}

#[tokio::test]
async fn many_calls_that_find_the_session_gone_open_one_new_session_together() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.call("b_echo", "{}").await?.result()?;
    fixture.forget_sessions();
    fixture.forget_requests();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut sibling = client.sibling().await?;
        sibling.begin(&Rpc::tool("b_echo", "{}")).await?;
        clients.push(sibling);
    }
    for client in &mut clients {
        client.finish().await?.result()?;
    }
    // The gateway's own session, with which it lists, is renewed too; what counts is where the calls went.
    let used: BTreeSet<_> = fixture
        .calls()
        .iter()
        .filter(|call| call.status == Some(200))
        .filter_map(|call| call.value("mcp-session-id").map(str::to_owned))
        .collect();
    assert_eq!(used.len(), 1, "one re-initialization for all: {used:?}");
    Ok(())
}

#[tokio::test]
async fn a_backend_that_was_dead_at_start_joins_when_it_comes_up() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let late = Fixture::start(Spec::new("late", backend)).await?;
        let good = Fixture::start(Spec::new("good", backend)).await?;
        late.kill();
        let vmcp =
            Vmcp::serve(json!({ "aggregation": { "listTtl": "200ms" }, "backends": [late.entry(json!({})), good.entry(json!({}))] }))
                .await?;
        let mut client = vmcp.client(caller).await?;
        assert!(!client.tools().await?.contains(&"late_echo".to_owned()));
        late.restart().await?;
        eventually("the late backend's tools", async || client.tools().await.is_ok_and(|tools| tools.contains(&"late_echo".to_owned())))
            .await?;
        client.call("late_echo", "{}").await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_that_dies_keeps_its_names_and_comes_back() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let twin = Fixture::start(Spec::new("one", backend)).await?;
        let other = Fixture::start(Spec::new("two", backend)).await?;
        let config = json!({
            "aggregation": { "conflictResolution": "priority", "conflictResolutionConfig": { "priorityOrder": ["one", "two"] }, "listTtl": "200ms" },
            "backends": [twin.entry(json!({})), other.entry(json!({}))],
        });
        let vmcp = Vmcp::serve(config).await?;
        let mut client = vmcp.client(caller).await?;
        assert!(client.tools().await?.contains(&"echo".to_owned()));
        client.call("echo", "{}").await?.result()?;
        twin.kill();
        for _ in 0..3 {
            let failure = client.call("echo", "{}").await?.failure()?;
            assert!(failure.contains("one"), "the name's owner is named: {failure}");
            client.tools().await?;
        }
        assert_eq!(other.calls().len(), 0, "a dead backend's name does not fall through to another");
        twin.restart().await?;
        eventually("the backend's return", async || client.call("echo", "{}").await.is_ok_and(|reply| reply.result().is_ok())).await?;
    }
    Ok(())
}

/// A fixture in a process of its own.
async fn process(name: &str, era: &str, port: u16) -> Result<(Child, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fixture"));
    command.args(["--name", name, "--era", era, "--port", &port.to_string()]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let line = BufReader::new(child.stdout.take().context("no stdout")?).lines().next_line().await?.context("the fixture ended")?;
    Ok((child, line.trim_start_matches("listening on ").to_owned()))
}

/// Calls a tool until told to stop; counts the good, the bad, and the longest row of bad ones.
async fn load(mut client: Client, tool: &str, mut stop: tokio::sync::watch::Receiver<bool>) -> Result<(u32, u32)> {
    let (mut good, mut bad) = (0, 0);
    while !*stop.borrow_and_update() {
        match client.call(tool, "{}").await?.result() {
            Ok(_) => good += 1,
            Err(_) => {
                bad += 1;
                // While the backend is away there is nothing to gain from asking without a pause.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
    Ok((good, bad))
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_a_backend_under_load_loses_only_its_own_calls() -> Result<()> {
    for era in ["legacy", "modern"] {
        let (mut victim, url) = process("victim", era, 0).await?;
        let good = Fixture::start(Spec::both("good")).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [{ "name": "victim", "url": url }, good.entry(json!({}))] })).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut victims = Vec::new();
        let mut others = Vec::new();
        for index in 0..8 {
            let caller = Era::BOTH[index % 2];
            victims.push(tokio::spawn(load(vmcp.client(caller).await?, "victim_echo", stopped.clone())));
            others.push(tokio::spawn(load(vmcp.client(caller).await?, "good_echo", stopped.clone())));
        }
        good.until("load", |f| f.calls().len() > 200).await?;
        victim.kill().await?;
        let at_kill = good.calls().len();
        good.until("load beside the dead backend", |f| f.calls().len() > at_kill + 200).await?;
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok()).context("no port")?;
        let (_again, _) = process("victim", era, port).await?;
        let mut probe = vmcp.client(Era::Modern).await?;
        eventually("the backend's return", async || probe.call("victim_echo", "{}").await.is_ok_and(|reply| reply.result().is_ok()))
            .await?;
        let mut later = vmcp.client(Era::Legacy).await?;
        for _ in 0..20 {
            later.call("victim_echo", "{}").await?.result().context("after the return no call fails")?;
        }
        stop.send(true)?;
        for client in victims {
            let (good, bad) = client.await??;
            assert!(good > 0 && bad > 0, "calls before and after the crash: {good} good, {bad} bad");
        }
        for client in others {
            let (good, bad) = client.await??;
            assert_eq!(bad, 0, "{good} good calls beside them");
        }
    }
    Ok(())
}
