//! Backends that forget, die and come back.

use anyhow::{Context, Result};
use serde_json::json;
use std::{
    collections::BTreeSet,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
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
    let (fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
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

/// When a call ended, and how.
type Outcome = (Instant, Result<(), String>);

/// Calls a tool until told to stop, and notes every outcome with its time.
async fn load(mut client: Client, tool: &str, mut stop: watch::Receiver<bool>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    while !*stop.borrow_and_update() {
        let outcome = client.call(tool, "{}").await?.result();
        outcomes.push((Instant::now(), outcome.map(drop).map_err(|error| format!("{error:#}"))));
        if outcomes.last().is_some_and(|(_, outcome)| outcome.is_err()) {
            // While the backend is away there is nothing to gain from asking without a pause.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    Ok(outcomes)
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_a_backend_under_load_loses_only_its_own_calls() -> Result<()> {
    for era in ["legacy", "modern"] {
        let (mut victim, url) = process("victim", era, 0).await?;
        let good = Fixture::start(Spec::both("good")).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [{ "name": "victim", "url": url }, good.entry(json!({}))] })).await?;
        let (stop, stopped) = watch::channel(false);
        let mut victims = Vec::new();
        let mut others = Vec::new();
        for index in 0..8 {
            let caller = Era::BOTH[index % 2];
            victims.push((caller, tokio::spawn(load(vmcp.client(caller).await?, "victim_echo", stopped.clone()))));
            others.push((caller, tokio::spawn(load(vmcp.client(caller).await?, "good_echo", stopped.clone()))));
        }
        good.until("load", |f| f.calls().len() > 200).await?;
        let killed = Instant::now();
        victim.kill().await?;
        let at_kill = good.calls().len();
        good.until("load beside the dead backend", |f| f.calls().len() > at_kill + 200).await?;
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok()).context("no port")?;
        let restarted = Instant::now();
        let (_again, _) = process("victim", era, port).await?;
        for caller in Era::BOTH {
            let mut probe = vmcp.client(caller).await?;
            eventually("the backend's return", async || probe.call("victim_echo", "{}").await.is_ok_and(|reply| reply.result().is_ok()))
                .await?;
            for _ in 0..20 {
                probe.call("victim_echo", "{}").await?.result().with_context(|| format!("{caller:?}: after the return no call fails"))?;
            }
        }
        // Every client goes on until it has seen the return for itself.
        let at_return = good.calls().len();
        good.until("load after the return", |f| f.calls().len() > at_return + 400).await?;
        stop.send(true)?;
        for (caller, client) in victims {
            let outcomes = client.await??;
            let at = format!("{caller:?} caller, {era} backend");
            let before: Vec<_> = outcomes.iter().filter(|(ended, _)| *ended < killed).collect();
            assert!(!before.is_empty(), "{at}: no call before the crash");
            assert!(before.iter().all(|(_, outcome)| outcome.is_ok()), "{at}: a call failed before the crash: {before:?}");
            let away = outcomes.iter().filter(|(ended, outcome)| (killed..restarted).contains(ended) && outcome.is_err()).count();
            assert!(away > 0, "{at}: no call failed while the backend was away");
            let mut after = outcomes.iter().filter(|(ended, _)| *ended >= restarted).skip_while(|(_, outcome)| outcome.is_err());
            assert!(after.next().is_some(), "{at}: no good call after the return");
            let failed: Vec<_> = after.filter(|(_, outcome)| outcome.is_err()).collect();
            assert!(failed.is_empty(), "{at}: calls failed after the first good one: {failed:?}");
            let unnamed = outcomes.iter().find(|(_, outcome)| outcome.as_ref().is_err_and(|error| !error.contains("victim")));
            assert!(unnamed.is_none(), "{at}: a failure does not name its backend: {unnamed:?}");
        }
        for (caller, client) in others {
            let failed: Vec<_> = client.await??.into_iter().filter(|(_, outcome)| outcome.is_err()).collect();
            assert!(failed.is_empty(), "{caller:?} caller, {era} backend: calls to the other backend failed: {failed:?}");
        }
    }
    Ok(())
}
