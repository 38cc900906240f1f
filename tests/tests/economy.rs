//! What a call costs its backend: one request, and no connection after the first.

use anyhow::Result;
use serde_json::json;
use std::collections::BTreeSet;
use vmcp_tests::{
    Era,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

const CALLS: usize = 100;

#[tokio::test]
async fn a_call_costs_one_request_and_no_connection_after_the_first() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let spec = Spec::new("b", backend);
            let fixture = Fixture::start(if sse { spec.sse() } else { spec }).await?;
            let vmcp =
                Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key", "x-request-id"] }))] })).await?;
            let mut client = vmcp.client_of(caller).header("x-key", "mine").connect().await?;
            client.call("b_echo", "{}").await?.result()?;
            let connections = fixture.connections();
            fixture.forget_requests();
            for n in 0..CALLS {
                client.caller.set("x-request-id", n.to_string());
                client.call("b_echo", &format!(r#"{{"n":{n}}}"#)).await?.result()?;
            }
            let methods: Vec<_> =
                fixture.requests().into_iter().map(|request| request.method.unwrap_or_else(|| request.verb.to_string())).collect();
            assert_eq!(methods, vec!["tools/call"; CALLS], "{caller:?} caller, {backend:?} backend, SSE {sse}");
            assert_eq!(fixture.connections(), connections, "{caller:?} caller, {backend:?} backend, SSE {sse}");
        }
    }
    Ok(())
}

/// Threads that serve connections in the tests of many callers. Each has backend connections of its own.
const WORKERS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_take_turns_share_one_backend_connection_for_each_worker() -> Result<()> {
    const CALLERS: usize = 12;
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::with(json!({ "backends": [fixture.entry(json!({}))] })).args(&["--workers", &WORKERS.to_string()]).start().await?;
        let mut clients = Vec::new();
        for _ in 0..CALLERS {
            let mut client = vmcp.client(caller).await?;
            client.call("b_echo", "{}").await?.result()?;
            clients.push(client);
        }
        // The lists and the stream of changes are there, and nothing else is on its way.
        clients[0].tools().await?;
        fixture.until("the gateway listens", |f| f.streams() > 0).await?;
        let connections = fixture.connections();
        fixture.forget_requests();
        for n in 0..CALLS {
            clients[n % CALLERS].call("b_echo", &format!(r#"{{"n":{n}}}"#)).await?.result()?;
        }
        let requests = fixture.requests();
        let methods: Vec<_> = requests.iter().map(|request| request.method.as_deref().unwrap_or(request.verb.as_str())).collect();
        assert_eq!(methods, vec!["tools/call"; CALLS], "{at}");
        assert_eq!(fixture.connections(), connections, "{at}: {CALLS} more calls open no connection");
        let used: BTreeSet<usize> = requests.iter().map(|request| request.connection).collect();
        assert!(used.len() <= WORKERS, "{at}: calls one after another use {} backend connections", used.len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_side_by_side_share_as_many_connections_as_they_need_at_once() -> Result<()> {
    const CALLERS: usize = 8;
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::with(json!({ "backends": [fixture.entry(json!({}))] })).args(&["--workers", &WORKERS.to_string()]).start().await?;
        let mut tasks = Vec::new();
        for _ in 0..CALLERS {
            let mut client = vmcp.client(caller).await?;
            tasks.push(tokio::spawn(async move {
                for _ in 0..CALLS {
                    client.call("b_echo", "{}").await?.result()?;
                }
                anyhow::Ok(())
            }));
        }
        for task in tasks {
            task.await??;
        }
        assert_eq!(fixture.calls().len(), CALLERS * CALLS, "{at}: nothing is repeated");
        let used: BTreeSet<usize> = fixture.calls().iter().map(|call| call.connection).collect();
        // No more than there are callers at once, and one at each worker that a handshake was waiting for.
        assert!(used.len() <= CALLERS + WORKERS, "{at}: calls used {} connections", used.len());
        // Beside the calls there are the lists, the stream of changes and each legacy caller's handshake.
        assert!(fixture.connections() <= 2 * CALLERS + WORKERS + 2, "{at}: {} connections", fixture.connections());
    }
    Ok(())
}

#[tokio::test]
async fn lists_are_answered_without_asking_the_backends_each_time() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("b", backend).paged(100, 10)).await?;
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [fixture.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        for _ in 0..20 {
            client.tools().await?;
            vmcp.client(caller).await?.tools().await?;
        }
        // Twice at most: once to have them, and once more when the stream is open that tells of changes, for what changed in between.
        let lists = fixture.requests_of("tools/list");
        let collections = lists.iter().filter(|list| list.json()["params"]["cursor"].is_null()).count();
        assert!(collections <= 2, "{caller:?} {backend:?}: {collections} collections for 40 lists");
    }
    Ok(())
}

#[tokio::test]
async fn initialize_and_discover_wait_for_no_backend() -> Result<()> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    fixture.fail(vmcp_tests::fixture::Fault::Hang);
    let vmcp = Vmcp::serve(json!({ "aggregation": { "listWait": "20s" }, "backends": [fixture.entry(json!({}))] })).await?;
    let begun = std::time::Instant::now();
    vmcp.client(Era::Legacy).await?;
    vmcp.client(Era::Modern).await?.send(&vmcp_tests::client::Rpc::new("server/discover", "")).await?.result()?;
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "took {:?}, and lists may take 20 s", begun.elapsed());
    Ok(())
}
