//! How processes are spoken to.

use super::{entry, facts, gateway, script};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use vmcp_tests::{
    Era,
    client::{Client, Request, Rpc},
    eventually,
    process::Vmcp,
};

#[tokio::test]
async fn callers_of_both_eras_use_a_started_server_of_either() -> Result<()> {
    for kind in ["legacy", "modern"] {
        for era in Era::BOTH {
            let vmcp = gateway(entry("b", kind, json!({}))).await?;
            let mut client = vmcp.client(era).await?;
            assert_eq!(
                client.tools().await?,
                ["b_facts", "b_crash", "b_hang", "b_echo", "b_big", "b_change", "b_ask", "b_batch"],
                "{kind} {era:?}"
            );
            let result = client.call("b_echo", r#"{"text":"ä","n":1.0}"#).await?.result()?;
            assert_eq!(result["structuredContent"]["arguments"], json!({"text": "ä", "n": 1.0}), "{kind} {era:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_silent_on_the_probe_or_falls_over_it_is_a_legacy_one() -> Result<()> {
    for kind in ["silent", "fragile"] {
        let vmcp = gateway(entry("b", kind, json!({ "timeout": "2s" }))).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        assert_eq!(facts(&mut client).await.with_context(|| kind)?["initialized"], 1, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_server_that_is_silent_on_initialize_serves_an_old_client_that_comes_first() -> Result<()> {
    // Nobody but a caller can have it started.
    let own = json!({ "timeout": "2s", "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }] });
    let vmcp = gateway(entry("b", "mute", own)).await?;
    let mut client = vmcp.client_of(Era::Legacy).header("x-token", "ann's own").connect().await?;
    let first = facts(&mut client).await?;
    assert_eq!((&first["token"], &first["count"]), (&json!("ann's own"), &json!(1)));
    // What was found out stays found out, and the process that was asked is the one that serves.
    let mut other = vmcp.client_of(Era::Legacy).header("x-token", "ann's own").connect().await?;
    let second = facts(&mut other).await?;
    assert_eq!((&second["pid"], &second["count"]), (&first["pid"], &json!(2)));
    let status = client.conn.exchange(&Request::get("/status")).await?.json()?;
    assert_eq!((&status["backends"][0]["legacy"], &status["backends"][0]["modern"]), (&json!("no"), &json!("yes")), "{status}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_an_old_client_has_started_is_asked_for_its_era_in_the_process_that_serves() -> Result<()> {
    let own = json!({ "maxProcesses": 1, "passthroughHeaders": [{ "name": "x-token", "asEnv": "TOKEN", "required": true }] });
    let vmcp = gateway(entry("b", "legacy", own)).await?;
    let mut client = vmcp.client_of(Era::Legacy).header("x-token", "ann's own").connect().await?;
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
    let log = vmcp.quit().await?;
    let line = log.lines().find(|line| line.contains("the token is")).context("no line")?;
    assert!(line.contains(r#""backend":"b""#), "{line}");
    assert!(!log.contains("hunter2") && !log.contains("Server started"));
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
        // Every question counts as a call too: it has begun when there is one more than were asked.
        let mut own = 1;
        let begun = async || {
            own += 1;
            facts(&mut client).await.is_ok_and(|facts| facts["count"].as_u64() > Some(own))
        };
        eventually("the call to begin", begun).await?;
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
async fn a_server_that_tells_much_at_once_fails_no_call_whose_caller_reads() -> Result<()> {
    for kind in ["legacy", "modern"] {
        let vmcp = gateway(entry("b", kind, json!({}))).await?;
        for era in Era::BOTH {
            let mut client = vmcp.client(era).await?;
            facts(&mut client).await?;
            let rpc = Rpc::tool("b_big", r#"{"bytes":5,"steps":3000}"#).meta(r#""progressToken":"t""#);
            let reply = client.send(&rpc).await?;
            assert_eq!(reply.result()?["content"][0]["text"], "xxxxx", "{kind} {era:?}");
            let steps = reply.notes.iter().map(|note| note["params"]["progress"].as_u64());
            assert!(steps.eq((0..3000).map(Some)), "{kind} {era:?}: {} of 3000", reply.notes.len());
        }
    }
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

#[tokio::test]
async fn the_file_of_another_client_is_served_as_it_stands() -> Result<()> {
    let server = json!({ "command": "python3", "args": [script(), "legacy"], "env": { "GIVEN": "by the file" } });
    let vmcp = Vmcp::serve(json!({ "mcpServers": { "B": server } })).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        assert_eq!(facts(&mut client).await?["given"], "by the file");
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_a_servers_lists_reaches_its_callers() -> Result<()> {
    for kind in ["legacy", "modern"] {
        for era in Era::BOTH {
            let at = format!("{kind} server, {era:?} caller");
            let entry = entry("b", kind, json!({ "process": "shared" }));
            let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
            let mut client = vmcp.client(era).await?;
            client.tools().await?;
            let mut stream = client.listen().await?;
            if kind == "modern" {
                let heard = async || facts(&mut client).await.is_ok_and(|facts| facts["listeners"] == 1);
                eventually("the gateway listens", heard).await.with_context(|| at.clone())?;
            }
            client.call("b_change", "{}").await?.result()?;
            let note = stream.next().await.with_context(|| at.clone())?.with_context(|| at.clone())?.json();
            assert_eq!(note["method"], "notifications/tools/list_changed", "{at}");
            assert!(client.tools().await?.contains(&"b_fresh".to_owned()), "{at}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_is_taken_from_a_server_of_the_revision_that_has_them_whole_and_by_all_who_share_it() -> Result<()> {
    for process in ["session", "shared"] {
        let vmcp = Vmcp::serve(json!({
            "aggregation": { "listTtl": "1h" },
            "backends": [entry("b", "oldest", json!({ "process": process }))],
        }))
        .await?;
        let (mut one, mut other) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
        facts(&mut other).await?;
        one.tools().await?;
        let mut stream = one.listen().await?;
        one.call("b_batch", "{}").await?.result().context(process)?;
        if process == "shared" {
            // Another process has a list of its own.
            let note = stream.next().await?.context("the stream ended")?.json();
            assert_eq!(note["method"], "notifications/tools/list_changed");
        }
        // What is asked among the rest is answered, once.
        let refused = async || facts(&mut one).await.is_ok_and(|facts| facts["refused"] == 1);
        eventually("the refusal", refused).await.context(process)?;
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_out_of_a_batch_of_a_server_whose_revision_has_none() -> Result<()> {
    for (kind, era) in [("legacy", Era::Legacy), ("modern", Era::Modern)] {
        let entry = entry("b", kind, json!({ "process": "shared" }));
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
        let mut client = vmcp.client(era).await?;
        let failure = client.call("b_batch", "{}").await?.failure()?;
        assert!(failure.contains("batches"), "{kind}: {failure}");
        assert_eq!(facts(&mut client).await?["refused"], 0, "{kind}: what it asked is not heard");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_server_asks_during_a_call_is_answered_by_the_callers_client() -> Result<()> {
    let vmcp = gateway(entry("b", "legacy", json!({}))).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
    let mut call = client.sibling().await?;
    call.start(&Rpc::tool("b_ask", "{}")).await?;
    let mut buffer = Vec::new();
    let question = call.conn.event(&mut buffer).await?.context("no question")?.json();
    assert_eq!(question["method"], "roots/list", "{question}");
    let answer = client.caller.answer(&question["id"], r#""result":{"roots":[{"uri":"file:///mine"}]}"#);
    assert_eq!(client.conn.exchange(&answer).await?.status(), 202);
    let result: Value = call.conn.event(&mut buffer).await?.context("no result")?.json();
    assert_eq!(result["result"]["structuredContent"], json!({ "roots": [{ "uri": "file:///mine" }] }), "{result}");
    Ok(())
}

#[tokio::test]
async fn nobody_is_asked_anything_by_a_server_that_several_sessions_share() -> Result<()> {
    let vmcp = gateway(entry("b", "legacy", json!({ "process": "shared" }))).await?;
    let client = async || vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await;
    let (mut one, mut other) = (client().await?, client().await?);
    facts(&mut other).await?;
    let result = one.call("b_ask", "{}").await?.result()?;
    assert_eq!(result["structuredContent"], json!({ "error": -32601 }));
    Ok(())
}

/// Two sessions' calls of a tool that waits, which have one id and one token, in progress at a process that the sessions share.
async fn twins(vmcp: &Vmcp, observer: &mut Client) -> Result<([Client; 2], u64)> {
    let (mut ann, mut bob) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
    let mut ids = Vec::new();
    for (client, whose, steps) in [(&mut ann, "ann", 3), (&mut bob, "bob", 5)] {
        let rpc = Rpc::tool("b_hang", &format!(r#"{{"whose":"{whose}","steps":{steps}}}"#)).meta(r#""progressToken":1"#);
        ids.push(client.begin(&rpc).await?);
    }
    assert_eq!(ids[0], ids[1], "the ids are equal");
    eventually("both calls", async || facts(observer).await.is_ok_and(|facts| facts["hanging"] == 2)).await?;
    Ok(([ann, bob], ids[0]))
}

#[tokio::test]
async fn progress_under_one_token_reaches_each_session_of_a_shared_process_from_its_own_call() -> Result<()> {
    for kind in ["legacy", "modern"] {
        let vmcp = gateway(entry("b", kind, json!({ "process": "shared" }))).await?;
        let mut observer = vmcp.client(Era::Legacy).await?;
        let (clients, _) = twins(&vmcp, &mut observer).await?;
        observer.call("b_facts", r#"{"release":true}"#).await?.result()?;
        for (mut client, whose, steps) in
            clients.into_iter().zip([("ann", 3), ("bob", 5)]).map(|(client, (whose, steps))| (client, whose, steps))
        {
            let reply = client.finish().await?;
            assert_eq!(reply.result()?["structuredContent"]["whose"], whose, "{kind}");
            let heard: Vec<_> = reply.notes.iter().map(|note| (&note["params"]["progress"], &note["params"]["message"])).collect();
            let own: Vec<_> = (1..=steps).map(|step| (json!(step), json!(whose))).collect();
            assert!(heard.iter().copied().eq(own.iter().map(|(step, whose)| (step, whose))), "{kind}: {heard:?}");
            assert!(reply.notes.iter().all(|note| note["params"]["progressToken"] == 1), "{kind}: {:?}", reply.notes);
        }
    }
    Ok(())
}

#[tokio::test]
async fn of_two_calls_with_one_id_at_a_shared_process_that_of_the_session_that_cancels_is_cancelled() -> Result<()> {
    for kind in ["legacy", "modern"] {
        for goes in [0, 1] {
            let vmcp = gateway(entry("b", kind, json!({ "process": "shared" }))).await?;
            let mut observer = vmcp.client(Era::Legacy).await?;
            let (mut clients, id) = twins(&vmcp, &mut observer).await?;
            let mut beside = clients[goes].sibling().await?;
            let note = Rpc::new("notifications/cancelled", format!(r#""requestId":{id}"#));
            assert_eq!(beside.conn.exchange(&beside.caller.notification(&note)).await?.status(), 202);
            let told =
                async || facts(&mut observer).await.is_ok_and(|facts| facts["cancelled"].as_array().is_some_and(|all| all.len() == 1));
            eventually("the cancel", told).await.with_context(|| kind)?;
            observer.call("b_facts", r#"{"release":true}"#).await?.result()?;
            let kept = clients[1 - goes].finish().await?.result().with_context(|| format!("{kind}: the other session's call goes on"))?;
            assert_eq!(kept["structuredContent"]["whose"], ["bob", "ann"][goes], "{kind}");
        }
    }
    Ok(())
}
