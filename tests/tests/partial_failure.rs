//! One backend's trouble is nobody else's.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    fixture::{Fault, Fixture, Spec},
    process::Vmcp,
};

/// Far below every timeout in these tests, far above what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn at_once<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    let done = work.await.with_context(|| what.to_owned())?;
    ensure!(begun.elapsed() < AT_ONCE, "{what} took {:?}", begun.elapsed());
    Ok(done)
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_slow_and_saturated_backends_cost_the_others_nothing() -> Result<()> {
    for backend in Era::BOTH {
        let good = Fixture::start(Spec::new("good", backend)).await?;
        let dead = Fixture::start(Spec::new("dead", backend)).await?;
        let slow = Fixture::start(Spec::new("slow", backend)).await?;
        let full = Fixture::start(Spec::new("full", backend)).await?;
        dead.kill();
        slow.fail(Fault::Hang);
        let vmcp = Vmcp::serve(json!({
            "aggregation": { "listWait": "200ms" },
            "backends": [
                dead.entry(json!({})),
                slow.entry(json!({ "timeout": "20s" })),
                full.entry(json!({ "maxConcurrent": 2, "timeout": "20s" })),
                good.entry(json!({})),
            ],
        }))
        .await?;
        for era in Era::BOTH {
            let mut client = at_once("initialize", vmcp.client(era)).await?;
            let started = full.started();
            let mut waiting: Vec<Client> = Vec::new();
            for _ in 0..8 {
                let mut client = vmcp.client(era).await?;
                client.begin(&Rpc::tool("full_slow", "{}")).await?;
                waiting.push(client);
            }
            full.until("two calls in flight", |f| f.started() >= started + 2).await?;
            let mut hanging = vmcp.client(era).await?;
            hanging.begin(&Rpc::tool("slow_echo", "{}")).await?;

            for _ in 0..5 {
                let tools = at_once("a list", client.tools()).await?;
                assert!(tools.contains(&"good_echo".to_owned()), "{tools:?}");
                assert!(!tools.iter().any(|tool| tool.starts_with("dead_") || tool.starts_with("slow_")), "{tools:?}");
            }
            let begun = Instant::now();
            for _ in 0..100 {
                client.call("good_echo", "{}").await?.result()?;
            }
            assert!(begun.elapsed() < AT_ONCE, "100 calls beside broken backends took {:?}", begun.elapsed());
            let failure = at_once("a call to a dead backend", async { client.call("dead_echo", "{}").await?.failure() }).await?;
            assert!(failure.contains("dead") && failure.contains("connect"), "backend and phase are named: {failure}");
            full.release(8);
            for mut client in waiting {
                // The queue of a saturated backend is bounded: its last calls may be refused, but then by name.
                let reply = client.finish().await?;
                if let Ok(failure) = reply.failure() {
                    assert!(failure.contains("full"), "{failure}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_silent_backend_fails_at_its_timeout_naming_itself_and_the_phase() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("mute", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "timeout": "300ms" }))] })).await?;
        let mut client = vmcp.client(caller).await?;
        client.call("mute_echo", "{}").await?.result()?;
        for fault in [Fault::Hang, Fault::HangMidBody] {
            fixture.fail_on("tools/call", fault.clone());
            let failure = at_once("a call to a silent backend", async { client.call("mute_echo", "{}").await?.failure() }).await?;
            assert!(failure.contains("mute") && failure.contains("timed out"), "{caller:?} {backend:?} {fault:?}: {failure}");
        }
        fixture.heal();
        client.call("mute_echo", "{}").await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn progress_keeps_a_call_alive_until_its_longest_duration() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "timeout": "10s", "maxDuration": "400ms" }))] })).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let rpc = Rpc::tool("b_progress", r#"{"steps":3,"hold":true}"#).meta(r#""progressToken":1"#);
    let failure = at_once("a call beyond its longest duration", async { client.send(&rpc).await?.failure() }).await?;
    assert!(failure.contains('b') && failure.contains("400ms"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn every_kind_of_malformed_reply_is_a_named_failure_and_heals() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let spec = Spec::new("odd", backend);
            let odd = Fixture::start(if sse { spec.sse() } else { spec }).await?;
            let vmcp =
                Vmcp::serve(json!({ "backends": [odd.entry(json!({ "timeout": "2s" }))], "limits": { "maxResponseBytes": "256KiB" } }))
                    .await?;
            let mut client = vmcp.client(caller).await?;
            client.call("odd_echo", "{}").await?.result()?;
            let faults = [
                Fault::MalformedJson,
                Fault::NotJsonRpc,
                Fault::NotMcp,
                Fault::WrongId,
                Fault::Empty,
                Fault::CutBeforeHead,
                Fault::CutMidBody,
                Fault::Oversized(1_000_000),
                Fault::Status(400),
                Fault::Status(401),
                Fault::Status(403),
                Fault::Status(405),
                Fault::Status(429),
                Fault::Status(500),
                Fault::Status(503),
            ];
            for fault in faults {
                odd.fail_on("tools/call", fault.clone());
                let reply = client.call("odd_echo", "{}").await?;
                let failure = reply.failure().with_context(|| format!("{caller:?} {backend:?} SSE {sse} {fault:?}"))?;
                assert!(failure.contains("odd"), "{caller:?} {backend:?} {fault:?} does not name the backend: {failure}");
                assert!(![401, 403, 404, 429].contains(&reply.status()), "{fault:?} is shown as the gateway's own {}", reply.status());
                odd.heal();
                client.call("odd_echo", "{}").await?.result().with_context(|| format!("after {fault:?}"))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_repeated() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("once", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "timeout": "300ms" }))] })).await?;
        let mut client = vmcp.client(caller).await?;
        client.call("once_echo", "{}").await?.result()?;
        for fault in [Fault::CutBeforeHead, Fault::CutMidBody, Fault::MalformedJson, Fault::Status(500), Fault::Status(503), Fault::Hang] {
            fixture.fail_on("tools/call", fault.clone());
            let before = fixture.calls().len();
            client.call("once_echo", "{}").await?.failure()?;
            assert_eq!(fixture.calls().len() - before, 1, "{caller:?} {backend:?} {fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_status_tells_who_is_ill() -> Result<()> {
    let good = Fixture::start(Spec::legacy("good")).await?;
    let dead = Fixture::start(Spec::legacy("dead")).await?;
    dead.kill();
    let vmcp = Vmcp::serve(json!({ "backends": [good.entry(json!({})), dead.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.tools().await?;
    client.call("dead_echo", "{}").await?.failure()?;
    let request = vmcp_tests::client::Request::get("/status");
    let status = client.conn.exchange(&request).await?.json()?;
    let health =
        |name: &str| -> Option<Value> { Some(status["backends"].as_array()?.iter().find(|b| b["name"] == name)?["health"].clone()) };
    assert_eq!(health("good"), Some(json!("healthy")), "{status}");
    assert_ne!(health("dead"), Some(json!("healthy")), "{status}");
    assert_eq!(status["healthy"], json!(false), "{status}");
    Ok(())
}
