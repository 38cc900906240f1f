//! Sessions at legacy backends.

use crate::{ErrorKind, ViewScope, testing::*};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use vmcp_core::{Era, Origin, Retry, config::ListScope, config::ProtocolEra};

fn legacy_setup() -> Setup {
    Setup::new().keyed().era(ProtocolEra::Legacy)
}

#[tokio::test]
async fn a_lost_session_is_opened_again_and_the_call_repeated_once() {
    let (lost, base) = (Arc::new(AtomicBool::new(false)), legacy());
    let lose = Arc::clone(&lost);
    let server = Server::start(move |seen| {
        if seen.rpc() == "tools/call" && lose.load(Ordering::SeqCst) && seen.session() == Some("s0") {
            return Answer::status(404);
        }
        base(seen)
    })
    .await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    under.legacy_call(&sessions).await;
    lost.store(true, Ordering::SeqCst);
    under.legacy_call(&sessions).await;
    under.legacy_call(&sessions).await;
    assert_eq!((server.count("initialize"), server.count("tools/call"), server.count("DELETE")), (2, 4, 0));
    assert_eq!(under.backend.status().open_sessions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_calls_that_lose_one_session_open_one_new_one() {
    let (lost, base) = (Arc::new(AtomicU32::new(0)), legacy());
    let lose = Arc::clone(&lost);
    let server = Server::start(move |seen| {
        let number = seen.session().and_then(|id| id[1..].parse().ok());
        let is_lost = number.is_some_and(|number: u32| number < lose.load(Ordering::SeqCst));
        if seen.rpc() == "tools/call" && is_lost { Answer::status(404) } else { base(seen) }
    })
    .await;
    let under = Arc::new(legacy_setup().at(&server));
    let sessions = no_sessions();
    under.legacy_call(&sessions).await;
    let tracker = tokio_util::task::TaskTracker::new();
    for round in 1..50 {
        lost.store(round, Ordering::SeqCst);
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (under, sessions) = (Arc::clone(&under), Arc::clone(&sessions));
                tracker.spawn(async move { under.legacy_call(&sessions).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(server.count("initialize"), round as usize + 1);
    }
}

#[tokio::test]
async fn a_session_lost_twice_in_a_row_is_an_error() {
    let base = legacy();
    let server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::status(404) } else { base(seen) }).await;
    let under = legacy_setup().at(&server);
    let error = under.call(Era::Legacy, &under.caller("", &[]), Some(&no_sessions())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SessionLost), "{error}");
    assert_eq!(server.count("tools/call"), 2);
}

#[tokio::test]
async fn a_404_that_says_unknown_method_is_no_lost_session() {
    let base = legacy();
    let server =
        Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::error(404, &seen.id(), -32601) } else { base(seen) }).await;
    let under = legacy_setup().at(&server);
    let answer = under.call(Era::Legacy, &under.caller("", &[]), Some(&no_sessions())).await.unwrap();
    assert!(matches!(answer, crate::Event::Error { code: -32601, .. }));
    assert_eq!(server.count("tools/call"), 1);
}

#[tokio::test]
async fn a_server_that_says_400_for_a_session_it_forgot_is_found_out() {
    let (lost, base) = (Arc::new(AtomicBool::new(false)), legacy());
    let lose = Arc::clone(&lost);
    let server = Server::start(move |seen| match seen.session() {
        Some("s0") if lose.load(Ordering::SeqCst) => Answer::status(400).data("No valid session ID"),
        _ => base(seen),
    })
    .await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    under.legacy_call(&sessions).await;
    lost.store(true, Ordering::SeqCst);
    assert!(under.call(Era::Legacy, &under.caller("", &[]), Some(&sessions)).await.is_err());
    under.settle_errands().await;
    under.legacy_call(&sessions).await;
    assert_eq!((server.count("initialize"), server.count("ping")), (2, 1));
}

#[tokio::test]
async fn a_400_about_something_else_leaves_the_session_alone() {
    let base = legacy();
    let fail = AtomicBool::new(true);
    let server = Server::start(move |seen| {
        if seen.rpc() == "tools/call" && fail.swap(false, Ordering::SeqCst) { Answer::status(400).data("nonsense") } else { base(seen) }
    })
    .await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    assert!(under.call(Era::Legacy, &under.caller("", &[]), Some(&sessions)).await.is_err());
    under.settle_errands().await;
    under.legacy_call(&sessions).await;
    assert_eq!((server.count("initialize"), server.count("ping")), (1, 1));
}

#[tokio::test]
async fn a_credential_that_changes_gets_a_session_of_its_own_and_a_request_id_does_not() {
    let server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    for (key, request) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
        let caller = under.caller("ann", &[("x-key", key), ("x-request-id", request)]);
        text(under.call(Era::Legacy, &caller, Some(&sessions)).await);
    }
    assert_eq!((server.count("initialize"), sessions.len()), (2, 2));
    for seen in server.seen().iter().filter(|seen| seen.rpc() == "tools/call") {
        let expected = if seen.header("x-key") == Some("a") { "s0" } else { "s1" };
        assert_eq!(seen.session(), Some(expected));
    }
}

#[tokio::test]
async fn a_third_key_closes_the_oldest_idle_one_with_static_credentials_only() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    for key in ["a", "b", "c"] {
        text(under.call(Era::Legacy, &under.caller("ann", &[("x-key", key)]), Some(&sessions)).await);
    }
    let deleted = server.wait_for("DELETE").await;
    assert_eq!((deleted.session(), deleted.header("x-key"), deleted.header("x-static")), (Some("s0"), None, Some("fixed")));
    assert_eq!(sessions.len(), 2);
}

#[tokio::test]
async fn keys_that_keep_changing_are_held_up() {
    let server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    let mut refused = 0;
    for key in 0..60 {
        let caller = under.caller("ann", &[("x-key", &key.to_string())]);
        if let Err(error) = under.call(Era::Legacy, &caller, Some(&sessions)).await {
            assert_eq!(
                error.to_string(),
                "backend `b`: initialize found too many different credentials in `x-key` within one client session; send the same ones \
                 throughout a session, and list a header that is no credential with `credential: false`"
            );
            assert_eq!((error.origin(), error.retry()), (Origin::Client, Retry::Safe));
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert!(!under.backend.churn.may(), "the log has been told, once");
    assert_eq!(sessions.len(), 2);
}

#[tokio::test]
async fn closing_a_client_session_ends_its_backend_sessions() {
    let mut server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    let (sessions, others) = (no_sessions(), no_sessions());
    under.legacy_call(&sessions).await;
    under.legacy_call(&others).await;
    sessions.close(&[Arc::clone(&under.backend)]);
    assert_eq!(server.wait_for("DELETE").await.session(), Some("s0"));
    assert!(sessions.is_empty());
    under.settle_errands().await;
    assert_eq!(under.backend.status().open_sessions, 1);
}

#[tokio::test]
async fn a_session_that_ends_under_a_call_is_closed_after_it() {
    let base = legacy();
    let mut server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::never() } else { base(seen) }).await;
    let under = legacy_setup().at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    {
        let mut call = Box::pin(under.open(Era::Legacy, &caller, Some(&sessions)));
        tokio::select! { _ = &mut call => panic!("must wait"), _ = server.wait_for("tools/call") => {} }
        sessions.close(&[Arc::clone(&under.backend)]);
        assert_eq!(server.count("DELETE"), 0);
    }
    server.wait_for("notifications/cancelled").await;
    assert_eq!(server.wait_for("DELETE").await.header("x-key"), None);
}

#[tokio::test]
async fn modern_callers_lease_a_session_each_and_it_is_used_again() {
    let (gate, gates) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(2)));
    let (open, left, base) = (Arc::clone(&gate), Arc::clone(&gates), legacy());
    let mut server = Server::start(move |seen| {
        if seen.rpc() == "tools/call" && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let (sender, step) = feed();
            open.lock().unwrap().push(sender);
            return Answer::status(200)
                .with("content-type", "application/json")
                .step(step)
                .data(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id()));
        }
        base(seen)
    })
    .await;
    let under = legacy_setup().at(&server);
    let caller = under.caller("ann", &[]);
    let mut first = under.open(Era::Modern, &caller, None).await.unwrap();
    let mut second = under.open(Era::Modern, &caller, None).await.unwrap();
    server.wait_for("tools/call").await;
    server.wait_for("tools/call").await;
    gate.lock().unwrap().clear();
    first.answer().await.unwrap();
    second.answer().await.unwrap();
    for _ in 0..4 {
        text(under.call(Era::Modern, &caller, None).await);
    }
    let used: Vec<_> =
        server.seen().iter().filter(|seen| seen.rpc() == "tools/call").map(|seen| seen.session().unwrap().to_owned()).collect();
    assert_ne!(used[0], used[1], "two calls at once never share a session");
    assert_eq!(server.count("initialize"), 2);
    assert_eq!(under.backend.status().pooled_sessions, 2);
    // Another caller never gets them.
    text(under.call(Era::Modern, &under.caller("bob", &[]), None).await);
    text(under.call(Era::Modern, &under.caller("ann", &[("x-key", "k")]), None).await);
    assert_eq!(server.count("initialize"), 4);
}

#[tokio::test]
async fn a_leased_session_that_was_given_up_is_closed() {
    let base = legacy();
    let mut server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::never() } else { base(seen) }).await;
    let under = legacy_setup().at(&server);
    let caller = under.caller("ann", &[]);
    {
        let mut call = Box::pin(under.open(Era::Modern, &caller, None));
        tokio::select! { _ = &mut call => panic!("must wait"), _ = server.wait_for("tools/call") => {} }
    }
    server.wait_for("notifications/cancelled").await;
    server.wait_for("DELETE").await;
    assert_eq!(under.backend.status().pooled_sessions, 0);
}

#[tokio::test]
async fn anonymous_modern_callers_share_no_session_unless_that_is_allowed() {
    for share in [true, false] {
        let server = Server::start(legacy()).await;
        let mut setup = legacy_setup();
        setup.options.share_anonymous = share;
        let under = setup.at(&server);
        for _ in 0..3 {
            under.modern_call().await;
        }
        // An empty value is no credential.
        for _ in 0..2 {
            text(under.call(Era::Modern, &under.caller("", &[("x-key", "")]), None).await);
        }
        let used: HashSet<_> =
            server.seen().iter().filter(|seen| seen.rpc() == "tools/call").map(|seen| seen.session().unwrap().to_owned()).collect();
        assert_eq!(used.len(), if share { 2 } else { 5 });
        under.settle_errands().await;
        assert_eq!(server.count("DELETE"), if share { 0 } else { 5 });
        // With a credential there is something to tell them apart by.
        for _ in 0..2 {
            text(under.call(Era::Modern, &under.caller("", &[("x-key", "k")]), None).await);
        }
        assert_eq!(server.count("initialize"), if share { 3 } else { 6 });
    }
}

#[tokio::test]
async fn servers_without_sessions_work_too() {
    let base = legacy();
    let server = Server::start(move |seen| match seen.rpc().as_str() {
        "initialize" => Answer::result(seen, r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#),
        "tools/call" => echo(seen),
        _ => base(seen),
    })
    .await;
    let under = legacy_setup().at(&server);
    let sessions = no_sessions();
    under.legacy_call(&sessions).await;
    sessions.close(&[Arc::clone(&under.backend)]);
    under.settle_errands().await;
    assert_eq!(server.methods(), ["initialize", "notifications/initialized", "tools/call"]);
}

#[tokio::test]
async fn closing_the_backend_ends_pooled_sessions() {
    let server = Server::start(legacy()).await;
    let under = legacy_setup().at(&server);
    text(under.call(Era::Modern, &under.caller("ann", &[("x-key", "k")]), None).await);
    under.backend.close().await;
    let deleted = server.seen().pop().unwrap();
    assert_eq!((deleted.method.as_str(), deleted.session(), deleted.header("x-key")), ("DELETE", Some("s0"), None));
    assert_eq!(under.backend.status().open_sessions, 0);
}

#[tokio::test]
async fn the_scope_of_lists_follows_what_callers_send() {
    let server = Server::start(legacy()).await;
    let plain = Setup::new().at(&server);
    assert_eq!(plain.backend.scope(&plain.caller("ann", &[])), ViewScope::Shared);
    assert!(plain.backend.is_shared());
    let keyed = Setup::new().keyed().at(&server);
    let scope = |key| keyed.backend.scope(&keyed.caller("ann", &[("x-key", key)]));
    assert_eq!(scope("a"), scope("a"));
    assert_ne!(scope("a"), scope("b"));
    assert!(!keyed.backend.is_shared());
    let mut by_session = Setup::new();
    by_session.list_scope = ListScope::Session;
    let by_session = by_session.at(&server);
    assert_ne!(by_session.backend.scope(&by_session.caller("ann", &[])), by_session.backend.scope(&by_session.caller("bob", &[])));
}
