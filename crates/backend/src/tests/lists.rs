//! Lists over all their pages.

use crate::{CallerSessions, Early, Error, Health, ListRequest, Listed, testing::*};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::{BackendList, CacheScope, ListKind, TooLarge},
    config::ProtocolEra,
    frame::{Message, RawObject},
};

async fn list(under: &Under, era: Era, caller: Option<&Identity>, sessions: Option<&Arc<CallerSessions>>) -> Result<BackendList, Error> {
    let listed = under.backend.list(ListRequest { era, capabilities: CapabilitySet::NONE, caller, sessions, early: None }).await?;
    Ok(listed.over(None))
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
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
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
    let request = ListRequest { era: Era::Modern, capabilities, caller: None, sessions: None, early: None };
    let list = under.backend.list(request).await.unwrap().over(None);
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
        assert_eq!(error.to_string(), format!("backend `b`: tools/list got a malformed answer: {why}"));
    }
}

type Reply = fn(&Seen) -> Answer;

/// A legacy server with tools and all the rest, whose list of resources is answered in this way.
fn with_resources(resources: Reply) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let base = legacy();
    move |seen| match seen.rpc().as_str() {
        "initialize" => Answer::result(seen, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{}}}"#)
            .with("mcp-session-id", "s"),
        "tools/list" => Answer::result(seen, r#"{"tools":[{"name":"t"}]}"#),
        "resources/list" => resources(seen),
        "resources/templates/list" => Answer::error(200, &seen.id(), -32601),
        "prompts/list" => Answer::result(seen, r#"{"prompts":[{"name":"p"}]}"#),
        _ => base(seen),
    }
}

fn request() -> ListRequest<'static> {
    ListRequest { era: Era::Legacy, capabilities: CapabilitySet::NONE, caller: None, sessions: None, early: None }
}

#[tokio::test]
async fn one_bad_list_costs_the_others_nothing_and_is_named() {
    let cases: [(Reply, &str); 5] = [
        (|seen| Answer::error(200, &seen.id(), -32603), "was refused with JSON-RPC error -32603"),
        (|_| Answer::status(500), "was answered with HTTP status 500"),
        (|seen| Answer::result(seen, r#"{"resources":null}"#), "got a malformed answer: the result has no array of items"),
        (|_| Answer::never(), "timed out after 100ms"),
        (|_| Answer::status(200).with("content-type", "application/json").data("{").step(Step::Break), "failed: "),
    ];
    for (resources, why) in cases {
        let server = Server::start(with_resources(resources)).await;
        let mut setup = Setup::new().era(ProtocolEra::Legacy);
        setup.timeout = Duration::from_millis(100);
        let under = setup.at(&server);
        let listed = under.backend.list(request()).await.unwrap();
        let [(kind, error)] = listed.failed() else { panic!("{:?}", listed.failed()) };
        assert_eq!(*kind, ListKind::Resources);
        assert!(error.to_string().starts_with(&format!("backend `b`: resources/list {why}")), "{error}");
        assert!(listed.lacks(ListKind::Resources) && !listed.lacks(ListKind::ResourceTemplates), "not having a list is no failure");
        // The other lists are good, so the backend is.
        assert_eq!(under.backend.status().health, Health::Healthy);
        let list = listed.over(None);
        assert_eq!((list.len(ListKind::Tools), list.len(ListKind::Prompts), list.len(ListKind::Resources)), (1, 1, 0));
    }
}

#[tokio::test]
async fn a_kind_that_fails_stays_as_it_was_last() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    let server = Server::start(with_resources(|seen| match FAILS.load(Ordering::SeqCst) {
        true => Answer::status(500),
        false => Answer::result(seen, r#"{"resources":[{"uri":"a:b"}]}"#),
    }))
    .await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let last = under.backend.list(request()).await.unwrap().over(None);
    FAILS.store(true, Ordering::SeqCst);
    let now = under.backend.list(request()).await.unwrap().over(Some(&last));
    assert_eq!(now.content_hash(), last.content_hash());
    assert_eq!(now.items(ListKind::Resources).collect::<Vec<_>>(), [r#"{"uri":"a:b"}"#]);
}

#[tokio::test]
async fn what_is_there_is_told_while_a_slow_kind_is_waited_for() {
    static GATE: Mutex<Option<Step>> = Mutex::new(None);
    let (gate, step) = feed();
    *GATE.lock().unwrap() = Some(step);
    let server = Server::start(with_resources(|seen| {
        let late = Answer::result(seen, r#"{"resources":[{"uri":"a:b"}]}"#);
        late.first(GATE.lock().unwrap().take().unwrap())
    }))
    .await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let told = Mutex::new(Vec::new());
    let gate = Mutex::new(Some(gate));
    let tell = |listed: Listed| {
        let lacks = (listed.lacks(ListKind::Tools), listed.lacks(ListKind::Resources));
        told.lock().unwrap().push((lacks, listed.over(None).len(ListKind::Tools)));
        gate.lock().unwrap().take();
    };
    let listed = under.backend.list(ListRequest { early: Some(Early { after: Duration::from_millis(50), tell: &tell }), ..request() });
    let listed = listed.await.unwrap();
    assert_eq!(*told.lock().unwrap(), [((false, true), 1)]);
    assert_eq!((listed.failed().len(), listed.over(None).len(ListKind::Resources)), (0, 1));
}

#[tokio::test]
async fn a_cursor_that_repeats_ends_the_pages_and_is_a_warning() {
    // Pages by cursor; the last one gives a cursor that was given before.
    type Pages = fn(Option<&str>) -> (&'static str, &'static str);
    let cases: [(Pages, &[&str], usize); 3] = [
        // Takes the empty cursor for the first page.
        (|_| ("a", ""), &["a"], 2),
        (|cursor| if cursor.is_none() { ("a", "x") } else { ("b", "x") }, &["a", "b"], 2),
        (|cursor| if cursor == Some("x") { ("b", "y") } else { ("a", "x") }, &["a", "b"], 3),
    ];
    for (pages, expected, asked) in cases {
        let server = Server::start(move |seen| match seen.rpc().as_str() {
            "server/discover" => Answer::result(seen, DISCOVERED),
            _ => {
                let (name, next) = pages(cursor(seen).as_deref());
                Answer::result(seen, &format!(r#"{{"tools":[{{"name":"{name}"}}],"nextCursor":"{next}"}}"#))
            }
        })
        .await;
        let under = Setup::new().at(&server);
        let listed = under.backend.list(ListRequest { era: Era::Modern, ..request() }).await.unwrap();
        let warnings: Vec<_> = listed.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["backend `b`: tools/list got a malformed answer: it gave one cursor twice; the pages until then are kept"]);
        assert!(listed.failed().is_empty());
        let list = listed.over(None);
        let names: Vec<_> = expected.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
        assert_eq!(list.items(ListKind::Tools).collect::<Vec<_>>(), names);
        assert_eq!(server.count("tools/list"), asked);
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
