//! HTTP+SSE backends: a stream of events, and an address to post to.

use crate::{Call, CallerSessions, Event, Exchange, HttpTransport, testing::*};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, time::timeout};
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, Era, config::ProtocolEra, frame::Message};

type Streams = Arc<Mutex<Vec<UnboundedSender<String>>>>;

const ADDRESS: &str = "/messages?sessionId=1";

/// A server of the older transport: it answers on its newest stream whatever `answers` says, and knows nothing at its own address but
/// `GET`.
fn old(streams: &Streams, address: &'static str, refusal: u16) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    old_of("2024-11-05", streams, address, refusal)
}

fn old_of(
    revision: &'static str,
    streams: &Streams,
    address: &'static str,
    refusal: u16,
) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let streams = Arc::clone(streams);
    move |seen| {
        if seen.method == "GET" {
            let (sender, step) = feed();
            streams.lock().unwrap().push(sender);
            return Answer::events().data(format!("event: endpoint\ndata: {address}\n\n")).step(step);
        }
        if seen.path != ADDRESS {
            return Answer::status(refusal);
        }
        let result = match Message::parse(seen.body.as_bytes()) {
            Ok(Message::Request(request)) => match &*request.method {
                "initialize" => format!(r#"{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}}}}"#),
                "tools/call" => format!(r#"{{"content":[],"key":"{}"}}"#, seen.header("x-key").unwrap_or_default()),
                _ => return Answer::status(202),
            },
            _ => return Answer::status(202),
        };
        say(&streams, &format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.id()));
        Answer::status(202)
    }
}

fn say(streams: &Streams, message: &str) {
    let _ = streams.lock().unwrap().last().unwrap().send(format!("event: message\ndata: {message}\n\n"));
}

/// Such a server, and a backend that knows what it is.
struct Scene {
    streams: Streams,
    server: Server,
    under: Under,
}

impl Scene {
    async fn new(setup: Setup) -> Self {
        Self::at(setup, ADDRESS).await
    }

    async fn at(setup: Setup, address: &'static str) -> Self {
        Self::of("2024-11-05", setup, address).await
    }

    async fn of(revision: &'static str, setup: Setup, address: &'static str) -> Self {
        let streams = Streams::default();
        let server = Server::start(old_of(revision, &streams, address, 405)).await;
        let mut setup = setup.era(ProtocolEra::Legacy);
        setup.transport = HttpTransport::Sse;
        Self { under: setup.at(&server), streams, server }
    }
}

/// What a caller of the older era calls, in a session of its own.
struct Calling {
    caller: Identity,
    sessions: Arc<CallerSessions>,
}

impl Calling {
    fn over(under: &Under) -> Self {
        Self { caller: under.caller("ann", &[]), sessions: no_sessions() }
    }

    fn call<'a>(&'a self, method: &'a str) -> Call<'a> {
        Call { method, caller_era: Era::Legacy, sessions: Some(&self.sessions), progress: true, ..plain_call(&self.caller) }
    }
}

impl Scene {
    /// A call that waits for its answer, and the id that it has at the server.
    async fn waiting(&mut self, calling: &Calling) -> (Exchange, String) {
        let call = self.under.backend.call(calling.call("prompts/get")).await.unwrap();
        (call, self.server.wait_for("prompts/get").await.id())
    }
}

fn result(event: Event) -> String {
    text(Ok(event))
}

#[tokio::test]
async fn calls_are_posted_to_the_address_and_answered_on_the_stream() {
    let Scene { server, under, .. } = Scene::new(Setup::new().keyed()).await;
    let sessions = no_sessions();
    let first = under.caller("ann", &[("x-key", "k")]);
    let call = |caller| Call { caller_era: Era::Legacy, sessions: Some(&sessions), ..plain_call(caller) };
    assert!(result(under.backend.call(call(&first)).await.unwrap().next().await.unwrap()).contains(r#""key":"k""#));
    assert!(result(under.backend.call(call(&first)).await.unwrap().next().await.unwrap()).contains(r#""key":"k""#));
    assert_eq!(server.count("GET"), 1);
    assert!(server.seen().iter().all(|seen| seen.header("x-key") == Some("k") && seen.session().is_none()));
    assert!(server.seen().iter().filter(|seen| seen.method == "POST").all(|seen| seen.path == ADDRESS));
}

#[tokio::test]
async fn a_server_that_refuses_streamable_http_is_found_to_speak_the_older_transport() {
    for refusal in [400, 404, 405] {
        let streams = Streams::default();
        let server = Server::start(old(&streams, ADDRESS, refusal)).await;
        let under = Setup::new().at(&server);
        let caller = under.caller("ann", &[]);
        let mut exchange = under.backend.call(plain_call(&caller)).await.unwrap();
        assert!(result(exchange.next().await.unwrap()).contains("content"), "{refusal}");
        drop(exchange);
        let posts = server.seen().iter().filter(|seen| seen.path != ADDRESS && seen.method == "POST").count();
        under.backend.call(plain_call(&caller)).await.unwrap().next().await.unwrap();
        let again = server.seen().iter().filter(|seen| seen.path != ADDRESS && seen.method == "POST").count();
        assert_eq!(posts, again, "what was found out is kept");
    }
}

#[tokio::test]
async fn an_address_of_another_origin_is_never_posted_to() {
    for address in ["http://127.0.0.1:9/messages", "//evil.example/messages", "https://evil.example/"] {
        let Scene { server, under, .. } = Scene::at(Setup::new(), address).await;
        let error = under.call(Era::Modern, &under.caller("", &[]), None).await.unwrap_err();
        assert!(error.to_string().contains("no address of its own origin"), "{error}");
        assert_eq!(server.count("initialize"), 0);
    }
}

#[tokio::test]
async fn a_call_that_does_not_keep_up_fails_and_the_pipe_and_the_other_calls_over_it_go_on() {
    // Too many messages, and too many bytes.
    for (questions, bytes) in [(300, 0), (4, 9 << 20)] {
        let mut setup = Setup::new();
        (setup.options.max_response_bytes, setup.options.response_budget) = (16 << 20, 256 << 20);
        let heard = Arc::clone(&setup.heard);
        let Scene { streams, mut server, under } = Scene::new(setup).await;
        let (caller, capabilities) = (under.caller("ann", &[]), CapabilitySet::SAMPLING);
        let sessions = CallerSessions::new(capabilities, None);
        let call = |method| Call { method, caller_era: Era::Legacy, capabilities, sessions: Some(&sessions), ..plain_call(&caller) };
        let mut slow = under.backend.call(call("prompts/get")).await.unwrap();
        server.wait_for("prompts/get").await;
        let pad = "x".repeat(bytes);
        for id in 0..questions {
            say(&streams, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"sampling/createMessage","params":{{"pad":"{pad}"}}}}"#));
        }
        // Behind them: once it is heard, all of them have come, and nobody has read any.
        say(&streams, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        timeout(Duration::from_secs(30), heard.1.notified()).await.expect("the pipe is not read on");
        assert!(result(under.backend.call(call("tools/call")).await.unwrap().next().await.unwrap()).contains("content"));
        let (asked, why) = asked_until_it_failed(&mut slow).await;
        assert!(asked < questions && why.contains("faster than the caller read them"), "{asked}: {why}");
        assert!(result(under.backend.call(call("tools/call")).await.unwrap().next().await.unwrap()).contains("content"));
        assert_eq!(server.count("GET"), 1, "it is the same pipe");
    }
}

/// How many questions a call was asked before it failed, and why it did.
async fn asked_until_it_failed(call: &mut Exchange) -> (usize, String) {
    let mut asked = 0;
    loop {
        match call.next().await {
            Ok(event) => asked += usize::from(matches!(event, Event::Request { .. })),
            Err(error) => return (asked, error.to_string()),
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_fails_the_calls_in_flight_and_the_next_one_opens_another() {
    let mut scene = Scene::new(Setup::new()).await;
    let calling = Calling::over(&scene.under);
    let (mut lost, _) = scene.waiting(&calling).await;
    scene.streams.lock().unwrap().clear();
    assert!(lost.next().await.unwrap_err().to_string().contains("event stream ended"));
    assert!(result(scene.under.backend.call(calling.call("tools/call")).await.unwrap().next().await.unwrap()).contains("content"));
    assert_eq!(scene.server.count("GET"), 2);
}

#[tokio::test]
async fn calls_over_one_stream_get_their_own_answers_and_progress() {
    let mut scene = Scene::new(Setup::new()).await;
    let calling = Calling::over(&scene.under);
    let (mut first, one) = scene.waiting(&calling).await;
    let (mut second, two) = scene.waiting(&calling).await;
    say(
        &scene.streams,
        &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{one},"progress":1}}}}"#),
    );
    say(&scene.streams, &format!(r#"{{"jsonrpc":"2.0","id":{two},"result":{{"of":2}}}}"#));
    say(&scene.streams, &format!(r#"{{"jsonrpc":"2.0","id":{one},"result":{{"of":1}}}}"#));
    assert_eq!(result(second.next().await.unwrap()), r#"{"of":2}"#);
    assert!(matches!(first.next().await.unwrap(), Event::Notification { .. }));
    assert_eq!(result(first.next().await.unwrap()), r#"{"of":1}"#);
    drop(scene.waiting(&calling).await);
    scene.server.wait_for("notifications/cancelled").await;
}

#[tokio::test]
async fn what_a_stream_has_said_in_part_counts_among_the_buffered_answers_until_it_ends() {
    let Scene { streams, server: _server, under } = Scene::new(Setup::new()).await;
    let calling = Calling::over(&under);
    under.backend.call(calling.call("tools/call")).await.unwrap().next().await.unwrap();
    let used = async |wanted: fn(usize) -> bool| {
        let wait = async {
            while !wanted(under.shared.budget.used()) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "{}", under.shared.budget.used());
    };
    streams.lock().unwrap().last().unwrap().send(format!("data: {}", "x".repeat(100_000))).unwrap();
    used(|used| used >= 100_000).await;
    streams.lock().unwrap().clear();
    used(|used| used == 0).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_fails_its_call_at_once_and_no_other() {
    let mut scene = Scene::new(Setup::new()).await;
    let calling = Calling::over(&scene.under);
    let (mut first, one) = scene.waiting(&calling).await;
    let (mut second, two) = scene.waiting(&calling).await;
    say(&scene.streams, &format!(r#"{{"id":{two},"said":"beside the protocol",}}"#));
    say(&scene.streams, &format!(r#"{{"jsonrpc":"2.0","id":{two},"method":"ping",}}"#));
    say(&scene.streams, &format!(r#"{{"jsonrpc":"2.0","id":{one},"result":{{"of":NaN}}}}"#));
    let why = first.next().await.unwrap_err().to_string();
    assert!(why.contains("malformed"), "{why}");
    say(&scene.streams, &format!(r#"{{"jsonrpc":"2.0","id":{two},"result":{{"of":2}}}}"#));
    assert_eq!(result(second.next().await.unwrap()), r#"{"of":2}"#);
}

#[tokio::test]
async fn each_part_of_a_batch_is_told_once_whatever_else_is_in_it() {
    let mut scene = Scene::of("2025-03-26", Setup::new(), ADDRESS).await;
    let calling = Calling::over(&scene.under);
    let (mut first, one) = scene.waiting(&calling).await;
    let (mut second, two) = scene.waiting(&calling).await;
    let step = |of: &str, step: u32| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{of},"progress":{step}}}}}"#)
    };
    let answer = |of: &str| format!(r#"{{"jsonrpc":"2.0","id":{of},"result":{{"of":{of}}}}}"#);
    say(&scene.streams, &format!("[{},{},{},{}]", step(&one, 1), step(&two, 1), step(&one, 2), step(&two, 2)));
    say(&scene.streams, &format!("[{},{},{},{}]", step(&one, 3), answer(&two), answer(&one), step(&two, 3)));
    for (call, id, steps) in [(&mut first, &one, vec![1, 2, 3]), (&mut second, &two, vec![1, 2])] {
        for step in steps {
            let event = call.next().await.unwrap();
            let expected = format!(r#""progress":{step}}}"#);
            let is_next = matches!(&event, Event::Notification { params, .. } if params.ends_with(expected.as_bytes()));
            assert!(is_next, "step {step}: {event:?}");
        }
        assert_eq!(result(call.next().await.unwrap()), format!(r#"{{"of":{id}}}"#));
    }
}
