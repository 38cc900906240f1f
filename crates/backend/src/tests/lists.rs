//! Lists over all their pages.

use crate::{CallerSessions, Error, ListRequest, testing::*};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::{BackendList, CacheScope, ListKind, TooLarge},
    config::ProtocolEra,
    frame::{Message, RawObject},
};

async fn list(under: &Under, era: Era, caller: Option<&Identity>, sessions: Option<&Arc<CallerSessions>>) -> Result<BackendList, Error> {
    under.backend.list(ListRequest { era, capabilities: CapabilitySet::NONE, caller, sessions }).await
}

fn cursor(seen: &Seen) -> Option<String> {
    let Ok(Message::Request(request)) = Message::parse(seen.body.as_bytes()) else { return None };
    request.params.unwrap().get_str("cursor").map(|cursor| cursor.into_owned())
}

/// A legacy server with 1,200 tools over 12 pages, one of whose cursors is empty.
fn paged() -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let base = legacy();
    move |seen| match seen.rpc().as_str() {
        "initialize" => {
            Answer::result(seen, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{}},"instructions":"Be kind."}"#)
                .with("mcp-session-id", "s")
        }
        "tools/list" => {
            let page: usize = cursor(seen).map_or(0, |cursor| if cursor.is_empty() { 1 } else { cursor.parse().unwrap() });
            let tools: Vec<String> = (0..100).map(|i| format!(r#"{{ "name":"t{}" }}"#, page * 100 + i)).collect();
            let next = match page {
                11 => "null".to_owned(),
                0 => "\"\"".to_owned(),
                _ => format!("\"{}\"", page + 1),
            };
            Answer::result(seen, &format!(r#"{{"tools":[{}],"nextCursor":{next}}}"#, tools.join(",")))
        }
        "prompts/list" => Answer::error(200, &seen.id(), -32601),
        _ => base(seen),
    }
}

#[tokio::test]
async fn all_pages_are_followed_and_items_stay_raw() {
    let server = Server::start(paged()).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let list = list(&under, Era::Legacy, None, None).await.unwrap();
    assert_eq!((list.len(ListKind::Tools), list.len(ListKind::Prompts)), (1200, 0));
    assert_eq!(list.items(ListKind::Tools).last(), Some(r#"{ "name":"t1199" }"#));
    assert_eq!(list.instructions().map(|text| &**text), Some("Be kind."));
    assert_eq!(list.era(), Era::Legacy);
    // What was not declared is not asked for.
    assert_eq!((server.count("resources/list"), server.count("prompts/list")), (0, 1));
}

#[tokio::test]
async fn shared_lists_go_over_one_session_without_anything_of_a_callers() {
    let server = Server::start(paged()).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    list(&under, Era::Legacy, None, None).await.unwrap();
    list(&under, Era::Modern, None, None).await.unwrap();
    assert_eq!(server.count("initialize"), 1);
    assert!(server.seen().iter().all(|seen| seen.header("x-key").is_none() && seen.header("x-static") == Some("fixed")));
}

#[tokio::test]
async fn a_callers_list_goes_over_its_own_session_with_its_headers() {
    let server = Server::start(paged()).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), CallerSessions::new());
    list(&under, Era::Legacy, Some(&caller), Some(&sessions)).await.unwrap();
    assert_eq!(sessions.len(), 1);
    list(&under, Era::Modern, Some(&caller), None).await.unwrap();
    assert_eq!(under.backend.status().pooled_sessions, 1);
    assert!(server.seen().iter().all(|seen| seen.header("x-key") == Some("k")));
}

#[tokio::test]
async fn modern_lists_bring_their_hints_and_the_callers_capabilities() {
    let server = Server::start(|seen| match seen.rpc().as_str() {
        "server/discover" => Answer::result(seen, &DISCOVERED.replace(r#""ttlMs":0"#, r#""instructions":"Hi.","ttlMs":0"#)),
        "tools/list" if cursor(seen).is_none() => {
            Answer::result(seen, r#"{"resultType":"complete","tools":[{"name":"a"}],"nextCursor":"n","ttlMs":60000,"cacheScope":"public"}"#)
        }
        _ => Answer::result(seen, r#"{"resultType":"complete","tools":[{"name":"b"}],"ttlMs":5000,"cacheScope":"public"}"#),
    })
    .await;
    let under = Setup::new().at(&server);
    let capabilities = CapabilitySet::from_json(&serde_json::json!({"sampling": {}})).unwrap();
    let request = ListRequest { era: Era::Modern, capabilities, caller: None, sessions: None };
    let list = under.backend.list(request).await.unwrap();
    let hints = list.hints(ListKind::Tools).unwrap();
    assert_eq!((hints.ttl_ms, hints.scope, list.len(ListKind::Tools)), (5000, CacheScope::Public, 2));
    assert_eq!(list.instructions().map(|text| &**text), Some("Hi."));
    assert!(server.seen().last().unwrap().body.contains(r#""io.modelcontextprotocol/clientCapabilities":{"sampling":{}}"#));
    assert_eq!(server.seen().last().unwrap().header("mcp-method"), Some("tools/list"));
}

#[tokio::test]
async fn a_list_without_an_end_is_cut() {
    let server = Server::start(|seen| {
        let next = cursor(seen).map_or(1, |cursor| cursor.parse::<u32>().unwrap() + 1);
        match seen.rpc().as_str() {
            "server/discover" => Answer::result(seen, DISCOVERED),
            _ => Answer::result(seen, &format!(r#"{{"tools":[{{"name":"t{next}"}}],"nextCursor":"{next}"}}"#)),
        }
    })
    .await;
    let under = Setup::new().at(&server);
    let list = list(&under, Era::Modern, None, None).await.unwrap();
    assert_eq!((list.len(ListKind::Tools), list.truncated(ListKind::Tools)), (100, Some(TooLarge::Pages)));
    assert_eq!(server.count("tools/list"), 100);
}

#[tokio::test]
async fn lists_that_make_no_sense_are_errors() {
    for (result, why) in [
        (r#"{"tools":[],"nextCursor":"same"}"#, "it gave one cursor twice"),
        (r#"{"tools":[],"nextCursor":7}"#, "`nextCursor` is not a string"),
        (r#"{"tools":{}}"#, "the result has no array of items"),
        ("{}", "the result has no array of items"),
    ] {
        let server = Server::start(move |seen| match seen.rpc().as_str() {
            "server/discover" => Answer::result(seen, DISCOVERED),
            _ => Answer::result(seen, result),
        })
        .await;
        let under = Setup::new().at(&server);
        let error = list(&under, Era::Modern, None, None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("backend `b`: list got a malformed answer: {why}"));
    }
}

#[tokio::test]
async fn a_lost_session_is_no_lost_list() {
    let (lost, base) = (Arc::new(AtomicBool::new(false)), paged());
    let lose = Arc::clone(&lost);
    let server =
        Server::start(
            move |seen| {
                if seen.rpc() == "tools/list" && lose.swap(false, Ordering::SeqCst) { Answer::status(404) } else { base(seen) }
            },
        )
        .await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    list(&under, Era::Legacy, None, None).await.unwrap();
    lost.store(true, Ordering::SeqCst);
    assert_eq!(list(&under, Era::Legacy, None, None).await.unwrap().len(ListKind::Tools), 1200);
    assert_eq!(server.count("initialize"), 2);
}

#[tokio::test]
async fn a_list_finds_out_that_the_backend_changed_its_era() {
    let is_new = Arc::new(AtomicBool::new(true));
    let (now, old) = (Arc::clone(&is_new), paged());
    let server = Server::start(move |seen| match (now.load(Ordering::SeqCst), seen.rpc().as_str()) {
        (false, _) => old(seen),
        (_, "server/discover") => Answer::result(seen, DISCOVERED),
        _ => Answer::result(seen, r#"{"tools":[]}"#),
    })
    .await;
    let under = Setup::new().at(&server);
    assert_eq!(list(&under, Era::Modern, None, None).await.unwrap().era(), Era::Modern);
    is_new.store(false, Ordering::SeqCst);
    assert_eq!(list(&under, Era::Modern, None, None).await.unwrap().era(), Era::Legacy);
}

#[test]
fn the_fixture_reads_cursors() {
    let params = RawObject::parse(r#"{"cursor":""}"#).unwrap();
    assert_eq!(params.get_str("cursor").as_deref(), Some(""));
}
