//! Who may stop a running call, and how: a notification in the legacy era, hanging up in the modern one.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::timeout;
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    fixture::{Fault, Fixture, Spec},
    process::Vmcp,
};

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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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

/// What a backend is told that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Cancel,
    End,
    Level,
}

impl Told {
    const ALL: [Self; 3] = [Self::Cancel, Self::End, Self::Level];

    /// The method at the backend.
    fn name(self) -> &'static str {
        match self {
            Self::Cancel => "notifications/cancelled",
            Self::End => "DELETE",
            Self::Level => "logging/setLevel",
        }
    }

    /// How many of them the backend got.
    fn count(self, fixture: &Fixture) -> usize {
        fixture.requests().iter().filter(|request| request.method.as_deref().unwrap_or(request.verb.as_str()) == self.name()).count()
    }

    /// Has a client cause one. Its call is under way where that is to be cancelled.
    async fn cause(self, (client, call): &mut (Client, u64)) -> Result<()> {
        let mut beside = client.sibling().await?;
        let request = match self {
            Self::Cancel => beside.caller.notification(&Rpc::new("notifications/cancelled", format!(r#""requestId":{call}"#))),
            Self::End => beside.caller.delete(),
            Self::Level => beside.caller.request(&Rpc::new("logging/setLevel", r#""level":"error""#), "5"),
        };
        assert!(beside.conn.exchange(&request).await?.status() < 300, "{self:?}");
        Ok(())
    }
}

#[tokio::test]
async fn what_a_backend_is_told_of_one_kind_does_not_wait_behind_many_of_another() -> Result<()> {
    // As many as are told at once, and some that wait.
    const AT_ONCE: usize = 16;
    const MANY: usize = AT_ONCE + 4;
    for flood in Told::ALL {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b").interactive()).await?;
        let mut clients = Vec::new();
        for kind in std::iter::repeat_n(flood, MANY).chain(Told::ALL) {
            let mut client = vmcp.client(Era::Legacy).await?;
            client.call("b_echo", "{}").await?.result()?;
            let call = if kind == Told::Cancel { client.begin(&Rpc::tool("b_slow", "{}")).await? } else { 0 };
            clients.push((client, call));
        }
        let running = if flood == Told::Cancel { MANY + 1 } else { 1 };
        fixture.until("the calls", |f| f.started() == running).await?;
        fixture.fail_on(flood.name(), Fault::Hang);
        for client in &mut clients[..MANY] {
            flood.cause(client).await?;
        }
        fixture.until("those that are told at once", |f| flood.count(f) == AT_ONCE).await?;
        for (other, client) in Told::ALL.into_iter().zip(&mut clients[MANY..]).filter(|(other, _)| *other != flood) {
            let before = other.count(&fixture);
            let heard = async {
                other.cause(client).await?;
                fixture.until("the other", |f| other.count(f) > before).await
            };
            // Less than what hangs is given.
            timeout(Duration::from_secs(4), heard).await.with_context(|| format!("{other:?} waits behind {flood:?}"))??;
        }
    }
    Ok(())
}
