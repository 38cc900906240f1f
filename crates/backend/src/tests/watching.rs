//! Streams of changes.

use crate::{ListRequest, ViewScope, testing::*};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, time::timeout};
use vmcp_core::{CapabilitySet, Era, catalogue::ListKind, config::ProtocolEra};

const CHANGED: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";

type Feeds = Arc<Mutex<Vec<UnboundedSender<String>>>>;

fn stream(feeds: &Feeds) -> Answer {
    let (sender, step) = feed();
    feeds.lock().unwrap().push(sender);
    Answer::events().data(": hello\n\n").step(step)
}

/// A legacy server that tells of changes on its stream.
fn telling(feeds: &Feeds) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let (feeds, base) = (Arc::clone(feeds), legacy());
    move |seen| match (seen.method.as_str(), seen.rpc().as_str()) {
        ("GET", _) => stream(&feeds),
        (_, "initialize") => Answer::result(seen, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}}}"#)
            .with("mcp-session-id", "s"),
        (_, "tools/list") => Answer::result(seen, r#"{"tools":[]}"#),
        _ => base(seen),
    }
}

async fn heard(heard: &Heard) -> (ViewScope, Option<ListKind>) {
    timeout(Duration::from_secs(10), heard.1.notified()).await.expect("nothing was heard");
    heard.0.lock().unwrap().remove(0)
}

async fn list(under: &Under, era: Era) {
    under.backend.list(ListRequest { era, capabilities: CapabilitySet::NONE, caller: None, sessions: None, early: None }).await.unwrap();
}

#[tokio::test]
async fn changes_are_heard_over_the_gateways_own_session() {
    let feeds = Feeds::default();
    let mut server = Server::start(telling(&feeds)).await;
    let setup = Setup::new().era(ProtocolEra::Legacy);
    let ears = Arc::clone(&setup.heard);
    let under = setup.at(&server);
    list(&under, Era::Legacy).await;
    under.backend.watch();
    under.backend.watch();
    let get = server.wait_for("GET").await;
    assert_eq!((get.session(), get.header("accept")), (Some("s"), Some("text/event-stream")));
    feeds.lock().unwrap()[0].send(CHANGED.to_owned()).unwrap();
    assert_eq!(heard(&ears).await, (ViewScope::Shared, Some(ListKind::Tools)));
    assert_eq!((server.count("GET"), server.count("initialize")), (1, 1));
    // A stream that broke off may have kept something to itself.
    feeds.lock().unwrap().clear();
    assert_eq!(heard(&ears).await, (ViewScope::Shared, None));
    under.backend.close().await;
    timeout(Duration::from_secs(10), async {
        under.shared.tracker().close();
        under.shared.tracker().wait().await;
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_modern_backend_is_subscribed_to() {
    let feeds = Feeds::default();
    let open = Arc::clone(&feeds);
    let mut server = Server::start(move |seen| match seen.rpc().as_str() {
        "server/discover" => Answer::result(seen, &DISCOVERED.replace(r#""tools":{}"#, r#""tools":{"listChanged":true},"prompts":{}"#)),
        "subscriptions/listen" => stream(&open),
        "tools/list" => Answer::result(seen, r#"{"tools":[]}"#),
        _ => Answer::result(seen, r#"{"prompts":[]}"#),
    })
    .await;
    let setup = Setup::new();
    let ears = Arc::clone(&setup.heard);
    let under = setup.at(&server);
    list(&under, Era::Modern).await;
    under.backend.watch();
    let listen = server.wait_for("subscriptions/listen").await;
    assert!(listen.body.contains(r#""notifications":{"toolsListChanged":true}"#), "{}", listen.body);
    assert_eq!(listen.header("mcp-method"), Some("subscriptions/listen"));
    feeds.lock().unwrap()[0].send(CHANGED.to_owned()).unwrap();
    assert_eq!(heard(&ears).await, (ViewScope::Shared, Some(ListKind::Tools)));
}

#[tokio::test]
async fn a_callers_stream_carries_its_headers_and_stops_with_its_guard() {
    let feeds = Feeds::default();
    let mut server = Server::start(telling(&feeds)).await;
    let setup = Setup::new().keyed().era(ProtocolEra::Legacy);
    let ears = Arc::clone(&setup.heard);
    let under = setup.at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let scope = under.backend.scope(&caller);
    let guard = under.backend.watch_for(caller, &sessions);
    let get = server.wait_for("GET").await;
    assert_eq!((get.session(), get.header("x-key")), (Some("s"), Some("k")));
    feeds.lock().unwrap()[0].send(CHANGED.to_owned()).unwrap();
    assert_eq!(heard(&ears).await, (scope, Some(ListKind::Tools)));
    // An open stream keeps its session.
    sessions.close(&[Arc::clone(&under.backend)]);
    under.settle_errands().await;
    assert_eq!(server.count("DELETE"), 0);
    drop(guard);
    assert_eq!(server.wait_for("DELETE").await.header("x-key"), None);
}

#[tokio::test]
async fn a_stream_is_opened_once_somebody_has_found_out_the_era() {
    let feeds = Feeds::default();
    let mut server = Server::start(telling(&feeds)).await;
    let under = Setup::new().at(&server);
    let sessions = no_sessions();
    let _guard = under.backend.watch_for(under.caller("ann", &[]), &sessions);
    under.backend.watch();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(server.seen().is_empty(), "nobody is asked only to be watched");
    list(&under, Era::Legacy).await;
    server.wait_for("GET").await;
    server.wait_for("GET").await;
}

#[tokio::test]
async fn nothing_is_watched_for_all_where_lists_depend_on_the_caller() {
    let feeds = Feeds::default();
    let server = Server::start(telling(&feeds)).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    under.backend.watch();
    assert_eq!(under.shared.tracker().len(), 0);
}

#[tokio::test]
async fn a_backend_is_not_watched_for_who_lacks_a_header_that_it_requires() {
    let feeds = Feeds::default();
    let mut server = Server::start(telling(&feeds)).await;
    let under = Setup::new().require("x-key").era(ProtocolEra::Legacy).at(&server);
    let sessions = no_sessions();
    under.backend.watch();
    let _without = under.backend.watch_for(under.caller("ann", &[]), &sessions);
    let _empty = under.backend.watch_for(under.caller("ann", &[("x-key", "")]), &sessions);
    assert_eq!(under.shared.tracker().len(), 0);
    let _with = under.backend.watch_for(under.caller("ann", &[("x-key", "k")]), &sessions);
    server.wait_for("GET").await;
    assert!(server.seen().iter().all(|seen| seen.header("x-key") == Some("k")));
}

#[tokio::test]
async fn a_backend_that_comes_back_may_have_other_lists() {
    let first = Server::start(legacy()).await;
    let (address, setup) = (first.address, Setup::new().era(ProtocolEra::Legacy));
    let ears = Arc::clone(&setup.heard);
    let under = setup.at(&first);
    under.modern_call().await;
    drop(first);
    while under.call_once().await.is_ok() {}
    assert!(ears.0.lock().unwrap().is_empty());
    let _second = Server::again_at(address, legacy()).await;
    while under.call_once().await.is_err() {}
    assert_eq!(heard(&ears).await, (ViewScope::Shared, None));
}

#[tokio::test]
async fn what_a_caller_follows_at_a_modern_backend_is_asked_for_on_a_stream_of_its_own() {
    let feeds = Feeds::default();
    let open = Arc::clone(&feeds);
    let mut server = Server::start(move |seen| match seen.rpc().as_str() {
        "subscriptions/listen" => stream(&open).data(format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{{\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":{}}}}}}}\n\n",
            seen.id()
        )),
        _ => Answer::result(seen, DISCOVERED),
    })
    .await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let (caller, sessions) = (under.caller("ann", &[]), no_sessions());
    let _guard = under.backend.watch_for(caller.clone(), &sessions);
    let follow = |uri, on| crate::Subscription { caller: &caller, caller_era: Era::Modern, sessions: &sessions, uri, on };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(server.seen().is_empty(), "who follows nothing needs no stream where lists are everybody's");
    under.backend.subscribe(follow("a://b", true)).await.unwrap();
    let listen = server.wait_for("subscriptions/listen").await;
    assert!(listen.body.contains(r#""notifications":{"resourceSubscriptions":["a://b"]}"#), "{}", listen.body);
    under.backend.follow_tasks(&sessions, ["t".to_owned()]);
    let listen = server.wait_for("subscriptions/listen").await;
    assert!(listen.body.contains(r#""taskIds":["t"]"#) && listen.body.contains(r#""io.modelcontextprotocol/tasks":{}"#), "{}", listen.body);
}
