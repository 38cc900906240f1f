//! Whose process it is, and what it is given.

use super::{ends, entry, facts, gateway};
use crate::named::NamedFactory;
use crate::served::serve;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, Conn, Request, Rpc},
    process::Vmcp,
};

#[tokio::test]
async fn each_session_of_a_legacy_server_has_a_process_and_modern_callers_share_one() -> Result<()> {
    let vmcp = gateway(entry("b", "legacy", json!({}))).await?;
    let (mut one, mut other) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
    let (first, again, second) = (facts(&mut one).await?, facts(&mut one).await?, facts(&mut other).await?);
    assert_eq!((&first["pid"], &again["count"], &second["count"]), (&again["pid"], &json!(2), &json!(1)));
    assert_ne!(first["pid"], second["pid"]);

    let vmcp = gateway(entry("b", "modern", json!({}))).await?;
    let (mut one, mut other) = (vmcp.client(Era::Modern).await?, vmcp.client(Era::Legacy).await?);
    assert_eq!(facts(&mut one).await?["pid"], facts(&mut other).await?["pid"]);
    Ok(())
}

#[tokio::test]
async fn callers_share_a_legacy_process_where_the_configuration_says_so() -> Result<()> {
    for scope in ["shared", "principal"] {
        let vmcp = gateway(entry("b", "legacy", json!({ "process": scope }))).await?;
        let (mut one, mut other) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
        let (first, second) = (facts(&mut one).await?, facts(&mut other).await?);
        assert_eq!((&first["pid"], &second["initialized"]), (&second["pid"], &json!(1)), "{scope}");
    }
    Ok(())
}

#[tokio::test]
async fn each_caller_has_its_own_process_with_its_own_credential() -> Result<()> {
    let more = json!({
        "env": { "GIVEN": "by the operator" },
        "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }],
    });
    for kind in ["legacy", "modern"] {
        let vmcp = Vmcp::with(json!({ "backends": [entry("b", kind, more.clone())] })).env("GATEWAY_SECRET", "stays here").start().await?;
        let mut pids = Vec::new();
        for era in Era::BOTH {
            for token in ["ann's own token", "bob's own token"] {
                let mut client = vmcp.client_of(era).header("x-token", token).connect().await?;
                for _ in 0..3 {
                    let facts = facts(&mut client).await?;
                    assert_eq!(
                        (&facts["token"], &facts["given"], &facts["gateway"]),
                        (&json!(token), &json!("by the operator"), &Value::Null)
                    );
                    pids.push((facts["pid"].clone(), token));
                }
            }
        }
        for (pid, token) in &pids {
            assert!(pids.iter().all(|(other, whose)| other != pid || whose == token), "{kind}: {pids:?}");
        }
        let mut nobody = vmcp.client(Era::Modern).await?;
        assert!(nobody.call("b_facts", "{}").await?.failure()?.contains("x-token"));
        assert!(!vmcp.quit().await?.contains("own token"));
    }
    Ok(())
}

#[tokio::test]
async fn beyond_the_cap_a_session_is_refused_in_words() -> Result<()> {
    // One is the gateway's own, with which it lists.
    let vmcp = gateway(entry("b", "legacy", json!({ "maxProcesses": 2 }))).await?;
    let mut one = vmcp.client(Era::Legacy).await?;
    one.tools().await?;
    facts(&mut one).await?;
    let mut other = vmcp.client(Era::Legacy).await?;
    let failure = other.call("b_facts", "{}").await?.failure()?;
    assert!(failure.contains("`maxProcesses` (2)"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn users_at_the_same_time_reach_their_own_processes_alone() -> Result<()> {
    for (kind, scope) in [("legacy", "session"), ("legacy", "principal"), ("modern", "session"), ("modern", "principal")] {
        let more = json!({ "process": scope, "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }] });
        // The threads that serve connections share the processes.
        let vmcp = Vmcp::with(json!({ "backends": [entry("b", kind, more)] })).args(&["--workers", "3"]).start().await?;
        let user = async |era: Era, token: &'static str| {
            let mut client = vmcp.client_of(era).header("x-token", token).connect().await?;
            let mut pids = Vec::new();
            for _ in 0..5 {
                let mut facts = facts(&mut client).await?;
                anyhow::ensure!(facts["token"] == token, "{kind} {scope} {era:?}: {facts} for {token}");
                pids.push(facts["pid"].take());
            }
            anyhow::Ok(pids)
        };
        let (ann, bob, ann_again, bob_again) = tokio::try_join!(
            user(Era::Legacy, "ann's own token"),
            user(Era::Legacy, "bob's own token"),
            user(Era::Modern, "ann's own token"),
            user(Era::Modern, "bob's own token")
        )?;
        let (ann, bob) = ([ann, ann_again].concat(), [bob, bob_again].concat());
        assert!(ann.iter().all(|pid| !bob.contains(pid)), "{kind} {scope}: {ann:?} {bob:?}");
        if scope == "principal" {
            assert!([ann, bob].iter().all(|pids| pids.iter().all(|pid| *pid == pids[0])), "{kind}: one process for each user");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_no_variable_can_have_is_refused_and_starts_nothing() -> Result<()> {
    let more = json!({ "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }] });
    let vmcp = gateway(entry("b", "modern", more)).await?;
    let client = vmcp.client_of(Era::Modern).header("x-token", b"ann's\0own").connect().await?;
    let request = client.caller.request(&Rpc::tool("b_facts", "{}"), "1");
    let mut conn = Conn::open(vmcp.addr()).await?;
    assert_eq!(conn.exchange(&request).await?.status(), 400);
    assert_eq!(processes(&vmcp).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_process_that_nobody_uses_gives_way_to_another_callers() -> Result<()> {
    let more = json!({ "maxProcesses": 2, "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }] });
    for kind in ["legacy", "modern"] {
        let vmcp = gateway(entry("b", kind, more.clone())).await?;
        let mut pids = Vec::new();
        for token in ["one", "two", "three", "four"] {
            let mut client = vmcp.client_of(Era::Modern).header("x-token", token).connect().await?;
            let mut facts = facts(&mut client).await.with_context(|| format!("{kind} {token}"))?;
            assert_eq!(facts["token"], token);
            pids.push(facts["pid"].take());
            assert!(processes(&vmcp).await? <= 2);
        }
        ends(&pids[0]).await?;
    }
    Ok(())
}

/// How many processes the backend has.
async fn processes(vmcp: &Vmcp) -> Result<u64> {
    let status = Conn::open(vmcp.addr()).await?.exchange(&Request::get("/status")).await?.json()?;
    status["backends"][0]["processes"].as_u64().with_context(|| status.to_string())
}

#[tokio::test]
async fn one_user_has_no_more_processes_than_the_cap_of_each_and_leaves_the_others_theirs() -> Result<()> {
    let entry = entry("b", "legacy", json!({ "maxProcessesPerPrincipal": 2 }));
    let config = serde_json::from_value(json!({ "backends": [entry], "incomingAuth": { "type": "named" } }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let user = async |name: &str| Client::of(Era::Legacy, addr).header("x-user", name).connect().await;
    let (mut one, mut two, mut three, mut other) = (user("ann").await?, user("ann").await?, user("ann").await?, user("bob").await?);
    let pids = [facts(&mut one).await?["pid"].take(), facts(&mut two).await?["pid"].take()];
    assert_ne!(pids[0], pids[1]);
    let failure = three.call("b_facts", "{}").await?.failure()?;
    assert!(failure.contains("`maxProcessesPerPrincipal` (2)"), "{failure}");
    facts(&mut other).await?;
    one.conn.exchange(&one.caller.delete()).await?;
    facts(&mut three).await?;
    gateway.shutdown().await;
    serving.await??;
    for pid in pids {
        ends(&pid).await?;
    }
    Ok(())
}
