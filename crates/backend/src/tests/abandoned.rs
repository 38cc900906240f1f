//! Sessions that nobody waits for any more: the backend must not be left with them.

use crate::{CallerSessions, Error, ErrorKind, Exchange, testing::*};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;
use vmcp_auth::Identity;
use vmcp_core::{Era, config::ProtocolEra, plugin::BoxFuture};

fn legacy_setup() -> Setup {
    Setup::new().keyed().era(ProtocolEra::Legacy)
}

/// Holds back the answers to `initialize` until it is opened.
type Gate = Arc<Mutex<Option<mpsc::UnboundedSender<String>>>>;

/// A server behind a gate, and somebody who wants to call it.
struct Scene {
    server: Server,
    gate: Gate,
    under: Under,
    caller: Identity,
    sessions: Arc<CallerSessions>,
}

impl Scene {
    async fn gated() -> Self {
        let (gate, base) = (Gate::default(), legacy());
        let shut = Arc::clone(&gate);
        let server = Server::start(move |seen| {
            let answer = base(seen);
            if seen.rpc() != "initialize" {
                return answer;
            }
            let (sender, step) = feed();
            *shut.lock().unwrap() = Some(sender);
            answer.first(step)
        })
        .await;
        let under = legacy_setup().at(&server);
        Self { caller: under.caller("ann", &[("x-key", "k")]), sessions: no_sessions(), under, server, gate }
    }
}

/// A call whose handshake has arrived and is not answered.
async fn held<'a>(
    under: &'a Under,
    server: &mut Server,
    caller_era: Era,
    caller: &'a Identity,
    sessions: &'a Arc<CallerSessions>,
) -> BoxFuture<'a, Result<Exchange, Error>> {
    let mut call: BoxFuture<'_, _> = Box::pin(under.open(caller_era, caller, (caller_era == Era::Legacy).then_some(sessions)));
    tokio::select! { _ = &mut call => panic!("must wait"), _ = server.wait_for("initialize") => {} }
    call
}

#[tokio::test]
async fn a_handshake_under_way_when_the_gateway_stops_leaves_no_session() {
    for caller_era in [Era::Legacy, Era::Modern] {
        let Scene { mut server, gate, under, caller, sessions } = Scene::gated().await;
        let call = held(&under, &mut server, caller_era, &caller, &sessions).await;
        let mut closing = Box::pin(under.backend.close());
        tokio::select! { biased; () = &mut closing => panic!("must wait"), () = tokio::task::yield_now() => {} }
        gate.lock().unwrap().take();
        closing.await;
        assert!(matches!(call.await.map(|_| ()).unwrap_err().kind(), ErrorKind::ShuttingDown), "{caller_era:?}");
        assert_eq!((server.count("DELETE"), server.count("tools/call")), (1, 0), "{caller_era:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_its_caller_gave_up_ends_and_its_session_is_closed() {
    for caller_era in [Era::Legacy, Era::Modern] {
        let Scene { mut server, gate, under, caller, sessions } = Scene::gated().await;
        drop(held(&under, &mut server, caller_era, &caller, &sessions).await);
        sessions.end(&[Arc::clone(&under.backend)]);
        gate.lock().unwrap().take();
        let deleted = server.wait_for("DELETE").await;
        assert_eq!((deleted.session(), deleted.header("x-key")), (Some("s0"), None), "{caller_era:?}");
        assert_eq!(server.count("tools/call"), 0, "{caller_era:?}");
    }
}

#[tokio::test]
async fn a_caller_who_ends_a_session_ends_it_at_the_backend_with_the_values_that_opened_it() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let backends = [Arc::clone(&under.backend)];
    for (leaving, sent) in [(vec![("x-key", "k")], Some("k")), (vec![("x-key", "other")], None), (vec![], None)] {
        let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
        drop(under.open(Era::Legacy, &caller, Some(&sessions)).await.unwrap().answer().await);
        sessions.end_as(&backends, &under.caller("ann", &leaving));
        assert_eq!(server.wait_for("DELETE").await.header("x-key"), sent, "{} headers", leaving.len());
    }
    // One that a call still uses is closed after it, on behalf of whoever ended it.
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let call = under.open(Era::Legacy, &caller, Some(&sessions)).await.unwrap();
    sessions.end_as(&backends, &caller);
    drop(call);
    assert_eq!(server.wait_for("DELETE").await.header("x-key"), Some("k"));
}

#[tokio::test]
async fn what_is_opened_after_the_end_of_a_client_session_is_closed_after_its_request() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    sessions.end(&[Arc::clone(&under.backend)]);
    under.legacy_call(&sessions).await;
    assert_eq!(server.wait_for("DELETE").await.session(), Some("s0"));
    assert!(sessions.is_empty());
}

#[tokio::test]
async fn of_too_many_leased_sessions_the_one_that_waited_longest_is_closed() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    for key in 0..65 {
        text(under.call(Era::Modern, &under.caller("ann", &[("x-key", &key.to_string())]), None).await);
    }
    let deleted = server.wait_for("DELETE").await;
    assert_eq!((deleted.session(), deleted.header("x-key"), deleted.header("x-static")), (Some("s0"), None, Some("fixed")));
    under.settle_errands().await;
    assert_eq!((server.count("DELETE"), under.backend.status().pooled_sessions), (1, 64));
}

#[tokio::test]
async fn a_leased_session_that_nobody_uses_for_long_is_closed() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    under.modern_call().await;
    assert_eq!(under.backend.status().pooled_sessions, 1);
    // Only for the leap: on a clock that stands still, waiting for a socket would make it run.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    tokio::time::resume();
    assert_eq!(server.wait_for("DELETE").await.session(), Some("s0"));
    under.settle_errands().await;
    assert_eq!((under.backend.status().pooled_sessions, under.backend.status().open_sessions), (0, 0));
}
