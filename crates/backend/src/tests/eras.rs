//! Finding out what a backend speaks.

use crate::{Event, Speaks, testing::*};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use vmcp_core::{Era, config::ProtocolEra};

#[tokio::test]
async fn a_modern_caller_of_a_legacy_backend_is_bridged() {
    let server = Server::start(legacy()).await;
    let under = Setup::new().at(&server);
    assert_eq!(under.backend.known_era(Era::Modern), None);
    let result = under.modern_call().await;
    assert_eq!(result, r#"{"name":"t","arguments":{ "n" : 1e400 }}"#);
    assert_eq!(server.methods(), ["server/discover", "initialize", "notifications/initialized", "tools/call"]);
    let status = under.backend.status();
    assert_eq!((status.legacy, status.modern, status.revisions), (Speaks::Yes, Speaks::No, vec!["2025-06-18"]));
    assert_eq!(under.backend.known_era(Era::Modern), Some(Era::Legacy));
    // The revision that the server chose is the one that later requests name.
    assert_eq!(server.seen()[3].header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!(server.seen()[1].header("mcp-protocol-version"), None);
    under.modern_call().await;
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn a_legacy_caller_of_a_modern_backend_is_bridged() {
    let server = Server::start(modern()).await;
    let under = Setup::new().at(&server);
    let sessions = no_sessions();
    let result = under.legacy_call(&sessions).await;
    assert!(result.contains("io.modelcontextprotocol/protocolVersion"), "{result}");
    // The refusal of `initialize` told that it is modern.
    assert_eq!(server.methods(), ["initialize", "tools/call"]);
    let status = under.backend.status();
    assert_eq!((status.legacy, status.modern), (Speaks::No, Speaks::Yes));
}

#[tokio::test]
async fn a_backend_of_both_eras_is_spoken_to_in_the_callers() {
    let (old, new) = (legacy(), modern());
    let server = Server::start(move |seen| {
        let is_new = seen.header("mcp-protocol-version") == Some("2026-07-28");
        if is_new { new(seen) } else { old(seen) }
    })
    .await;
    let under = Setup::new().at(&server);
    assert!(under.modern_call().await.contains("_meta"));
    assert!(!under.legacy_call(&no_sessions()).await.contains("_meta"));
    assert_eq!((under.backend.known_era(Era::Modern), under.backend.known_era(Era::Legacy)), (Some(Era::Modern), Some(Era::Legacy)));
}

#[tokio::test]
async fn many_who_come_at_once_make_one_probe() {
    let server = Server::start(modern()).await;
    let under = Arc::new(Setup::new().at(&server));
    let calls = (0..20).map(|_| {
        let under = Arc::clone(&under);
        async move { under.modern_call().await }
    });
    let tracker = tokio_util::task::TaskTracker::new();
    let calls: Vec<_> = calls.map(|call| tracker.spawn(call)).collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!((server.count("server/discover"), server.count("tools/call")), (1, 20));
}

#[tokio::test]
async fn permission_load_and_luck_decide_nothing() {
    for status in [401, 403, 429] {
        let server = Server::start(move |_| Answer::status(status).with("retry-after", "7")).await;
        let under = Setup::new().at(&server);
        let why = failure(under.call(Era::Modern, &under.caller("", &[]), None).await);
        assert_eq!(why, format!("backend `b`: server/discover was answered with HTTP status {status}"));
        assert_eq!(server.methods(), ["server/discover"]);
        assert_eq!((under.backend.status().legacy, under.backend.status().modern), (Speaks::Unknown, Speaks::Unknown));
    }
}

#[tokio::test]
async fn a_server_that_fails_on_what_it_does_not_know_is_still_found_to_be_legacy() {
    let base = legacy();
    let server = Server::start(move |seen| if seen.rpc() == "server/discover" { Answer::status(500) } else { base(seen) }).await;
    let under = Setup::new().at(&server);
    under.modern_call().await;
    under.modern_call().await;
    assert_eq!(server.count("server/discover"), 1);
    assert_eq!((under.backend.status().legacy, under.backend.status().modern), (Speaks::Yes, Speaks::Unknown));
}

#[tokio::test]
async fn who_speaks_nothing_is_said_so_and_asked_again() {
    let up = Arc::new(AtomicBool::new(false));
    let (serving, base) = (Arc::clone(&up), modern());
    let server = Server::start(move |seen| if serving.load(Ordering::SeqCst) { base(seen) } else { Answer::status(404) }).await;
    let under = Setup::new().at(&server);
    let why = failure(under.call(Era::Modern, &under.caller("", &[]), None).await);
    assert_eq!(why, "backend `b`: initialize was answered with HTTP status 404");
    up.store(true, Ordering::SeqCst);
    under.modern_call().await;
}

#[tokio::test]
async fn a_backend_that_comes_back_in_another_era_is_found_out() {
    let is_new = Arc::new(AtomicBool::new(false));
    let (now, old, new) = (Arc::clone(&is_new), legacy(), modern());
    let server = Server::start(move |seen| match now.load(Ordering::SeqCst) {
        false => old(seen),
        true if seen.session().is_some() => Answer::status(404),
        true => new(seen),
    })
    .await;
    let under = Setup::new().at(&server);
    let sessions = no_sessions();
    under.legacy_call(&sessions).await;
    is_new.store(true, Ordering::SeqCst);
    // Its session is gone, and so is its era: the call itself may fail, later ones do not.
    let _ = under.call(Era::Legacy, &under.caller("", &[]), Some(&sessions)).await;
    under.legacy_call(&sessions).await;
    is_new.store(false, Ordering::SeqCst);
    let refused = under.call(Era::Legacy, &under.caller("", &[]), Some(&sessions)).await;
    assert!(refused.is_err() || matches!(refused, Ok(Event::Error { code: -32000, .. })), "{refused:?}");
    under.legacy_call(&sessions).await;
}

type Refusal = fn(&Seen) -> Answer;

/// A legacy server, with session ids or without, that refuses the next calls in this way.
fn refusing(refusals: &Arc<AtomicU32>, ids: bool, refusal: Refusal) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let (left, base) = (Arc::clone(refusals), legacy());
    move |seen| match seen.rpc().as_str() {
        "initialize" if !ids => Answer::result(seen, r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}"#),
        "tools/call" if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() => refusal(seen),
        "tools/call" => echo(seen),
        _ => base(seen),
    }
}

#[tokio::test]
async fn one_refused_call_costs_a_legacy_backend_nothing_but_another_handshake() {
    let cases: [(bool, Refusal); 4] = [
        (false, |_| Answer::status(400)),
        (false, |_| Answer::status(404).with("content-type", "text/html").data("<html>")),
        (false, |_| Answer::status(405)),
        (true, |seen| Answer::error(400, &seen.id(), -32020)),
    ];
    for (ids, refusal) in cases {
        let refusals = Arc::default();
        let server = Server::start(refusing(&refusals, ids, refusal)).await;
        let under = Setup::new().keyed().at(&server);
        let (refused, other) = (no_sessions(), no_sessions());
        under.legacy_call(&refused).await;
        under.legacy_call(&other).await;
        under.modern_call().await;
        refusals.store(1, Ordering::SeqCst);
        let answer = under.call(Era::Legacy, &under.caller("", &[]), Some(&refused)).await;
        assert!(!matches!(answer, Ok(Event::Result(_))), "{answer:?}");
        // Who comes with a session from before, of its own or from the pool, has to shake hands too: nobody else may come.
        under.legacy_call(&other).await;
        refusals.store(1, Ordering::SeqCst);
        assert!(!matches!(under.call(Era::Legacy, &under.caller("", &[]), Some(&refused)).await, Ok(Event::Result(_))));
        under.modern_call().await;
        under.legacy_call(&refused).await;
    }
}

#[tokio::test]
async fn a_pinned_era_is_not_asked_for() {
    let server = Server::start(legacy()).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    under.modern_call().await;
    assert_eq!(server.methods(), ["initialize", "notifications/initialized", "tools/call"]);
}

#[tokio::test]
async fn an_unknown_revision_is_no_era() {
    let server = Server::start(|seen| match seen.rpc().as_str() {
        "initialize" => Answer::result(seen, r#"{"protocolVersion":"2031-01-01","capabilities":{}}"#),
        _ => Answer::status(400),
    })
    .await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let why = failure(under.call(Era::Legacy, &under.caller("", &[]), Some(&no_sessions())).await);
    assert_eq!(why, "backend `b`: initialize found no protocol revision that both sides speak");
}

#[tokio::test]
async fn a_version_error_is_asked_again_once() {
    let refusals = AtomicU32::new(1);
    let server = Server::start(move |seen| match seen.rpc().as_str() {
        "server/discover" => Answer::result(seen, DISCOVERED),
        _ if refusals.fetch_sub(1, Ordering::SeqCst) == 1 => Answer::json_status(
            400,
            format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32022,"message":"","data":{{"supported":["2026-07-28"]}}}}}}"#,
                seen.id()
            ),
        ),
        _ => echo(seen),
    })
    .await;
    let under = Setup::new().at(&server);
    under.modern_call().await;
    assert_eq!(server.count("tools/call"), 2);
}

#[tokio::test]
async fn a_backend_without_a_common_version_is_no_era() {
    let server = Server::start(|seen| {
        Answer::json_status(
            400,
            format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32022,"message":"","data":{{"supported":["2099-01-01"]}}}}}}"#,
                seen.id()
            ),
        )
    })
    .await;
    let under = Setup::new().at(&server);
    let why = failure(under.call(Era::Modern, &under.caller("", &[]), None).await);
    assert_eq!(why, "backend `b`: server/discover found no protocol revision that both sides speak");
}
