//! What backends ask during calls and outside of them, and what they tell beside answers.

use crate::{
    Answer as Given, Asked, Backend, CallerSessions, Ear, Event, Subscribed, Subscription,
    testing::{Answer, *},
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    time::timeout,
};
use vmcp_core::{CapabilitySet, Era, LoggingLevel, config::ProtocolEra};

const SAMPLE: &str = r#"{"jsonrpc":"2.0","id":"q-1","method":"sampling/createMessage","params":{"maxTokens":1}}"#;

#[derive(Default)]
struct Listener(Mutex<Vec<String>>, Mutex<Vec<Asked>>, Notify);

impl Ear for Listener {
    fn notified(&self, _: &Backend, method: &str, params: Bytes) {
        self.0.lock().unwrap().push(format!("{method} {}", String::from_utf8_lossy(&params)));
        self.2.notify_one();
    }
    fn asked(&self, asked: Asked) {
        self.1.lock().unwrap().push(asked);
        self.2.notify_one();
    }
}

impl Listener {
    async fn heard(&self) {
        timeout(Duration::from_secs(10), self.2.notified()).await.expect("nothing was heard");
    }
}

/// A legacy server with a stream of its own, whose tools' answers are fed by the test.
fn asking(stream: &Feed, call: &Feed) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let (stream, call, base) = (Arc::clone(stream), Arc::clone(call), legacy());
    let open = |feeds: &Feed| {
        let (sender, step) = feed();
        feeds.lock().unwrap().push(sender);
        Answer::events().data(": hello\n\n").step(step)
    };
    move |seen| match (seen.method.as_str(), seen.rpc().as_str()) {
        ("GET", _) => open(&stream),
        (_, "tools/call") => open(&call),
        (_, "initialize") => {
            Answer::result(seen, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{},"resources":{}}}"#)
                .with("mcp-session-id", "s")
        }
        (_, "resources/subscribe") => Answer::result(seen, "{}"),
        _ => base(seen),
    }
}

type Feed = Arc<Mutex<Vec<UnboundedSender<String>>>>;

fn event(message: &str) -> String {
    format!("data: {message}\n\n")
}

fn sampling() -> CapabilitySet {
    CapabilitySet::SAMPLING
}

/// Waits for a message that has this in it.
async fn wait_for_text(server: &Server, text: &str) -> Seen {
    let wait = async {
        loop {
            if let Some(seen) = server.seen().into_iter().find(|seen| seen.body.contains(text)) {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("nothing with {text} came"))
}

fn say(feed: &Feed, message: &str) {
    feed.lock().unwrap().last().unwrap().send(event(message)).unwrap();
}

#[tokio::test]
async fn a_call_is_asked_on_its_own_stream_and_the_answer_goes_back_with_its_headers() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    let caller = under.caller("ann", &[("x-key", "k")]);
    let mut exchange = under.backend.call(crate::Call { capabilities: sampling(), ..plain_call(&caller) }).await.unwrap();
    let initialize = server.wait_for("initialize").await;
    assert!(initialize.body.contains(r#""capabilities":{"sampling":{}}"#), "{}", initialize.body);
    say(&call, SAMPLE);
    let Event::Request { id, method, params } = exchange.next().await.unwrap() else { panic!("no request") };
    assert_eq!((method.as_str(), &params[..]), ("sampling/createMessage", &br#"{"maxTokens":1}"#[..]));
    exchange.respond(&id, &Given::Result(Bytes::from_static(br#"{"model":"m"}"#)), None);
    let answer = wait_for_text(&server, r#""result":{"model":"m"}"#).await;
    assert_eq!((answer.body.as_str(), answer.header("x-key")), (r#"{"jsonrpc":"2.0","id":"q-1","result":{"model":"m"}}"#, Some("k")));
    // Once answered, once only.
    exchange.respond(&id, &Given::Result(Bytes::from_static(b"{}")), None);
    let asked = server.seen().iter().find(|seen| seen.rpc() == "tools/call").unwrap().id();
    say(&call, &format!(r#"{{"jsonrpc":"2.0","id":{asked},"result":{{"content":[]}}}}"#));
    assert!(matches!(exchange.next().await.unwrap(), Event::Result(_)));
    assert_eq!(server.seen().iter().filter(|seen| seen.body.contains("q-1")).count(), 1);
}

#[tokio::test]
async fn what_is_asked_on_the_sessions_stream_belongs_to_the_call_in_flight() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let caller = under.caller("ann", &[]);
    let mut exchange = under.backend.call(crate::Call { capabilities: sampling(), ..plain_call(&caller) }).await.unwrap();
    server.wait_for("GET").await;
    say(&stream, SAMPLE);
    assert!(matches!(exchange.next().await.unwrap(), Event::Request { .. }));
    say(&stream, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q-1"}}"#);
    assert!(matches!(exchange.next().await.unwrap(), Event::Withdrawn { .. }));
}

#[tokio::test]
async fn a_backend_is_refused_what_the_caller_did_not_declare() {
    let (stream, call) = (Feed::default(), Feed::default());
    let server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let caller = under.caller("ann", &[]);
    let mut exchange = under.backend.call(crate::Call { capabilities: CapabilitySet::ROOTS, ..plain_call(&caller) }).await.unwrap();
    say(&call, SAMPLE);
    let next = exchange.next();
    let refused = wait_for_text(&server, "-32601");
    let refused = tokio::select! {
        _ = next => panic!("it was told"),
        refused = refused => refused,
    };
    assert!(refused.body.contains(r#""id":"q-1""#), "{}", refused.body);
}

#[tokio::test]
async fn a_call_that_may_be_asked_keeps_the_stream_that_somebody_else_opened() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let (caller, listener) = (under.caller("ann", &[]), Arc::new(Listener::default()));
    let ear: Weak<dyn Ear> = Arc::downgrade(&(Arc::clone(&listener) as Arc<dyn Ear>));
    let sessions = CallerSessions::new(sampling(), Some(ear));
    let watch = under.backend.watch_for(caller.clone(), &sessions);
    server.wait_for("GET").await;
    say(&stream, r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#);
    listener.heard().await;
    let capabilities = sampling();
    let call_of_hers = crate::Call { caller_era: Era::Legacy, capabilities, sessions: Some(&sessions), ..plain_call(&caller) };
    let mut exchange = under.backend.call(call_of_hers).await.unwrap();
    drop(watch);
    // The watch's task and the stream's get their turns.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    say(&stream, SAMPLE);
    let asked = timeout(Duration::from_secs(10), exchange.next()).await.expect("the stream has ended").unwrap();
    assert!(matches!(asked, Event::Request { .. }));
    assert_eq!(server.count("GET"), 1);
}

#[tokio::test]
async fn outside_of_calls_the_sessions_holder_hears_and_is_asked() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    let caller = under.caller("ann", &[("x-key", "k")]);
    let listener = Arc::new(Listener::default());
    let ear: Weak<dyn Ear> = Arc::downgrade(&(Arc::clone(&listener) as Arc<dyn Ear>));
    let sessions = CallerSessions::new(sampling(), Some(ear));
    sessions.set_log_level(&[Arc::clone(&under.backend)], &caller, LoggingLevel::Warning);
    let _watch = under.backend.watch_for(caller.clone(), &sessions);
    server.wait_for("GET").await;
    // The session was opened after the level was set.
    assert!(wait_for_text(&server, "logging/setLevel").await.body.contains(r#"{"level":"warning"}"#));
    let subscription = Subscription { caller: &caller, caller_era: Era::Legacy, sessions: &sessions, uri: "a://b", on: true };
    assert!(matches!(under.backend.subscribe(subscription).await.unwrap(), Subscribed::Done));
    assert_eq!(server.wait_for("resources/subscribe").await.session(), Some("s"));
    say(&stream, r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://b"}}"#);
    listener.heard().await;
    assert_eq!(*listener.0.lock().unwrap(), [r#"notifications/resources/updated {"uri":"a://b"}"#]);
    say(&stream, SAMPLE);
    listener.heard().await;
    let asked = listener.1.lock().unwrap().pop().unwrap();
    assert_eq!((asked.method(), asked.backend().id()), ("sampling/createMessage", under.backend.id()));
    asked.answer(Some(&caller), &Given::Result(Bytes::from_static(b"{}")));
    assert_eq!(wait_for_text(&server, r#""result":{}"#).await.header("x-key"), Some("k"));
    say(&stream, &SAMPLE.replace("q-1", "q-2"));
    listener.heard().await;
    listener.1.lock().unwrap().clear();
    assert!(wait_for_text(&server, "-32603").await.body.contains("q-2"), "what is dropped is answered with an error");
    assert_eq!(server.count("GET"), 1);
}

#[tokio::test]
async fn roots_that_a_call_left_unanswered_are_asked_of_the_sessions_holder_and_the_rest_is_refused() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let (caller, listener) = (under.caller("ann", &[]), Arc::new(Listener::default()));
    let ear: Weak<dyn Ear> = Arc::downgrade(&(Arc::clone(&listener) as Arc<dyn Ear>));
    let capabilities = CapabilitySet::parse(r#"{"sampling":{},"roots":{}}"#).unwrap();
    let sessions = CallerSessions::new(capabilities, Some(ear));
    let call_of_hers = crate::Call { caller_era: Era::Legacy, capabilities, sessions: Some(&sessions), ..plain_call(&caller) };
    let mut exchange = under.backend.call(call_of_hers).await.unwrap();
    let asked = server.wait_for("tools/call").await.id();
    for question in [SAMPLE, r#"{"jsonrpc":"2.0","id":"q-2","method":"roots/list"}"#] {
        say(&call, question);
        assert!(matches!(exchange.next().await.unwrap(), Event::Request { .. }));
    }
    say(&call, &format!(r#"{{"jsonrpc":"2.0","id":{asked},"result":{{"content":[]}}}}"#));
    assert!(matches!(exchange.next().await.unwrap(), Event::Result(_)));
    assert!(wait_for_text(&server, "-32603").await.body.contains("q-1"));
    listener.heard().await;
    let question = listener.1.lock().unwrap().pop().unwrap();
    assert_eq!(question.method(), "roots/list");
    question.answer(None, &Given::Result(Bytes::from_static(br#"{"roots":[]}"#)));
    assert!(wait_for_text(&server, r#""result":{"roots":[]}"#).await.body.contains("q-2"));
}

#[tokio::test]
async fn what_is_asked_as_a_call_ends_and_nobody_has_read_is_answered_all_the_same() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let setup = Setup::new().era(ProtocolEra::Legacy);
    let heard = Arc::clone(&setup.heard);
    let under = setup.at(&server);
    let (caller, listener) = (under.caller("ann", &[]), Arc::new(Listener::default()));
    let ear: Weak<dyn Ear> = Arc::downgrade(&(Arc::clone(&listener) as Arc<dyn Ear>));
    let capabilities = CapabilitySet::parse(r#"{"sampling":{},"roots":{}}"#).unwrap();
    let sessions = CallerSessions::new(capabilities, Some(ear));
    let call_of_hers = crate::Call { caller_era: Era::Legacy, capabilities, sessions: Some(&sessions), ..plain_call(&caller) };
    let exchange = under.backend.call(call_of_hers).await.unwrap();
    server.wait_for("GET").await;
    say(&stream, SAMPLE);
    say(&stream, &SAMPLE.replace("q-1", "q-3"));
    say(&stream, r#"{"jsonrpc":"2.0","id":"q-2","method":"roots/list"}"#);
    say(&stream, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q-3"}}"#);
    // Behind the questions on their stream: once it is heard, they wait for the call.
    say(&stream, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    timeout(Duration::from_secs(10), heard.1.notified()).await.unwrap();
    drop(exchange);
    assert!(wait_for_text(&server, "-32603").await.body.contains("q-1"));
    listener.heard().await;
    let question = listener.1.lock().unwrap().pop().unwrap();
    assert_eq!(question.method(), "roots/list");
    question.answer(None, &Given::Result(Bytes::from_static(br#"{"roots":[]}"#)));
    assert!(wait_for_text(&server, r#""result":{"roots":[]}"#).await.body.contains("q-2"));
    assert!(server.seen().iter().all(|seen| !seen.body.contains("q-3")), "what was taken back is not answered");
}

#[tokio::test]
async fn progress_on_a_question_goes_back_in_order_with_the_headers_of_whoever_brought_it() {
    let (stream, call) = (Feed::default(), Feed::default());
    let server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    let caller = under.caller("ann", &[("x-key", "k")]);
    let mut exchange = under.backend.call(crate::Call { capabilities: sampling(), ..plain_call(&caller) }).await.unwrap();
    say(&call, SAMPLE);
    assert!(matches!(exchange.next().await.unwrap(), Event::Request { .. }));
    let progress = exchange.progress().unwrap();
    for step in 1..=50 {
        progress.tell(&caller, Bytes::from(format!(r#"{{"progressToken":"t","progress":{step}}}"#)));
        tokio::task::yield_now().await;
    }
    let last = wait_for_text(&server, r#""progress":50}"#).await;
    assert_eq!((last.rpc().as_str(), last.header("x-key"), last.session()), ("notifications/progress", Some("k"), Some("s")));
    let steps: Vec<u32> =
        server.seen().iter().filter_map(|seen| seen.body.rsplit_once(r#""progress":"#)?.1.trim_end_matches('}').parse().ok()).collect();
    assert!(steps.is_sorted_by(|earlier, later| earlier < later), "{steps:?}");
    // What comes later goes too.
    progress.tell(&caller, Bytes::from_static(br#"{"progressToken":"t","progress":51}"#));
    wait_for_text(&server, r#""progress":51}"#).await;
}

#[tokio::test]
async fn a_session_that_is_opened_anew_is_told_what_the_one_before_was_told() {
    let (stream, call) = (Feed::default(), Feed::default());
    let mut server = Server::start(asking(&stream, &call)).await;
    let under = Setup::new().era(ProtocolEra::Legacy).at(&server);
    let (caller, sessions) = (under.caller("ann", &[]), no_sessions());
    let subscription = Subscription { caller: &caller, caller_era: Era::Legacy, sessions: &sessions, uri: "a://b", on: true };
    under.backend.subscribe(subscription).await.unwrap();
    server.wait_for("resources/subscribe").await;
    sessions.close(&[Arc::clone(&under.backend)]);
    server.wait_for("DELETE").await;
    let _exchange = under.backend.call(crate::Call { caller_era: Era::Legacy, sessions: Some(&sessions), ..plain_call(&caller) }).await;
    server.wait_for("resources/subscribe").await;
    assert_eq!(server.count("resources/subscribe"), 2);
}

#[tokio::test]
async fn of_levels_that_come_quickly_one_after_the_other_the_backend_hears_the_last_one_last() {
    let (stream, call, answers) = (Feed::default(), Feed::default(), Feed::default());
    let (base, held) = (asking(&stream, &call), Arc::clone(&answers));
    let mut server = Server::start(move |seen| match seen.rpc().as_str() {
        "logging/setLevel" => {
            let (sender, step) = feed();
            held.lock().unwrap().push(sender);
            Answer::result(seen, "{}").first(step)
        }
        "tools/call" => echo(seen),
        _ => base(seen),
    })
    .await;
    let under = Setup::new().keyed().era(ProtocolEra::Legacy).at(&server);
    let backends = [Arc::clone(&under.backend)];
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let call = async || text(under.call(Era::Legacy, &caller, Some(&sessions)).await);
    call().await;
    sessions.set_log_level(&backends, &caller, LoggingLevel::Debug);
    assert!(server.wait_for("logging/setLevel").await.body.contains("debug"));
    for level in [LoggingLevel::Warning, LoggingLevel::Info, LoggingLevel::Error] {
        sessions.set_log_level(&backends, &caller, level);
    }
    // Longer than an answer that says nothing is waited for elsewhere.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        call().await;
    }
    assert_eq!(server.count("logging/setLevel"), 1, "the first is not answered yet");
    answers.lock().unwrap().clear();
    let last = server.wait_for("logging/setLevel").await;
    assert!(last.body.contains("error") && last.header("x-key") == Some("k"), "{}", last.body);
    answers.lock().unwrap().clear();
    under.settle_errands().await;
    assert_eq!(server.count("logging/setLevel"), 2, "those in between are said no more");
}
