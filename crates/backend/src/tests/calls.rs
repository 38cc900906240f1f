//! What a call costs and carries.

use crate::{Call, ErrorKind, Event, HttpFetch, testing::*};
use http::Method;
use std::{mem::size_of_val, sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_core::{
    Era,
    config::ProtocolEra,
    frame::RawObject,
    plugin::{Fetch, FetchError, FetchRequest},
};

#[tokio::test]
async fn a_hundred_calls_are_a_hundred_requests_on_one_connection() {
    let server = Server::start(modern()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    for _ in 0..100 {
        under.modern_call().await;
    }
    assert_eq!((server.seen().len(), server.connections()), (100, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_at_once_have_a_connection_each_and_no_more() {
    let server = Server::start(|seen| if seen.body.len() % 2 == 0 { echo(seen) } else { echo_events(seen) }).await;
    let under = Arc::new(Setup::new().era(ProtocolEra::Modern).at(&server));
    let tracker = tokio_util::task::TaskTracker::new();
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let under = Arc::clone(&under);
            tracker.spawn(async move {
                for _ in 0..200 {
                    under.modern_call().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(server.seen().len(), 3200);
    // One that is still being drained may be missed by the next call.
    assert!(server.connections() <= 2 * 16, "{}", server.connections());
}

#[tokio::test]
async fn long_arguments_and_results_pass_in_pieces() {
    let server = Server::start(|seen| if seen.path.ends_with("mcp") { echo(seen) } else { echo_events(seen) }).await;
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.options.max_response_bytes = 16 << 20;
    let under = setup.at(&server);
    let params = format!(r#"{{"arguments":{{"a":"{}"}}}}"#, "x".repeat(5 << 20));
    let params = RawObject::parse(&params).unwrap();
    let caller = under.caller("", &[]);
    let call = Call { params: &params, ..plain_call(&caller) };
    let result = text(under.backend.call(call).await.unwrap().answer().await);
    assert!(result.starts_with(params.text().trim_end_matches('}')));
    assert_eq!(under.shared.budget.used(), 0);
}

#[tokio::test]
async fn http2_shares_one_connection_and_cancels_by_the_stream() {
    let mut server = Server::start_http2(|seen| if seen.header("x-key").is_some() { Answer::never() } else { echo(seen) }).await;
    let mut setup = Setup::new().keyed().era(ProtocolEra::Modern);
    setup.http2 = true;
    let under = setup.at(&server);
    let (hanging, caller) = (under.caller("", &[("x-key", "k")]), under.caller("", &[]));
    let mut hang = Box::pin(under.open(Era::Modern, &hanging, None));
    tokio::select! { _ = &mut hang => panic!("must wait"), _ = server.wait_for("tools/call") => {} }
    for _ in 0..20 {
        text(under.call(Era::Modern, &caller, None).await);
    }
    drop(hang);
    text(under.call(Era::Modern, &caller, None).await);
    assert_eq!((server.connections(), server.seen().len()), (1, 22));
    under.backend.close().await;
    server.wait_closed().await;
}

#[tokio::test]
async fn https_trusts_the_bundle_alone_and_agrees_on_the_protocol() {
    for http2 in [false, true] {
        let (server, pem) = Server::start_tls(modern()).await;
        let url = format!("https://localhost:{}/mcp", server.address.port());
        let mut setup = Setup::new().era(ProtocolEra::Modern);
        (setup.ca_bundle, setup.http2) = (Some(pem), http2);
        let under = setup.at_url(&url);
        for _ in 0..10 {
            under.modern_call().await;
        }
        assert_eq!((server.connections(), server.seen().len()), (1, 10));
        // HTTP/2 has its authority elsewhere.
        assert_eq!(server.seen()[0].header("host").is_none(), http2);
        under.backend.close().await;

        let mut other = Setup::new().era(ProtocolEra::Modern);
        other.ca_bundle = Some(Server::start_tls(modern()).await.1);
        let why = failure(other.at_url(&url).call_once().await);
        assert!(why.starts_with("backend `b`: connect failed: ") && why.contains("certificate"), "{why}");
    }
}

#[tokio::test]
async fn a_hundred_calls_over_event_streams_are_on_one_connection_too() {
    let server =
        Server::start(|seen| Answer::events().event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id())).data(": bye\n\n"))
            .await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    for _ in 0..100 {
        under.modern_call().await;
        under.settle_drains().await;
    }
    assert_eq!((server.seen().len(), server.connections()), (100, 1));
}

#[tokio::test]
async fn a_legacy_call_is_one_request_after_the_handshake() {
    let server = Server::start(legacy()).await;
    let under = Setup::new().at(&server);
    let sessions = no_sessions();
    for _ in 0..3 {
        under.legacy_call(&sessions).await;
    }
    let handshake = ["initialize", "notifications/initialized"];
    assert_eq!(server.methods(), [&handshake[..], &["tools/call"; 3]].concat());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn arguments_and_results_are_carried_byte_for_byte() {
    let server = Server::start(modern()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let result = under.modern_call().await;
    assert!(result.starts_with(r#"{"name":"t","arguments":{ "n" : 1e400 },"_meta":{"#), "{result}");
}

#[tokio::test]
async fn a_modern_request_carries_what_its_headers_have_to_repeat() {
    let server = Server::start(modern()).await;
    let under = Setup::new().keyed().era(ProtocolEra::Modern).at(&server);
    let caller = under.caller("", &[("x-key", "k"), ("x-other", "no")]);
    text(under.call(Era::Modern, &caller, None).await);
    let seen = &server.seen()[0];
    for (name, value) in [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "t"),
        ("accept", "application/json, text/event-stream"),
        ("accept-encoding", "identity"),
        ("user-agent", "vmcp/1"),
        ("content-type", "application/json"),
        ("x-static", "fixed"),
        ("x-key", "k"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    let names: Vec<_> = seen.headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names.len(), 11, "{names:?}");
}

#[tokio::test]
async fn two_callers_over_one_connection_keep_their_headers_apart() {
    let server = Server::start(modern()).await;
    let under = Setup::new().keyed().era(ProtocolEra::Modern).at(&server);
    for round in 0..50 {
        for (subject, key) in [("ann", "a"), ("bob", "b"), ("eve", "")] {
            let headers = [("x-key", key)];
            let caller = under.caller(subject, if key.is_empty() { &[] } else { &headers });
            text(under.call(Era::Modern, &caller, None).await);
            let seen = server.seen().pop().unwrap();
            assert_eq!(seen.header("x-key").unwrap_or_default(), key, "round {round}");
        }
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_missing_required_header_fails_before_anything_is_sent() {
    let server = Server::start(modern()).await;
    let under = Setup::new().require("x-token").at(&server);
    let caller = under.caller("", &[]);
    assert_eq!(under.backend.missing_required(&caller).unwrap(), "x-token");
    let why = failure(under.call(Era::Modern, &caller, None).await);
    assert_eq!(why, "backend `b` needs the header `x-token`, which the request does not have");
    assert!(server.seen().is_empty());
    assert!(under.backend.missing_required(&under.caller("", &[("x-token", "t")])).is_none());
}

#[tokio::test]
async fn a_connection_that_the_server_closed_costs_no_call() {
    let server = Server::start(modern()).await;
    let address = server.address;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    under.modern_call().await;
    drop(server);
    let server = Server::again_at(address, modern()).await;
    under.modern_call().await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_dead_backend_is_named_with_its_phase() {
    let server = Server::start(modern()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let address = server.address;
    drop(server);
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    let why = failure(under.call(Era::Modern, &under.caller("", &[]), None).await);
    assert!(why.starts_with("backend `b`: connect failed: ") && why.contains("refused"), "{why}");
    assert_eq!(serde_json::to_value(under.backend.status()).unwrap()["health"], "unhealthy");
}

#[tokio::test]
async fn only_the_same_origin_is_followed_and_headers_go_nowhere_else() {
    let elsewhere = Server::start(modern()).await;
    let (there, other) = (elsewhere.address, elsewhere.address);
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/mcp" if seen.header("x-key") == Some("away") => Answer::status(307).with("location", format!("http://{there}/mcp")),
        "/mcp" if seen.header("x-key") == Some("moved") => Answer::status(302).with("location", "/mcp/"),
        "/mcp" if seen.header("x-key") == Some("loop") => Answer::status(308).with("location", "/mcp"),
        "/mcp" => Answer::status(307).with("location", "/mcp/"),
        _ => echo(seen),
    })
    .await;
    let under = Setup::new().keyed().era(ProtocolEra::Modern).at(&server);
    text(under.call(Era::Modern, &under.caller("", &[("x-key", "k")]), None).await);
    let seen = server.seen();
    assert_eq!((seen[1].path.as_str(), seen[1].header("x-key"), &seen[0].body), ("/mcp/", Some("k"), &seen[1].body));
    for (key, status) in [("away", 307), ("moved", 302), ("loop", 308)] {
        let why = failure(under.call(Era::Modern, &under.caller("", &[("x-key", key)]), None).await);
        assert_eq!(why, format!("backend `b`: call was answered with HTTP status {status}"));
    }
    assert_eq!(server.seen().len(), 2 + 1 + 1 + 4);
    assert!(elsewhere.seen().is_empty() && elsewhere.connections() == 0, "{other}");
}

#[tokio::test]
async fn a_request_over_the_limit_waits_for_its_turn() {
    let (_keep, hang) = feed();
    let hang = std::sync::Mutex::new(Some(hang));
    let mut server = Server::start(move |seen| match hang.lock().unwrap().take() {
        Some(hang) => Answer::json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}"#, seen.id())).step(hang),
        None => echo(seen),
    })
    .await;
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.max_concurrent = 1;
    let under = setup.at(&server);
    let caller = under.caller("", &[]);
    let mut first = under.open(Era::Modern, &caller, None).await.unwrap();
    server.wait_for("tools/call").await;
    assert_eq!(under.backend.status().in_flight, 1);
    let mut second = Box::pin(under.call(Era::Modern, &caller, None));
    let queued = timeout(Duration::from_secs(10), async {
        while under.backend.bulkhead().waiting() == 0 {
            tokio::task::yield_now().await;
        }
    });
    tokio::select! { _ = &mut second => panic!("must wait"), queued = queued => queued.expect("it takes no place in the queue") }
    assert_eq!((server.seen().len(), under.backend.status().in_flight), (1, 1));
    _keep.send("}".to_owned()).unwrap();
    drop(_keep);
    assert!(matches!(first.next().await, Ok(Event::Result(_))));
    text(second.await);
    assert_eq!(under.backend.status().in_flight, 0);
}

#[tokio::test]
async fn dropping_a_modern_call_closes_its_connection() {
    let mut server = Server::start(|_| Answer::never()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let caller = under.caller("", &[]);
    {
        let mut call = Box::pin(under.open(Era::Modern, &caller, None));
        tokio::select! { _ = &mut call => panic!("must wait"), _ = server.wait_for("tools/call") => {} }
    }
    server.wait_closed().await;
    assert_eq!(server.methods(), ["tools/call"]);
}

#[tokio::test]
async fn dropping_a_legacy_call_cancels_it_with_its_own_headers() {
    let base = legacy();
    let mut server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::never() } else { base(seen) }).await;
    let under = Setup::new().keyed().at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let called = {
        let mut call = Box::pin(under.open(Era::Legacy, &caller, Some(&sessions)));
        tokio::select! { _ = &mut call => panic!("must wait"), seen = server.wait_for("tools/call") => seen }
    };
    let cancelled = server.wait_for("notifications/cancelled").await;
    assert!(cancelled.body.contains(&format!(r#""requestId":{}"#, called.id())), "{}", cancelled.body);
    assert_eq!(cancelled.header("x-key"), Some("k"));
    assert_eq!(cancelled.session(), called.session());
}

#[tokio::test]
async fn a_call_is_a_small_future() {
    let server = Server::start(modern()).await;
    let under = Setup::new().at(&server);
    let caller = under.caller("", &[]);
    let call = plain_call(&caller);
    let size = size_of_val(&under.backend.call(call));
    assert!(size < 4096, "{size}");
}

#[tokio::test]
async fn a_stopping_gateway_takes_no_more_calls() {
    let server = Server::start(modern()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    under.modern_call().await;
    under.shared.shutdown().cancel();
    let error = under.call(Era::Modern, &under.caller("", &[]), None).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ShuttingDown));
    under.backend.close().await;
    under.shared.tracker().close();
    timeout(Duration::from_secs(10), under.shared.tracker().wait()).await.unwrap();
}

#[tokio::test]
async fn plugins_fetch_without_redirects_and_within_bounds() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/moved" => Answer::status(302).with("location", "/"),
        "/long" => Answer::status(200).data("x".repeat(100)),
        "/slow" => Answer::never(),
        _ => Answer::status(200).data(format!("{} {}", seen.header("x-a").unwrap_or_default(), seen.body)),
    })
    .await;
    let fetch = HttpFetch::default();
    let request = |path: &str| {
        let mut request = FetchRequest::new(Method::POST, format!("http://{}{path}", server.address).parse().unwrap());
        request.headers.insert("x-a", "1".parse().unwrap());
        request.body = "body".into();
        request.timeout = Duration::from_secs(5);
        request.max_body = 50;
        request
    };
    assert_eq!(fetch.fetch(request("/")).await.unwrap().body, "1 body");
    assert_eq!(fetch.fetch(request("/moved")).await.unwrap().status, 302);
    assert!(matches!(fetch.fetch(request("/long")).await, Err(FetchError::Response { .. })));
    let slow = FetchRequest::new(Method::GET, format!("http://{}/slow", server.address).parse().unwrap());
    let mut slow = slow;
    slow.timeout = Duration::from_millis(20);
    assert!(matches!(fetch.fetch(slow).await, Err(FetchError::Timeout { .. })));
}

#[tokio::test]
async fn a_connection_that_the_backend_may_be_about_to_close_is_not_used_again() {
    async fn leap(milliseconds: u64) {
        tokio::time::pause();
        tokio::time::advance(Duration::from_millis(milliseconds)).await;
        // Whoever looks after idle connections has its turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        tokio::time::resume();
    }

    let server = Server::start(modern()).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    under.modern_call().await;
    leap(1000).await;
    under.modern_call().await;
    let before = server.connections();
    // In steps, so that the last look at the idle ones finds it still good.
    for step in [1100, 2000, 1200] {
        leap(step).await;
    }
    under.modern_call().await;
    assert_eq!(server.connections(), before + 1);
}
