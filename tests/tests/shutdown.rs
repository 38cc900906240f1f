//! The end: nothing new, what runs is finished, what was opened is closed.

use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::{Conn, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn a_signal_lets_running_calls_finish_and_closes_backend_sessions() -> Result<()> {
    for signal in ["TERM", "INT"] {
        for (caller, backend) in Era::PAIRINGS {
            let fixture = Fixture::start(Spec::new("b", backend)).await?;
            let mut vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
            let mut client = vmcp.client(caller).await?;
            client.tools().await?;
            client.begin(&Rpc::tool("b_slow", "{}")).await?;
            fixture.until("the call", |f| f.started() == 1).await?;
            vmcp.signal(signal).await?;
            let addr = vmcp.addr();
            eventually("the port is closed", async || Conn::open(addr).await.is_err()).await?;
            fixture.release(1);
            client.finish().await?.result().with_context(|| format!("{signal} {caller:?} {backend:?}"))?;
            let status = vmcp.ended().await?;
            assert!(status.success(), "{signal}: {status}\n{}", vmcp.log());
            assert_eq!(fixture.live_sessions(), 0, "{signal} {caller:?} {backend:?}: sessions are left open at the backend");
            eventually("no connection is left", async || fixture.open_connections() == 0).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_deadline_ends_calls_that_do_not() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let mut vmcp = Vmcp::serve(json!({ "limits": { "shutdownTimeout": "300ms" }, "backends": [fixture.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.begin(&Rpc::tool("b_slow", "{}")).await?;
    fixture.until("the call", |f| f.started() == 1).await?;
    let begun = Instant::now();
    vmcp.signal("TERM").await?;
    vmcp.ended().await?;
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn open_streams_and_idle_connections_do_not_hold_up_the_end() -> Result<()> {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", era)).await?;
        let mut vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
        let client = vmcp.client(era).await?;
        let mut stream = client.listen().await?;
        let begun = Instant::now();
        vmcp.signal("TERM").await?;
        let status = vmcp.ended().await?;
        assert!(status.success() && begun.elapsed() < Duration::from_secs(5), "{era:?}: {status} after {:?}", begun.elapsed());
        while let Ok(Some(event)) = stream.next().await {
            assert_ne!(event.json()["method"], "notifications/tools/list_changed", "the end is no change of a list");
        }
    }
    Ok(())
}
