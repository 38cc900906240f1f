//! Who may stop a running call, and how: a notification in the legacy era, hanging up in the modern one.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene(backend: Era) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::new("b", backend)).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
    Ok((fixture, vmcp))
}

/// Waits until the backend knows that nobody waits for its call any more.
async fn cancelled(fixture: &Fixture, backend: Era) -> Result<()> {
    match backend {
        Era::Modern => fixture.until("the stream's end", |f| f.abandoned() == 1).await,
        Era::Legacy => {
            fixture.until("notifications/cancelled", |f| !f.requests_of("notifications/cancelled").is_empty()).await?;
            let call = fixture.calls().pop().context("no call")?;
            let notes = fixture.requests_of("notifications/cancelled");
            assert_eq!(notes.len(), 1);
            assert_eq!(notes[0].json()["params"]["requestId"], call.json()["id"], "the backend's own id");
            assert_eq!(notes[0].session(), call.session());
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_modern_caller_that_hangs_up_cancels_its_call() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        client.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the call", |f| f.started() == 1).await?;
        drop(client);
        cancelled(&fixture, backend).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_caller_that_hangs_up_in_the_middle_of_a_stream_cancels_its_call() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        client.start(&Rpc::tool("b_progress", r#"{"steps":2,"hold":true}"#).meta(r#""progressToken":1"#)).await?;
        client.conn.event(&mut Vec::new()).await?.context("no step")?;
        drop(client);
        cancelled(&fixture, backend).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_legacy_caller_that_loses_its_connection_does_not() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let client = vmcp.client(Era::Legacy).await?;
        let mut lost = client.sibling().await?;
        lost.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the call", |f| f.started() == 1).await?;
        drop(lost);
        // Enough traffic for the gateway to have noticed that the connection is gone.
        let mut client = client;
        for _ in 0..50 {
            client.call("b_echo", "{}").await?.result()?;
        }
        assert_eq!(fixture.abandoned(), 0, "{backend:?}");
        assert!(fixture.requests_of("notifications/cancelled").is_empty(), "{backend:?}");
        fixture.release(1);
        for _ in 0..5 {
            client.call("b_echo", "{}").await?.result()?;
        }
        assert_eq!(fixture.abandoned(), 0, "{backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_legacy_caller_cancels_with_a_notification() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let client = vmcp.client(Era::Legacy).await?;
        let mut caller = client.sibling().await?;
        let id = caller.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the call", |f| f.started() == 1).await?;
        let mut other = client.sibling().await?;
        let note = Rpc::new("notifications/cancelled", format!(r#""requestId":{id},"reason":"enough""#));
        assert_eq!(other.conn.exchange(&other.caller.notification(&note)).await?.status(), 202);
        cancelled(&fixture, backend).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_cannot_cancel_another_ones_call() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let mut caller = vmcp.client(Era::Legacy).await?;
        let id = caller.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the call", |f| f.started() == 1).await?;
        let mut stranger = vmcp.client(Era::Legacy).await?;
        for id in [id, 0, 1, 2, 3] {
            let note = Rpc::new("notifications/cancelled", format!(r#""requestId":{id}"#));
            assert_eq!(stranger.conn.exchange(&stranger.caller.notification(&note)).await?.status(), 202);
        }
        stranger.call("b_echo", "{}").await?.result()?;
        assert!(fixture.abandoned() == 0 && fixture.requests_of("notifications/cancelled").is_empty(), "{backend:?}");
        fixture.release(1);
        caller.finish().await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_session_cancels_what_runs_in_it() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let client = vmcp.client(Era::Legacy).await?;
        let mut caller = client.sibling().await?;
        caller.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the call", |f| f.started() == 1).await?;
        let mut other = client.sibling().await?;
        other.conn.exchange(&other.caller.delete()).await?;
        match backend {
            Era::Modern => fixture.until("the stream's end", |f| f.abandoned() == 1).await?,
            Era::Legacy => fixture.until("the session's end", |f| f.requests().iter().any(|r| r.verb == "DELETE")).await?,
        }
    }
    Ok(())
}

#[tokio::test]
async fn of_two_calls_in_a_session_the_one_that_is_named_is_cancelled() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let client = vmcp.client(Era::Legacy).await?;
        let (mut stays, mut goes, mut other) = (client.sibling().await?, client.sibling().await?, client.sibling().await?);
        let kept = stays.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("the first call", |f| f.started() == 1).await?;
        // Each counts by itself: without this both calls had one id.
        goes.send(&Rpc::new("ping", "")).await?.result()?;
        let id = goes.begin(&Rpc::tool("b_slow", "{}")).await?;
        assert_ne!(id, kept);
        fixture.until("the second call", |f| f.started() == 2).await?;
        let note = Rpc::new("notifications/cancelled", format!(r#""requestId":{id}"#));
        assert_eq!(other.conn.exchange(&other.caller.notification(&note)).await?.status(), 202);
        cancelled(&fixture, backend).await?;
        fixture.release(2);
        stays.finish().await?.result().with_context(|| format!("{backend:?}: the other call goes on"))?;
    }
    Ok(())
}

#[tokio::test]
async fn of_two_calls_with_one_id_that_of_the_session_that_cancels_is_cancelled() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend).await?;
        let (mut stays, mut goes) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
        let mut other = goes.sibling().await?;
        let kept = stays.begin(&Rpc::tool("b_slow", r#"{"whose":"kept"}"#)).await?;
        let id = goes.begin(&Rpc::tool("b_slow", r#"{"whose":"cancelled"}"#)).await?;
        assert_eq!(id, kept, "the ids are equal");
        fixture.until("both calls", |f| f.started() == 2).await?;
        let note = Rpc::new("notifications/cancelled", format!(r#""requestId":{id}"#));
        assert_eq!(other.conn.exchange(&other.caller.notification(&note)).await?.status(), 202);
        match backend {
            Era::Modern => fixture.until("the stream's end", |f| f.abandoned() == 1).await?,
            Era::Legacy => {
                fixture.until("notifications/cancelled", |f| !f.requests_of("notifications/cancelled").is_empty()).await?;
                let calls = fixture.calls();
                let call = calls.iter().find(|call| call.json()["params"]["arguments"]["whose"] == "cancelled").context("no call")?;
                let notes = fixture.requests_of("notifications/cancelled");
                assert_eq!((notes.len(), notes[0].session()), (1, call.session()));
                assert_eq!(notes[0].json()["params"]["requestId"], call.json()["id"]);
            }
        }
        fixture.release(2);
        stays.finish().await?.result().with_context(|| format!("{backend:?}: the other session's call goes on"))?;
    }
    Ok(())
}
