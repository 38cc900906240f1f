//! Servers that vmcp starts: whose process it is, how it is spoken to, how it ends.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    eventually,
    process::Vmcp,
};

/// An entry for the test server of this kind, with these keys besides.
fn entry(name: &str, kind: &str, more: Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/stdio_server.py");
    let mut entry = json!({ "name": name, "command": "python3", "args": [script, kind] });
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more);
    }
    entry
}

async fn gateway(entry: Value) -> Result<Vmcp> {
    Vmcp::serve(json!({ "backends": [entry] })).await
}

/// What the server tells of its process.
async fn facts(client: &mut Client) -> Result<Value> {
    Ok(client.call("b_facts", "{}").await?.result()?["structuredContent"].take())
}

/// Whether a process runs; one that only waits to be noticed does not.
fn runs(pid: &Value) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn ends(pid: &Value) -> Result<()> {
    eventually(&format!("the end of process {pid}"), async || !runs(pid)).await
}

#[tokio::test]
async fn callers_of_both_eras_use_a_started_server_of_either() -> Result<()> {
    for kind in ["legacy", "modern"] {
        for era in Era::BOTH {
            let vmcp = gateway(entry("b", kind, json!({}))).await?;
            let mut client = vmcp.client(era).await?;
            assert_eq!(client.tools().await?, ["b_facts", "b_crash", "b_hang", "b_echo", "b_big"], "{kind} {era:?}");
            let result = client.call("b_echo", r#"{"text":"ä","n":1.0}"#).await?.result()?;
            assert_eq!(result["structuredContent"]["arguments"], json!({"text": "ä", "n": 1.0}), "{kind} {era:?}");
        }
    }
    Ok(())
}

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
        assert!(!vmcp.log().contains("own token"));
    }
    Ok(())
}

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
async fn a_server_that_is_silent_on_the_probe_is_a_legacy_one() -> Result<()> {
    let vmcp = gateway(entry("b", "silent", json!({ "timeout": "2s" }))).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    assert_eq!(facts(&mut client).await?["initialized"], 1);
    Ok(())
}

#[tokio::test]
async fn what_a_server_prints_is_no_message_and_no_secret_of_the_log() -> Result<()> {
    let vmcp = gateway(entry("b", "noisy", json!({ "env": { "TOKEN": "hunter2hunter2" } }))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    assert_eq!(facts(&mut client).await?["token"], "hunter2hunter2");
    vmcp.logged("the token is [TOKEN]").await?;
    vmcp.logged("only messages belong there").await?;
    assert!(!vmcp.log().contains("hunter2") && !vmcp.log().contains("Server started"));
    Ok(())
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_cancelled_at_the_server() -> Result<()> {
    for kind in ["legacy", "modern"] {
        let vmcp = gateway(entry("b", kind, json!({ "process": "shared" }))).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        facts(&mut client).await?;
        let mut sibling = client.sibling().await?;
        sibling.begin(&Rpc::tool("b_hang", "{}")).await?;
        eventually("the call to begin", async || facts(&mut client).await.is_ok_and(|facts| facts["count"].as_u64() >= Some(3))).await?;
        drop(sibling);
        let told = async || facts(&mut client).await.is_ok_and(|facts| facts["cancelled"].as_array().is_some_and(|all| all.len() == 1));
        eventually("the cancel", told).await.with_context(|| kind)?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_beyond_the_limit_fails_its_call_and_not_the_process() -> Result<()> {
    let vmcp = Vmcp::serve(json!({ "backends": [entry("b", "modern", json!({}))], "limits": { "maxResponseBytes": "64KiB" } })).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let before = facts(&mut client).await?;
    let failure = client.call("b_big", r#"{"bytes":200000}"#).await?.failure()?;
    assert!(failure.contains("65536 bytes"), "{failure}");
    assert_eq!(facts(&mut client).await?["pid"], before["pid"]);
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
    let status = client.conn.exchange(&vmcp_tests::client::Request::get("/status")).await?.json()?;
    assert_eq!((&status["backends"][0]["transport"], &status["backends"][0]["processes"]), (&json!("stdio"), &json!(1)));
    Ok(())
}

#[tokio::test]
async fn calls_over_one_pipe_do_not_wait_for_each_other() -> Result<()> {
    let vmcp = gateway(entry("b", "modern", json!({}))).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let mut hanging = client.sibling().await?;
    hanging.begin(&Rpc::tool("b_hang", "{}")).await?;
    for _ in 0..20 {
        tokio::time::timeout(Duration::from_secs(5), facts(&mut client)).await??;
    }
    Ok(())
}
