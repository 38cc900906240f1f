//! Backends that take connections and then say nothing.

use crate::{CallerSessions, Health, testing::*};
use futures_util::future::try_join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vmcp_core::{Era, config::ProtocolEra};

const SILENCE: Duration = Duration::from_millis(100);

fn hurried(era: ProtocolEra) -> Setup {
    let mut setup = Setup::new().era(era);
    setup.timeout = SILENCE;
    setup
}

/// Eight calls at once, and what each of them is told.
async fn eight_calls(under: &Under, era: Era, sessions: Option<&Arc<CallerSessions>>) -> Vec<String> {
    let caller = under.caller("", &[]);
    let call = || async { Ok::<_, ()>(failure(under.call(era, &caller, sessions).await)) };
    try_join_all((0..8).map(|_| call())).await.unwrap()
}

#[tokio::test]
async fn who_waits_for_one_handshake_is_told_at_once_that_it_hangs() {
    for era in [ProtocolEra::Legacy, ProtocolEra::Auto] {
        let server = Server::start(|_| Answer::never()).await;
        let under = hurried(era).at(&server);
        for told in eight_calls(&under, Era::Legacy, Some(&no_sessions())).await {
            assert_eq!(told, "backend `b`: initialize timed out after 100ms");
        }
        // One attempt for all: with one for each, the last of them would wait for all the others.
        assert_eq!(server.count("initialize"), 1);
        assert_eq!(under.backend.status().health, Health::Unhealthy);
    }
}

#[tokio::test]
async fn who_waits_for_one_probe_is_told_at_once_that_it_hangs() {
    let server = Server::start(|_| Answer::never()).await;
    let under = hurried(ProtocolEra::Auto).at(&server);
    for told in eight_calls(&under, Era::Modern, None).await {
        assert_eq!(told, "backend `b`: server/discover timed out after 100ms");
    }
    assert_eq!((server.count("server/discover"), server.count("initialize")), (1, 1));
    assert_eq!(under.backend.status().health, Health::Unhealthy);
}

#[tokio::test]
async fn a_modern_server_that_is_slow_to_start_is_known_by_how_it_refuses_the_other_era() {
    let (late, base) = (AtomicBool::new(true), modern());
    let server = Server::start(move |seen| {
        let is_late = seen.rpc() == "server/discover" && late.swap(false, Ordering::SeqCst);
        if is_late { Answer::never() } else { base(seen) }
    })
    .await;
    hurried(ProtocolEra::Auto).at(&server).modern_call().await;
    assert_eq!(server.methods(), ["server/discover", "initialize", "tools/call"]);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_at_the_backend() {
    let base = legacy();
    let mut server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::never() } else { base(seen) }).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let (caller, sessions) = (under.caller("", &[]), no_sessions());
    let silence = async {
        let call = server.wait_for("tools/call").await;
        // Only for the leap: on a clock that stands still, waiting for a socket would make it run.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::time::resume();
        call
    };
    let (told, call) = tokio::join!(under.call(Era::Legacy, &caller, Some(&sessions)), silence);
    assert_eq!(failure(told), "backend `b`: call timed out after 10s");
    let note = server.wait_for("notifications/cancelled").await;
    assert!(note.body.contains(&format!(r#""requestId":{},"#, call.id())), "{}", note.body);
    assert_eq!(note.session(), call.session());
}
