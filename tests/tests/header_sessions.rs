//! Which requests carry a caller's headers, and what a change of them does to backend sessions.

use anyhow::{Context, Result};
use serde_json::json;
use std::collections::BTreeSet;
use vmcp_tests::{
    Era,
    fixture::{Fixture, Recorded, Spec},
    process::Vmcp,
};

fn sessions_of(calls: &[Recorded]) -> Vec<&str> {
    calls.iter().filter_map(Recorded::session).collect()
}

#[tokio::test]
async fn a_changed_credential_reaches_the_next_call_over_a_new_backend_session() -> Result<()> {
    let backend = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [backend.entry(json!({ "passthroughHeaders": ["x-key", "x-request-id"] }))] })).await?;
    for era in Era::BOTH {
        backend.forget_requests();
        let mut client = vmcp.client_of(era).header("x-key", "first").connect().await?;
        for (key, request) in [("first", "r1"), ("first", "r2"), ("second", "r3"), ("second", "r4"), ("first", "r5")] {
            client.caller.set("x-key", key);
            client.caller.set("x-request-id", request);
            client.call("b_counter", "{}").await?.result()?;
        }
        let calls = backend.calls();
        let sent: Vec<_> = calls.iter().map(|call| (call.value("x-key"), call.value("x-request-id"))).collect();
        let expected = [("first", "r1"), ("first", "r2"), ("second", "r3"), ("second", "r4"), ("first", "r5")];
        assert_eq!(sent, expected.map(|(key, request)| (Some(key), Some(request))));
        let used = sessions_of(&calls);
        assert_eq!(used[0], used[1], "{era:?}: a new x-request-id opens no session");
        assert_ne!(used[1], used[2], "{era:?}: a new credential does");
        assert_eq!((used[2], used[0]), (used[3], used[4]), "{era:?}: the old credential finds its session again");
        for request in backend.requests() {
            // A probe for the other era belongs to no session.
            let Some(session) = request.session() else { continue };
            let key = if session == used[0] { Some("first") } else { Some("second") };
            if used.contains(&session) {
                assert_eq!(request.value("x-key"), key, "{era:?}: {:?} in {session}", request.method);
            }
        }
    }
    assert_eq!(backend.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_client_session_keeps_two_credentials_per_backend_and_closes_the_oldest() -> Result<()> {
    let backend = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [backend.entry(json!({ "passthroughHeaders": ["x-key"] }))] })).await?;
    let mut client = vmcp.client_of(Era::Legacy).header("x-key", "k0").connect().await?;
    for key in ["k1", "k2", "k3"] {
        client.caller.set("x-key", key);
        client.call("b_counter", "{}").await?.result()?;
    }
    let calls = backend.calls();
    let oldest = calls[0].session().context("no session")?.to_owned();
    let deleted =
        |fixture: &Fixture| fixture.requests().iter().any(|request| request.verb == "DELETE" && request.session() == Some(&*oldest));
    backend.until("the oldest session's end", deleted).await?;
    let end = backend.requests().into_iter().find(|request| request.verb == "DELETE").context("no DELETE")?;
    assert!(!["k2", "k3"].iter().any(|key| end.headers_contain(key)), "a session's end carries nobody else's credential");
    Ok(())
}

#[tokio::test]
async fn every_request_made_for_a_caller_carries_the_callers_headers() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let new = Fixture::start(Spec::modern("new")).await?;
    let more = json!({ "passthroughHeaders": ["x-key"] });
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(more.clone()), new.entry(more)] })).await?;
    for era in Era::BOTH {
        let key = format!("{era:?}");
        let mut client = vmcp.client_of(era).header("x-key", &key).connect().await?;
        client.tools().await?;
        client.call("old_echo", "{}").await?.result()?;
        client.call("new_echo", "{}").await?.result()?;
        let stream = client.listen().await?;
        let opened = |old: &Fixture| old.requests().iter().any(|sent| sent.verb == "GET" && sent.value("x-key") == Some(&key));
        old.until("a stream with the caller's header", opened).await?;
        drop(stream);
    }
    for request in old.requests().into_iter().filter(|request| request.verb == "GET") {
        assert!(request.value("x-key").is_some(), "a stream without the caller's header: {request:?}");
    }
    // A list that depends on a credential is never fetched without one.
    for fixture in [&old, &new] {
        for method in ["initialize", "notifications/initialized", "tools/list", "tools/call"] {
            for request in fixture.requests_of(method) {
                assert!(request.value("x-key").is_some(), "{method} without the caller's header: {request:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn static_headers_and_strategies_are_on_every_request_and_the_callers_on_none_of_the_gateways_own() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::with(json!({
        "backends": [
            old.entry(json!({ "headers": { "x-service": { "fromEnv": "SERVICE" }, "x-region": "${REGION:-eu}" }, "passthroughHeaders": ["x-request-id"] })),
            new.entry(json!({})),
        ],
        "outgoingAuth": { "backends": { "new": { "type": "header_injection", "headerInjection": { "headerName": "x-api-key", "headerValueEnv": "API_KEY" } } } },
    }))
    .env("SERVICE", "service-value")
    .env("API_KEY", "api-value")
    .start()
    .await?;
    for era in Era::BOTH {
        let mut client = vmcp
            .client_of(era)
            .header("x-request-id", "caller-r")
            .header("x-service", "forged")
            .header("x-api-key", "forged")
            .connect()
            .await?;
        client.tools().await?;
        client.call("old_echo", "{}").await?.result()?;
        client.call("new_echo", "{}").await?.result()?;
    }
    let log = vmcp.quit().await?;
    assert!(old.requests().iter().any(|request| request.verb == "DELETE"), "backend sessions are closed at the end");
    for request in old.requests() {
        assert_eq!((request.value("x-service"), request.value("x-region")), (Some("service-value"), Some("eu")), "{request:?}");
        assert!(request.values("x-api-key").is_empty(), "another backend's credential");
        if request.verb == "DELETE" {
            assert!(request.values("x-request-id").is_empty(), "the gateway's own requests carry no caller's header");
        }
    }
    for request in new.requests() {
        assert_eq!(request.value("x-api-key"), Some("api-value"), "{request:?}");
        assert!(request.values("x-service").is_empty() && request.values("x-region").is_empty());
    }
    assert!(!log.contains("service-value") && !log.contains("api-value"));
    Ok(())
}

#[tokio::test]
async fn two_anonymous_modern_callers_share_a_stateful_session_only_where_that_is_allowed() -> Result<()> {
    // Beyond loopback nobody may share, unless the configuration says so.
    for (host, share, shared) in [("0.0.0.0", false, false), ("0.0.0.0", true, true), ("127.0.0.1", false, true)] {
        let backend = Fixture::start(Spec::legacy("b")).await?;
        let config = json!({ "backends": [backend.entry(json!({}))], "sessions": { "shareAnonymous": share } });
        let vmcp = Vmcp::with(config).args(&["--host", host]).start().await?;
        let mut counts = Vec::new();
        for _ in 0..3 {
            let mut client = vmcp.client(Era::Modern).await?;
            counts.push(client.call("b_counter", "{}").await?.result()?["structuredContent"]["count"].clone());
        }
        let expected = if shared { [1, 2, 3] } else { [1, 1, 1] };
        assert_eq!(counts, expected, "listening on {host}, shareAnonymous: {share}");
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_call_has_its_backend_session_to_itself() -> Result<()> {
    let backend = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [backend.entry(json!({}))] })).await?;
    let mut clients = Vec::new();
    for started in 1..=4 {
        let mut client = vmcp.client(Era::Modern).await?;
        client.begin(&vmcp_tests::client::Rpc::tool("b_slow", "{}")).await?;
        backend.until("the call", |f| f.started() == started).await?;
        clients.push(client);
    }
    backend.release(4);
    let mut sessions = BTreeSet::new();
    for client in &mut clients {
        sessions.insert(client.finish().await?.result()?["structuredContent"]["session"].to_string());
    }
    assert_eq!(sessions.len(), 4, "four calls in flight, four sessions: {sessions:?}");
    Ok(())
}

#[tokio::test]
async fn users_with_different_credentials_never_share_a_session() -> Result<()> {
    let backend = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [backend.entry(json!({ "passthroughHeaders": ["x-key"] }))] })).await?;
    for round in 1..=3 {
        for key in ["ann", "bob"] {
            let mut client = vmcp.client_of(Era::Modern).header("x-key", key).connect().await?;
            let count = client.call("b_counter", "{}").await?.result()?["structuredContent"]["count"].clone();
            assert!(count.as_u64() <= Some(round), "{key} found a session that somebody else had used: {count}");
        }
    }
    Ok(())
}
