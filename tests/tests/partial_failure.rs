//! One backend's trouble is nobody else's.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
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

/// The median time of `rounds` calls to each of two clients, taken in turns, so that a busy moment of the machine hits both.
async fn medians(rounds: usize, clients: [&mut Client; 2], tool: &str) -> Result<[Duration; 2]> {
    let [one, two] = clients;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (client, times) in [&mut *one, &mut *two].into_iter().zip(&mut times) {
            let begun = Instant::now();
            client.call(tool, "{}").await?.result()?;
            times.push(begun.elapsed());
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    }))
}

/// How long a backend with a full house lets callers wait for its lists; long enough to tell a wait from a busy machine.
const LIST_WAIT: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn dead_slow_and_saturated_backends_cost_the_others_nothing() -> Result<()> {
    tokio::try_join!(beside_broken_backends(Era::Legacy), beside_broken_backends(Era::Modern))?;
    Ok(())
}

async fn beside_broken_backends(backend: Era) -> Result<()> {
    let good = Fixture::start(Spec::new("good", backend)).await?;
    let dead = Fixture::start(Spec::new("dead", backend)).await?;
    let mute = Fixture::start(Spec::new("mute", backend)).await?;
    let full = Fixture::start(Spec::new("full", backend)).await?;
    dead.kill();
    mute.fail(Fault::Hang);
    let calm = Vmcp::serve(json!({ "backends": [good.entry(json!({}))] })).await?;
    let vmcp = Vmcp::serve(json!({
        "aggregation": { "listWait": format!("{}ms", LIST_WAIT.as_millis()) },
        "backends": [
            dead.entry(json!({})),
            mute.entry(json!({ "timeout": "60s" })),
            full.entry(json!({ "maxConcurrent": 2, "timeout": "60s" })),
            good.entry(json!({})),
        ],
    }))
    .await?;
    for era in Era::BOTH {
        let mut client = at_once("initialize", vmcp.client(era)).await?;
        // The first list may wait for the silent backend, and no longer than that; the ones after it have no reason to.
        client.tools().await?;
        let mut hanging = vmcp.client(era).await?;
        hanging.begin(&Rpc::tool("mute_echo", "{}")).await?;

        let started = full.started();
        let mut calls = JoinSet::new();
        for _ in 0..16 {
            let mut client = vmcp.client(era).await?;
            calls.spawn(async move { client.call("full_slow", "{}").await });
        }
        full.until("two calls in flight", |f| f.started() >= started + 2).await?;
        // Two run and eight wait: what is beyond them is refused while all of these are still there.
        for _ in 0..4 {
            let failure = calls.join_next().await.context("no call")???.failure().context("a call beyond the queue")?;
            assert!(
                failure.contains("full") && failure.contains("too many requests"),
                "{backend:?}: backend and reason are named: {failure}"
            );
        }
        assert_eq!(full.started(), started + 2, "{backend:?}: no more than two at a time");

        for _ in 0..5 {
            let begun = Instant::now();
            let tools = client.tools().await?;
            assert!(begun.elapsed() < LIST_WAIT / 2, "{era:?} {backend:?}: a later list took {:?}", begun.elapsed());
            for there in ["good_echo", "full_slow"] {
                assert!(tools.contains(&there.to_owned()), "{era:?} {backend:?}: {there} is not listed: {tools:?}");
            }
            assert!(!tools.iter().any(|tool| tool.starts_with("dead_") || tool.starts_with("mute_")), "{tools:?}");
        }
        let mut undisturbed = calm.client(era).await?;
        let [beside, alone] = medians(60, [&mut client, &mut undisturbed], "good_echo").await?;
        assert!(beside < alone * 10, "{era:?} {backend:?}: a call takes {beside:?} beside broken backends, {alone:?} alone");
        let failure = at_once("a call to a dead backend", async { client.call("dead_echo", "{}").await?.failure() }).await?;
        assert!(failure.contains("dead") && failure.contains("connect"), "backend and phase are named: {failure}");

        full.release(16);
        let mut answered = 0;
        while let Some(reply) = calls.join_next().await {
            match reply??.failure() {
                Err(_) => answered += 1,
                Ok(failure) => assert!(failure.contains("full"), "{failure}"),
            }
        }
        // A list of the gateway's own may have had one of the places.
        assert!((8..=12).contains(&answered), "{era:?} {backend:?}: {answered} of 16 calls were answered");
        // What was released too much would answer calls of the next round.
        full.drain();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_long_arrives_and_holds_up_nobody() -> Result<()> {
    /// Far beyond every wait that has nothing to do with the call itself.
    const LONG: Duration = Duration::from_secs(5);
    let one = async |caller: Era, backend: Era| -> Result<()> {
        let late = Fixture::start(Spec::new("late", backend)).await?;
        let good = Fixture::start(Spec::new("good", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [late.entry(json!({ "timeout": "60s" })), good.entry(json!({}))] })).await?;
        let mut waiting = vmcp.client(caller).await?;
        let mut beside = waiting.sibling().await?;
        let begun = Instant::now();
        waiting.begin(&Rpc::tool("late_slow", "{}")).await?;
        late.until("the call", |f| f.started() == 1).await?;
        let mut answered = 0;
        // The length of the answer is what is tested; calls beside it fill the time.
        while begun.elapsed() < LONG {
            beside.call("good_echo", "{}").await?.result()?;
            answered += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        late.release(1);
        let result = waiting.finish().await?.result().with_context(|| format!("{caller:?} {backend:?}"))?;
        assert_eq!(result["content"][0]["text"], "released", "{caller:?} {backend:?}");
        assert!(answered >= 10, "{caller:?} {backend:?}: {answered} calls beside it in {LONG:?}");
        assert_eq!(late.calls().len(), 1, "{caller:?} {backend:?}: nothing is asked twice");
        Ok(())
    };
    let [a, b, c, d] = Era::PAIRINGS;
    tokio::try_join!(one(a.0, a.1), one(b.0, b.1), one(c.0, c.1), one(d.0, d.1))?;
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
