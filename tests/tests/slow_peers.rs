//! Clients that send or read too slowly: cut off at their timeout, and nobody else waits for them.

use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::{Conn, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    proc_stat::keeps_open,
    process::Vmcp,
};

/// Far more than a client that reads is ever kept from it on a busy machine.
const WRITE_TIMEOUT: Duration = Duration::from_millis(1500);

async fn scene() -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let write = format!("{}ms", WRITE_TIMEOUT.as_millis());
    let config = json!({ "backends": [fixture.entry(json!({}))], "limits": { "readTimeout": "400ms", "writeTimeout": write } });
    let vmcp = Vmcp::serve(config).await?;
    Ok((fixture, vmcp))
}

#[tokio::test]
async fn slow_senders_are_cut_off() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let client = vmcp.client(Era::Legacy).await?;
    let call = client.caller.request(&Rpc::tool("b_echo", "{}"), "1");
    let whole = call.bytes();
    let starts: [(&str, &[u8], Option<u16>); 4] = [
        ("nothing", b"", None),
        ("half a line", b"POST /mc", None),
        ("half a head", &whole[..60], None),
        ("half a body", &whole[..whole.len() - 10], Some(408)),
    ];
    for (what, bytes, status) in starts {
        let mut conn = Conn::open(vmcp.addr()).await?;
        conn.write(bytes).await?;
        let answered = conn.head_or_end().await.with_context(|| format!("a sender of {what} is kept"))?;
        assert_eq!(answered.map(|head| head.status), status, "{what}");
        if status.is_some() {
            conn.body().await?;
        }
        assert!(conn.closes().await.with_context(|| format!("a sender of {what} is kept"))?, "{what}: something follows the refusal");
    }
    let mut conn = Conn::open(vmcp.addr()).await?;
    conn.write(&whole[..whole.len() - 10]).await?;
    conn.half_close().await?;
    let answered = conn.head_or_end().await.context("half a body and a half-close")?;
    assert!(answered.as_ref().is_none_or(|head| head.status == 400), "half a body and a half-close: {answered:?}");
    assert_eq!(fixture.calls().len(), 0);
    vmcp.unharmed().await
}

#[tokio::test]
async fn slow_readers_are_cut_off_and_hold_up_nobody() -> Result<()> {
    let (_fixture, vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        client.call("b_echo", "{}").await?.result()?;
        let mut readers = Vec::new();
        for _ in 0..4 {
            let mut reader = client.sibling().await?;
            reader.conn = Conn::narrow(vmcp.addr()).await?;
            reader.start(&Rpc::tool("b_big", r#"{"bytes":15000000}"#)).await?;
            readers.push(reader);
        }
        // The first client's connection may have idled beyond the read timeout by now.
        let mut beside = client.sibling().await?;
        for _ in 0..20 {
            beside.call("b_echo", "{}").await?.result()?;
        }
        for reader in &mut readers {
            let end = reader.conn.local_addr()?;
            eventually("the gateway gives up on a reader that does not read", async || !keeps_open(vmcp.addr(), end)).await?;
            assert!(reader.conn.body().await.is_err(), "a cut body does not look like a whole one");
        }
    }
    vmcp.unharmed().await
}

#[tokio::test]
async fn slow_readers_of_a_stream_are_cut_off_at_the_write_timeout() -> Result<()> {
    const STEPS: usize = 2000;
    let (_fixture, vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        client.call("b_echo", "{}").await?.result()?;
        // More than all buffers between the two hold: each step carries the token.
        let token = "t".repeat(8 * 1024);
        let rpc = Rpc::tool("b_progress", &format!(r#"{{"steps":{STEPS}}}"#)).meta(&format!(r#""progressToken":"{token}""#));
        let mut reader = client.sibling().await?;
        reader.conn = Conn::narrow(vmcp.addr()).await?;
        let begun = Instant::now();
        let (_, head) = reader.start(&rpc).await?;
        assert_eq!(head.header("content-type"), Some("text/event-stream"), "{era:?}");
        let end = reader.conn.local_addr()?;
        eventually("the gateway gives up on a reader that does not read", async || !keeps_open(vmcp.addr(), end)).await?;
        assert!(begun.elapsed() >= WRITE_TIMEOUT, "{era:?}: cut after {:?}", begun.elapsed());
        assert!(reader.conn.body().await.is_err(), "{era:?}: a cut stream does not look like a whole one");
        // One that reads gets all of it, however long that takes.
        let mut patient = client.sibling().await?;
        patient.start(&rpc).await?;
        let body = String::from_utf8(patient.conn.body().await.with_context(|| format!("{era:?}: a client that reads is cut off"))?)?;
        let steps = body.matches("notifications/progress").count();
        assert_eq!(steps, STEPS, "{era:?}");
    }
    vmcp.unharmed().await
}

#[tokio::test]
async fn a_connection_that_nobody_uses_any_more_is_closed() -> Result<()> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    // Only the time between two requests is short: no other limit can be what closes it.
    let limits = json!({ "keepAliveTimeout": "1s", "readTimeout": "10m", "writeTimeout": "10m" });
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))], "limits": limits })).await?;
    for era in Era::BOTH {
        let client = vmcp.client(era).await?;
        let mut conn = Conn::open(vmcp.addr()).await?;
        let answer = conn.exchange(&client.caller.request(&Rpc::tool("b_echo", "{}"), "1")).await?;
        assert_eq!(answer.status(), 200, "{era:?}");
        assert!(conn.closes().await.with_context(|| format!("{era:?}: kept"))?, "{era:?}: something follows the answer");
    }
    for target in ["/health", "/nowhere"] {
        let mut conn = Conn::open(vmcp.addr()).await?;
        conn.write(format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes()).await?;
        conn.response().await?;
        assert!(conn.closes().await.with_context(|| format!("{target}: kept"))?, "{target}: something follows the answer");
    }
    Ok(())
}
