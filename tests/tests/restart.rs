//! Session ids that outlive the process, and the ones that do not.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::time::Duration;
use vmcp_tests::{
    Era,
    client::{Client, Conn, Request, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn config(fixture: &Fixture, sessions: &Value) -> Value {
    json!({ "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))], "sessions": sessions })
}

/// The gateway dies without a warning and another one takes its port.
async fn replaced(vmcp: Vmcp, config: Value) -> Result<Vmcp> {
    let port = vmcp.addr().port();
    vmcp.kill().await?;
    Vmcp::with(config).port(port).start().await
}

async fn status_of(client: &Client) -> Result<u16> {
    let request = client.caller.request(&Rpc::tool("b_echo", "{}"), "4711");
    Ok(Conn::open(client.addr).await?.exchange(&request).await?.status())
}

#[tokio::test]
async fn with_a_configured_key_the_next_call_after_a_restart_works() -> Result<()> {
    for backend in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let config = config(&fixture, &json!({ "keys": [key(1)] }));
        let vmcp = Vmcp::serve(config.clone()).await?;
        let mut clients = Vec::new();
        for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
            let mut client = vmcp.client_of(Era::Legacy).revision(revision).header("x-key", revision).connect().await?;
            assert_eq!(client.caller.revision, revision);
            client.call("b_echo", "{}").await?.result()?;
            clients.push((revision, client));
        }
        let vmcp = replaced(vmcp, config).await?;
        fixture.forget_requests();
        for (revision, client) in clients {
            let at = format!("{backend:?} backend, session of {revision}");
            let mut client = client.sibling().await?;
            client.call("b_echo", r#"{"again":true}"#).await?.result().with_context(|| at.clone())?;
            assert!(client.tools().await?.contains(&"b_echo".to_owned()), "{at}");
            let batch = client.caller.request(&Rpc::new("ping", ""), "1");
            let batch = Request { body: [b"[", batch.body.as_slice(), b"]"].concat(), ..batch };
            let expected = if revision == "2025-03-26" { 200 } else { 400 };
            assert_eq!(client.conn.exchange(&batch).await?.status(), expected, "{at}: it is still the same revision's");
            assert_eq!(fixture.calls().last().and_then(|call| call.value("x-key").map(str::to_owned)), Some(revision.to_owned()), "{at}");
        }
        assert_eq!(fixture.calls().len(), 3, "{backend:?}: each call arrives once");
        assert_eq!(fixture.violations(), Vec::<String>::new());
        drop(vmcp);
    }
    Ok(())
}

#[tokio::test]
async fn without_a_configured_key_ids_end_with_the_process() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let config = config(&fixture, &json!({}));
    let vmcp = Vmcp::serve(config.clone()).await?;
    let client = vmcp.client(Era::Legacy).await?;
    assert_eq!(status_of(&client).await?, 200);
    let _vmcp = replaced(vmcp, config).await?;
    assert_eq!(status_of(&client).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_rotated_key_still_opens_what_it_sealed_and_a_removed_one_does_not() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, &json!({ "keys": [key(1)] }))).await?;
    let client = vmcp.client(Era::Legacy).await?;
    let vmcp = replaced(vmcp, config(&fixture, &json!({ "keys": [key(2), key(1)] }))).await?;
    assert_eq!(status_of(&client).await?, 200);
    let newer = vmcp.client(Era::Legacy).await?;
    let _vmcp = replaced(vmcp, config(&fixture, &json!({ "keys": [key(2)] }))).await?;
    assert_eq!(status_of(&client).await?, 404);
    assert_eq!(status_of(&newer).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_forged_foreign_or_deleted_id_is_not_found_and_harms_no_session() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, &json!({ "keys": [key(1)] }))).await?;
    let elsewhere = Vmcp::serve(config(&fixture, &json!({ "keys": [key(3)] }))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.call("b_echo", "{}").await?.result()?;
    let id = client.caller.session.clone().context("no session")?;
    assert!(id.starts_with("v1.") && id.len() <= 512, "{id}");

    let mut other = client.sibling().await?;
    let mut forgeries: Vec<String> =
        vec![id[..id.len() - 1].to_owned(), format!("{id}A"), id.to_uppercase(), "v1.".to_owned(), format!("v2.{}", &id[3..])];
    // Every character counts, not only those of a signature at the end.
    for position in (3..id.len()).step_by(5) {
        let mut bytes = id.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        forgeries.push(String::from_utf8(bytes)?);
    }
    forgeries.push(elsewhere.client(Era::Legacy).await?.caller.session.context("no session")?);
    for forged in forgeries.into_iter().filter(|forged| *forged != id) {
        other.caller.session = Some(forged.clone());
        assert_eq!(status_of(&other).await?, 404, "{forged}");
    }
    client.call("b_echo", "{}").await?.result().context("the real session lives on")?;

    let ended = client.conn.exchange(&client.caller.delete()).await?.status();
    assert!([200, 202, 204].contains(&ended), "DELETE: {ended}");
    assert_eq!(status_of(&client).await?, 404, "a deleted session");
    let again = client.conn.exchange(&client.caller.delete()).await?;
    assert_eq!(again.status(), 404, "deleted twice");
    fixture.until("the backend session's end", |f| f.requests().iter().any(|request| request.verb == "DELETE")).await
}

#[tokio::test]
async fn an_id_that_is_too_old_is_not_taken_over() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, &json!({ "keys": [key(1)] }))).await?;
    let client = vmcp.client(Era::Legacy).await?;
    // Issue times count seconds.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let _vmcp = replaced(vmcp, config(&fixture, &json!({ "keys": [key(1)], "maxAge": "1s" }))).await?;
    assert_eq!(status_of(&client).await?, 404);
    Ok(())
}

/// How long an idle session lives in the tests of it, and how long these wait: the limit itself, and what two clocks may differ by.
/// That is more than what comes between the last use and the wait takes on a busy machine.
const LIFE: &str = "2s";
const BEYOND: Duration = Duration::from_millis(2050);

#[tokio::test]
async fn an_idle_session_expires_and_its_backend_session_with_it() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, &json!({ "keys": [key(1)], "idleTimeout": LIFE }))).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.call("b_echo", "{}").await?.result()?;
    let used = fixture.calls()[0].session().context("no backend session")?.to_owned();
    tokio::time::sleep(BEYOND).await;
    assert_eq!(status_of(&client).await?, 404);
    assert_eq!(status_of(&client).await?, 404, "its id, though sealed with a configured key, opens nothing in this process");
    fixture.until("the backend session's end", |f| f.requests().iter().any(|r| r.verb == "DELETE" && r.session() == Some(&*used))).await
}

#[tokio::test]
async fn an_open_stream_keeps_a_session_from_expiring() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(config(&fixture, &json!({ "idleTimeout": LIFE }))).await?;
    let (streaming, idle) = (vmcp.client(Era::Legacy).await?, vmcp.client(Era::Legacy).await?);
    for client in [&streaming, &idle] {
        assert_eq!(status_of(client).await?, 200);
    }
    let stream = streaming.listen().await?;
    tokio::time::sleep(BEYOND).await;
    assert_eq!(status_of(&idle).await?, 404, "the time has passed");
    assert_eq!(status_of(&streaming).await?, 200);
    drop(stream);
    Ok(())
}
