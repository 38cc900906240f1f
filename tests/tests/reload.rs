//! A new configuration while streams are open and calls run (the gateway as a library: the command line has no reload).

mod served;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinHandle;
use vmcp_core::config::Config;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    eventually,
    fixture::{Fault, Fixture, Recorded, Spec},
};

const TOOL: &str = r#"{"name":"fresh","description":"New","inputSchema":{"type":"object"}}"#;

/// These backends, each with this header of the caller's.
fn config(backends: &[&Fixture], header: &str) -> Result<Config> {
    let entry = |fixture: &&Fixture| fixture.entry(json!({ "passthroughHeaders": [header] }));
    let backends: Vec<Value> = backends.iter().map(entry).collect();
    Ok(serde_json::from_value(json!({ "aggregation": { "listTtl": "1h" }, "backends": backends }))?)
}

/// The same backend at the main endpoint and at these paths.
fn with_endpoints(fixture: &Fixture, paths: &[&str]) -> Result<Config> {
    let endpoints: Vec<Value> = paths.iter().map(|path| json!({ "path": path, "backends": ["one"] })).collect();
    Ok(serde_json::from_value(json!({ "backends": [fixture.entry(json!({}))], "endpoints": endpoints }))?)
}

/// A served gateway.
struct Served {
    gateway: Gateway,
    addr: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn with(config: Config) -> Result<Self> {
        let gateway = Gateway::builder(config).build()?;
        let (addr, serving) = served::serve(&gateway).await?;
        Ok(Self { gateway, addr, serving })
    }

    async fn client(&self, era: Era) -> Result<Client> {
        Client::of(era, self.addr).header("x-old", "old-value").header("x-new", "new-value").connect().await
    }

    async fn end(self) -> Result<()> {
        self.gateway.shutdown().await;
        Ok(self.serving.await??)
    }
}

fn change(fixture: &Fixture) {
    fixture.change(|items| items.tools.push(TOOL.to_owned()));
    fixture.announce("tools");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_stream_ends_in_order_at_a_reload_and_a_new_one_tells_of_the_new_configurations_backends() -> Result<()> {
    for backend in Era::BOTH {
        let (one, two) = (Fixture::start(Spec::new("one", backend)).await?, Fixture::start(Spec::new("two", backend)).await?);
        let served = Served::with(config(&[&one], "x-old")?).await?;
        let mut client = served.client(Era::Legacy).await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        one.until("the gateway listens", |f| f.streams() > 0).await.with_context(|| format!("{backend:?}"))?;

        served.gateway.reload(config(&[&one, &two], "x-new")?)?;
        while let Some(event) = stream.next().await.with_context(|| format!("{backend:?}: the stream's end"))? {
            assert_eq!(event.json()["method"], "notifications/tools/list_changed", "{backend:?}: {event:?}");
        }
        let mut stream = client.listen().await?;
        vmcp_tests::eventually("the new backend's tools", async || {
            client.tools().await.is_ok_and(|tools| tools.contains(&"two_echo".to_owned()) && tools.contains(&"one_echo".to_owned()))
        })
        .await?;
        two.until("the gateway listens at the new backend", |f| f.streams() > 0).await?;
        change(&two);
        loop {
            let note = stream.message().await.with_context(|| format!("{backend:?}: of a change at the new backend"))?;
            let known = client.tools().await?.contains(&"two_fresh".to_owned());
            if note["method"] == "notifications/tools/list_changed" && known {
                break;
            }
        }
        served.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_not_listed_since_a_reload_is_told_of_a_backend_that_came_with_it() -> Result<()> {
    for backend in Era::BOTH {
        let at = format!("{backend:?}");
        let (one, two) = (Fixture::start(Spec::new("one", backend)).await?, Fixture::start(Spec::new("two", backend)).await?);
        let config = |backends: &[&Fixture]| -> Result<Config> {
            let backends: Vec<Value> = backends.iter().map(|fixture| fixture.entry(json!({}))).collect();
            Ok(serde_json::from_value(json!({ "backends": backends }))?)
        };
        let served = Served::with(config(&[&one])?).await?;
        let mut client = served.client(Era::Legacy).await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        served.gateway.reload(config(&[&one, &two])?)?;
        while stream.next().await.with_context(|| at.clone())?.is_some() {}
        // Somebody else: nothing is missing when the client comes back.
        let mut other = served.client(Era::Legacy).await?;
        eventually("the tools of both", async || {
            other.tools().await.is_ok_and(|tools| ["one_echo", "two_echo"].iter().all(|name| tools.contains(&(*name).to_owned())))
        })
        .await?;
        let mut stream = client.listen().await?;
        assert_eq!(stream.message().await.with_context(|| at.clone())?["method"], "notifications/tools/list_changed", "{at}");
        two.until("the gateway listens at the new backend", |f| f.streams() > 0).await?;
        // Nor does it list now.
        change(&two);
        while stream.message().await.with_context(|| at.clone())?["method"] != "notifications/tools/list_changed" {}
        served.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_in_order_at_a_reload_and_a_new_one_is_under_the_new_configuration() -> Result<()> {
    for backend in Era::BOTH {
        let (one, two) = (Fixture::start(Spec::new("one", backend)).await?, Fixture::start(Spec::new("two", backend)).await?);
        let served = Served::with(config(&[&one], "x-old")?).await?;
        let mut client = served.client(Era::Modern).await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        one.until("the gateway listens", |f| f.streams() > 0).await.with_context(|| format!("{backend:?}"))?;

        served.gateway.reload(config(&[&two], "x-new")?)?;
        let last = loop {
            let message = stream.message().await.with_context(|| format!("{backend:?}: the subscription's result"))?;
            if message.get("method").is_none() {
                break message;
            }
            assert_eq!(message["method"], "notifications/tools/list_changed", "{backend:?}: {message}");
        };
        assert_eq!(last["result"]["resultType"], "complete", "{backend:?}: {last}");
        assert!(stream.next().await?.is_none(), "{backend:?}: nothing follows the result");
        one.until("the old backend is not listened to any more", |f| f.streams() == 0).await?;

        let mut stream = client.listen().await?;
        assert!(client.tools().await?.contains(&"two_echo".to_owned()), "{backend:?}");
        two.until("the gateway listens", |f| f.streams() > 0).await?;
        change(&two);
        let note = stream.message().await.with_context(|| format!("{backend:?}: of a change at the new backend"))?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{backend:?}: {note}");
        assert!(client.tools().await?.contains(&"two_fresh".to_owned()), "{backend:?}");
        served.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_end_under_the_old_configuration() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let (one, two) = (Fixture::start(Spec::new("one", backend)).await?, Fixture::start(Spec::new("two", backend)).await?);
        let served = Served::with(config(&[&one], "x-old")?).await?;
        let mut client = served.client(caller).await?;
        client.tools().await?;
        let (mut slow, mut reporting) = (client.sibling().await?, client.sibling().await?);
        slow.begin(&Rpc::tool("one_slow", "{}")).await?;
        one.until("the slow call", |f| f.started() == 1).await?;
        reporting.start(&Rpc::tool("one_progress", r#"{"steps":3,"hold":true}"#).meta(r#""progressToken":7"#)).await?;
        one.until("the reporting call", |f| f.started() == 2).await?;

        served.gateway.reload(config(&[&two], "x-new")?)?;
        client.call("two_echo", "{}").await?.result().with_context(|| at.clone())?;
        let gone = client.call("one_echo", "{}").await?.error().with_context(|| at.clone())?;
        assert_eq!(gone.code, -32602, "{at}: {}", gone.message);

        one.release(2);
        assert_eq!(slow.finish().await?.result().with_context(|| at.clone())?["content"][0]["text"], "released", "{at}");
        let mut buffer = Vec::new();
        let mut messages = Vec::new();
        while let Some(event) = reporting.conn.event(&mut buffer).await? {
            messages.push(event.json());
        }
        let steps: Vec<_> = messages.iter().filter_map(|message| message["params"]["progress"].as_u64()).collect();
        assert_eq!(steps, [1, 2, 3], "{at}");
        let last = messages.last().with_context(|| at.clone())?;
        assert_eq!(last["result"]["content"][0]["text"], "progressed", "{at}: {last}");
        one.until("what the old configuration had at its backend is gone", |f| f.live_sessions() == 0 && f.streams() == 0).await?;
        assert_eq!(one.violations(), Vec::<String>::new(), "{at}");
        served.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_turn_gets_it_under_the_old_configuration() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let (one, two) = (Fixture::start(Spec::new("one", backend)).await?, Fixture::start(Spec::new("two", backend)).await?);
        let served = Served::with(serde_json::from_value(json!({ "backends": [one.entry(json!({ "maxConcurrent": 1 }))] }))?).await?;
        let mut client = served.client(caller).await?;
        client.tools().await?;
        let (mut first, mut second) = (client.sibling().await?, client.sibling().await?);
        first.begin(&Rpc::tool("one_slow", "{}")).await?;
        one.until("the first call", |f| f.started() == 1).await?;
        second.begin(&Rpc::tool("one_slow", "{}")).await?;
        eventually("the second call waits", async || served.gateway.status()["requests_in_flight"] == 2).await?;

        served.gateway.reload(config(&[&two], "x-new")?)?;
        client.call("two_echo", "{}").await?.result().with_context(|| at.clone())?;
        assert_eq!(one.started(), 1, "{at}: one at a time");
        one.release(2);
        for call in [&mut first, &mut second] {
            assert_eq!(call.finish().await?.result().with_context(|| at.clone())?["content"][0]["text"], "released", "{at}");
        }
        one.until("what the old configuration had at its backend is gone", |f| f.live_sessions() == 0).await?;
        served.end().await?;
    }
    Ok(())
}

/// The header policy that a request was made under; an error when it was made under both.
fn policy(request: &Recorded) -> Result<&'static str> {
    match (request.value("x-old"), request.value("x-new")) {
        (Some("old-value"), None) => Ok("old"),
        (None, Some("new-value")) => Ok("new"),
        other => anyhow::bail!("neither one nor the other: {other:?} on {request:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_begin_after_a_reload_use_the_new_header_policy_and_never_the_old_one() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let served = Served::with(config(&[&fixture], "x-old")?).await?;
        let (reloaded, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut callers = Vec::new();
        for _ in 0..6 {
            let mut client = served.client(caller).await?;
            let (reloaded, stop) = (reloaded.clone(), stop.clone());
            callers.push(tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    // Read before the call is sent: what is stamped as later was certainly begun later.
                    let stamp = format!(r#"{{"later":{}}}"#, reloaded.load(Ordering::Acquire));
                    client.call("b_echo", &stamp).await?.result()?;
                }
                anyhow::Ok(client)
            }));
        }
        fixture.until("load under the old configuration", |f| f.calls().len() > 200).await?;
        served.gateway.reload(config(&[&fixture], "x-new")?)?;
        reloaded.store(true, Ordering::Release);
        let before = fixture.calls().len();
        fixture.until("load under the new configuration", |f| f.calls().len() > before + 200).await?;
        stop.store(true, Ordering::Release);
        let mut clients = Vec::new();
        for caller in callers {
            // No call fails, and no legacy session is lost.
            clients.push(caller.await?.with_context(|| at.clone())?);
        }
        let (mut old, mut new) = (0, 0);
        for call in fixture.calls().iter().filter(|call| call.status == Some(200)) {
            let policy = policy(call).with_context(|| at.clone())?;
            let later = call.json()["params"]["arguments"]["later"] == true;
            ensure!(!later || policy == "new", "{at}: a call that began after the reload was made under the old policy: {call:?}");
            *(if policy == "old" { &mut old } else { &mut new }) += 1;
        }
        assert!(old > 0 && new > 0, "{at}: {old} calls under the old and {new} under the new policy");
        fixture.until("the old configuration's sessions are closed", |f| f.live_sessions() <= clients.len() + 1).await?;
        fixture.forget_requests();
        for client in &mut clients {
            client.tools().await?;
            client.call("b_echo", "{}").await?.result()?;
        }
        for request in fixture.requests() {
            assert!(!request.headers_contain("old-value"), "{at}: {request:?}");
        }
        served.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_follows_outlives_a_reload() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let served = Served::with(config(&[&fixture], "x-old")?).await?;
    let mut client = Client::of(Era::Legacy, served.addr).capabilities(r#"{"roots":{}}"#).connect().await?;
    let mut stream = client.listen().await?;
    let uri = "fixture://b/text";
    client.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
    served.gateway.reload(config(&[&fixture], "x-new")?)?;
    while stream.next().await?.is_some() {}
    eventually("the old session has ended", async || fixture.followers(uri) == 0).await?;
    let mut stream = client.listen().await?;
    let hears = |fixture: &Fixture| fixture.followers(uri) == 1 && fixture.hearers(uri) == 1 && fixture.declared_streams() == 1;
    fixture.until("the new session follows and hears", hears).await?;
    fixture.updated(uri);
    while stream.message().await?["method"] != "notifications/resources/updated" {}
    drop(stream);
    served.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_follows_is_told_to_the_new_backend_though_the_stream_that_came_for_it_gives_way_to_another() -> Result<()> {
    let (fixture, uri) = (Fixture::start(Spec::legacy("b")).await?, "fixture://b/text");
    let served = Served::with(config(&[&fixture], "x-old")?).await?;
    let mut client = Client::of(Era::Legacy, served.addr).capabilities(r#"{"roots":{}}"#).connect().await?;
    client.tools().await?;
    client.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
    let told = |fixture: &Fixture| fixture.requests_of("resources/subscribe").len();
    fixture.fail_on("resources/subscribe", Fault::Late);
    served.gateway.reload(config(&[&fixture], "x-new")?)?;
    eventually("the old session has ended", async || fixture.followers(uri) == 0).await?;
    let first = client.listen().await?;
    fixture.until("the new backend is being told", |f| told(f) == 2).await?;
    let second = client.listen().await?;
    first.hang_up().await?;
    eventually("one stream is left", async || served.gateway.status()["sessions"]["streams"] == 1).await?;
    fixture.heal();
    fixture.until("the new session follows", |f| f.followers(uri) == 1).await?;
    assert_eq!(told(&fixture), 2);
    drop(second);
    served.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_takes_its_sessions_and_streams_with_it_and_the_others_go_on() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("one")).await?;
    let served = Served::with(with_endpoints(&fixture, &["/stays", "/goes"])?).await?;
    let mut clients = Vec::new();
    for path in ["/mcp", "/mcp/one", "/stays", "/goes"] {
        let mut client = Client::of(Era::Legacy, served.addr).path(path).connect().await?;
        let tool = if path == "/mcp/one" { "echo" } else { "one_echo" };
        client.call(tool, "{}").await?.result().context(path)?;
        clients.push((client, tool));
    }
    let mut gone = clients.pop().context("a client of /goes")?.0;
    let mut stream = gone.listen().await?;
    let mut modern = Client::of(Era::Modern, served.addr).path("/goes").connect().await?;
    modern.tools().await?;
    let mut subscription = modern.listen().await?;

    served.gateway.reload(with_endpoints(&fixture, &["/stays", "/comes"])?)?;
    while stream.next().await.context("the stream's end")?.is_some() {}
    while subscription.next().await.context("the subscription's end")?.is_some() {}
    let refused = gone.caller.request(&Rpc::list("tools/list", None), "1");
    assert_eq!(gone.conn.exchange(&refused).await?.status(), 404);
    let refused = modern.caller.request(&Rpc::list("tools/list", None), "1");
    assert_eq!(modern.conn.exchange(&refused).await?.status(), 404);
    for (client, tool) in &mut clients {
        client.call(tool, "{}").await?.result().with_context(|| format!("{} after the reload", client.caller.path))?;
    }
    Client::of(Era::Legacy, served.addr).path("/comes").connect().await?.call("one_echo", "{}").await?.result()?;
    eventually("the session is gone", async || served.gateway.status()["sessions"]["open"] == 4).await?;

    // Somebody who brings the endpoint back does not bring its sessions back.
    served.gateway.reload(with_endpoints(&fixture, &["/stays", "/goes"])?)?;
    assert_eq!(gone.conn.exchange(&gone.caller.request(&Rpc::list("tools/list", None), "2")).await?.status(), 404);
    served.end().await?;
    fixture.until("every session that was called over is closed", |f| f.open_sessions_of_calls() == 0).await?;
    assert_eq!(fixture.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_goes_takes_its_sessions_with_it_at_every_configuration_that_still_has_calls() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("one")).await?;
    let served = Served::with(with_endpoints(&fixture, &["/goes"])?).await?;
    let mut gone = Client::of(Era::Legacy, served.addr).path("/goes").connect().await?;
    gone.call("one_echo", "{}").await?.result()?;
    let own = fixture.calls().last().and_then(|call| call.session().map(str::to_owned)).context("no session")?;
    // Somebody's call keeps the first configuration.
    let mut slow = served.client(Era::Legacy).await?;
    slow.begin(&Rpc::tool("one_slow", "{}")).await?;
    fixture.until("the slow call", |f| f.started() == 1).await?;

    served.gateway.reload(with_endpoints(&fixture, &["/goes"])?)?;
    served.gateway.reload(with_endpoints(&fixture, &[])?)?;
    let ended = |f: &Fixture| f.requests().iter().any(|request| request.verb == "DELETE" && request.session() == Some(&*own));
    fixture.until("the session has ended where it was opened", ended).await?;
    fixture.release(1);
    slow.finish().await?.result()?;
    served.end().await
}
