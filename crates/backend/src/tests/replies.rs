//! Answers of every kind, good and bad.

use crate::{Event, testing::*};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use vmcp_core::{Era, config::ProtocolEra};

async fn answered(setup: Setup, answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Result<Event, crate::Error> {
    let server = Server::start(answer).await;
    let under = setup.era(ProtocolEra::Modern).at(&server);
    under.call(Era::Modern, &under.caller("", &[]), None).await
}

#[tokio::test]
async fn malformed_answers_are_named_and_never_quoted() {
    type Make = fn(&Seen) -> Answer;
    let cases: [(Make, &str); 14] = [
        (|_| Answer::json("{"), "not JSON"),
        (|_| Answer::json(""), "not JSON"),
        (|seen| Answer::json(format!(r#"[{{"jsonrpc":"2.0","id":{},"result":{{}}}}]"#, seen.id())), "batches"),
        (|_| Answer::json(r#"{"jsonrpc":"2.0","id":999,"result":{"secret":1}}"#), "answers another request"),
        (|seen| Answer::json(format!(r#"{{"jsonrpc":"2.0","id":"{}","result":{{}}}}"#, seen.id())), "answers another request"),
        (|seen| Answer::result(seen, r#"{"a":1,"a":2}"#), "twice"),
        (|seen| Answer::result(seen, "7"), "object"),
        (|_| Answer::json(r#"{"jsonrpc":"2.0","method":"x"}"#), "not a response"),
        (|_| Answer::status(202), "accepted the request without answering"),
        (|_| Answer::status(204), "accepted the request without answering"),
        (|_| Answer::status(200).with("content-type", "text/html").data("<html>secret</html>"), "neither JSON nor an event stream"),
        (|_| Answer::status(200).data("secret"), "neither JSON nor an event stream"),
        (|_| Answer::events().data(": nothing\n\n"), "ended without a response"),
        (|_| Answer::events().event("secret"), "not JSON"),
    ];
    for (answer, expected) in cases {
        let why = failure(answered(Setup::new(), answer).await);
        assert!(why.starts_with("backend `b`: call got a malformed answer: ") && why.contains(expected), "{why}");
        assert!(!why.contains("secret"), "{why}");
    }
}

#[tokio::test]
async fn a_batch_on_a_calls_stream_is_read_where_the_revision_has_them_and_nowhere_else() {
    for (revision, is_read) in [("2025-03-26", true), ("2025-06-18", false)] {
        let base = legacy();
        let server = Server::start(move |seen| match seen.rpc().as_str() {
            "initialize" => Answer::result(seen, &format!(r#"{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}}}}"#)),
            "tools/call" => {
                let id = seen.id();
                let note =
                    format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#);
                Answer::events().event(&format!(r#"[{note},{{"jsonrpc":"2.0","id":{id},"result":{{"n":1.50}}}}]"#))
            }
            _ => base(seen),
        })
        .await;
        let under = Setup::new().at(&server);
        let (caller, sessions) = (under.caller("", &[]), no_sessions());
        let mut exchange = under.open(Era::Legacy, &caller, Some(&sessions)).await.unwrap();
        let first = exchange.next().await;
        if is_read {
            assert!(matches!(first, Ok(Event::Notification { .. })), "{first:?}");
            assert_eq!(text(exchange.next().await), r#"{"n":1.50}"#);
        } else {
            assert!(failure(first).contains("batches"));
        }
    }
}

#[tokio::test]
async fn a_backends_own_error_comes_through_whole_whatever_the_status() {
    for status in [200, 400, 404, 500, 503] {
        let object = r#"{"code":-32042,"message":"m\u00e9","data":{ "x":1e400 }}"#;
        let answer = move |seen: &Seen| Answer::json_status(status, format!(r#"{{"error":{object},"id":{},"jsonrpc":"2.0"}}"#, seen.id()));
        match answered(Setup::new(), answer).await.unwrap() {
            Event::Error { code, object: found } => assert_eq!((code, &found[..]), (-32042, object.as_bytes())),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_without_an_id_is_the_answer_in_the_modern_era_alone() {
    let answer = answered(Setup::new(), |_| Answer::error(400, "null", -32020)).await.unwrap();
    assert!(matches!(answer, Event::Error { code: -32020, .. }));
    let base = legacy();
    let server = Server::start(move |seen| if seen.rpc() == "tools/call" { Answer::error(403, "null", -32000) } else { base(seen) }).await;
    let under = Setup::new().at(&server);
    let why = failure(under.call(Era::Legacy, &under.caller("", &[]), Some(&no_sessions())).await);
    assert_eq!(why, "backend `b`: call was answered with HTTP status 403");
}

#[tokio::test]
async fn a_status_without_an_error_is_told_with_its_pause() {
    for status in [401, 403, 429, 500, 503] {
        let answer = move |_: &Seen| Answer::status(status).with("retry-after", "7").with("www-authenticate", "Bearer").data("secret");
        let error = answered(Setup::new(), answer).await.unwrap_err();
        let crate::ErrorKind::Status { status: found, retry_after } = error.kind() else { panic!("{error}") };
        assert_eq!((found.as_u16(), *retry_after), (status, Some(Duration::from_secs(7))));
    }
}

#[tokio::test]
async fn long_answers_are_cut_off_announced_or_not() {
    let limited = || {
        let mut setup = Setup::new();
        setup.options.max_response_bytes = 1000;
        setup
    };
    let long = |seen: &Seen| Answer::result(seen, &format!(r#"{{"a":"{}"}}"#, "x".repeat(2000)));
    let announced = |seen: &Seen| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"a":"{}"}}}}"#, seen.id(), "x".repeat(2000));
        Answer::status(200).with("content-type", "application/json").with("content-length", body.len().to_string()).data(body)
    };
    let event =
        |seen: &Seen| Answer::events().event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"a":"{}"}}}}"#, seen.id(), "x".repeat(2000)));
    let expected = "backend `b`: call got an answer of more than 1000 bytes";
    assert_eq!(failure(answered(limited(), long).await), expected);
    assert_eq!(failure(answered(limited(), announced).await), expected);
    assert_eq!(failure(answered(limited(), event).await), expected);
}

#[tokio::test]
async fn all_buffered_answers_together_have_a_budget() {
    let server = Server::start(|seen| Answer::result(seen, &format!(r#"{{"a":"{}"}}"#, "x".repeat(100_000)))).await;
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.options.response_budget = 150_000;
    let under = setup.at(&server);
    let caller = under.caller("", &[]);
    let first = under.call(Era::Modern, &caller, None).await.unwrap();
    let why = failure(under.call(Era::Modern, &caller, None).await);
    assert!(why.contains("no memory left"), "{why}");
    drop(first);
    text(under.call(Era::Modern, &caller, None).await);
    assert_eq!(under.shared.budget.used(), 0);
}

#[tokio::test]
async fn what_is_said_ahead_of_answers_takes_of_the_budget_until_somebody_has_it() {
    let server = Server::start(|seen| {
        let note = format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{}"}}}}"#, "x".repeat(50_000));
        let events = format!("data: {note}\n\n").repeat(40);
        Answer::events().data(format!("{events}data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}\n\n", seen.id()))
    })
    .await;
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.options.response_budget = 1_000_000;
    let under = setup.at(&server);
    let caller = under.caller("", &[]);
    for keeps in [false, true] {
        let mut exchange = under.open(Era::Modern, &caller, None).await.unwrap();
        let mut kept = Vec::new();
        let end = loop {
            match exchange.next().await {
                Ok(event) if event.is_final() => break None,
                Ok(event) if keeps => kept.push(event),
                Ok(_) => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        assert_eq!(end.is_some_and(|why| why.contains("no memory left")), keeps);
        drop((exchange, kept));
        assert_eq!(under.shared.budget.used(), 0);
    }
}

#[tokio::test]
async fn a_broken_connection_is_told_and_not_repeated() {
    let server = Server::start(|_| Answer::status(200).with("content-type", "application/json").data("{").step(Step::Break)).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let error = under.call(Era::Modern, &under.caller("", &[]), None).await.unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::Lost(_)), "{error}");
    assert_eq!(error.retry(), vmcp_core::Retry::Unsafe);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn silence_ends_a_call_and_liveliness_only_up_to_the_whole() {
    let mut quiet = Setup::new();
    quiet.timeout = Duration::from_millis(50);
    let why = failure(answered(quiet, |_| Answer::never()).await);
    assert_eq!(why, "backend `b`: call timed out after 50ms");
    let mut stuck = Setup::new();
    stuck.timeout = Duration::from_millis(50);
    let why = failure(answered(stuck, |_| Answer::events().data(": head\n\n").step(Step::Hang)).await);
    assert_eq!(why, "backend `b`: call timed out after 50ms");
    let mut lively = Setup::new();
    (lively.timeout, lively.max_duration) = (Duration::from_millis(500), Duration::from_millis(60));
    let why = failure(answered(lively, |_| Answer::events().data(": head\n\n").step(Step::Hang)).await);
    assert_eq!(why, "backend `b`: call took longer than 60ms in all");
}

#[tokio::test]
async fn notifications_come_in_order_ahead_of_the_answer() {
    let server = Server::start(|seen| {
        let note = |n: u32| format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{n}}}}}"#);
        Answer::events()
            .data(": hello\n\nevent: ping\ndata: not json\n\n")
            .event(&note(1))
            .event(&note(2))
            .event(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
            .event(r#"{"jsonrpc":"2.0","id":12345,"result":{}}"#)
            .event(r#"{"jsonrpc":"2.0","method":"notifications/message"}"#)
            .event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"ok":1}}}}"#, seen.id()))
    })
    .await;
    let setup = Setup::new().era(ProtocolEra::Modern);
    let heard = Arc::clone(&setup.heard);
    let under = setup.at(&server);
    let mut exchange = under.open(Era::Modern, &under.caller("", &[]), None).await.unwrap();
    let mut told = Vec::new();
    loop {
        match exchange.next().await.unwrap() {
            Event::Notification { method, params } => told.push(format!("{method} {}", String::from_utf8_lossy(&params))),
            last => {
                assert_eq!(text(Ok(last)), r#"{"ok":1}"#);
                break;
            }
        }
    }
    assert_eq!(told, [r#"notifications/progress {"progress":1}"#, r#"notifications/progress {"progress":2}"#, "notifications/message {}"]);
    assert_eq!(heard.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn progress_under_another_token_than_the_one_sent_is_dropped() {
    let server = Server::start(|seen| {
        let tokens = [r#""7""#.to_owned(), "12345".to_owned(), "null".to_owned(), format!("\"{}\"", seen.id()), seen.id()];
        let note = |answer: Answer, token: &String| {
            answer.event(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
            ))
        };
        tokens.iter().fold(Answer::events(), note).event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id()))
    })
    .await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let mut exchange = under.open(Era::Modern, &under.caller("", &[]), None).await.unwrap();
    let Event::Notification { params, .. } = exchange.next().await.unwrap() else { panic!("its own progress is missing") };
    assert_eq!(params, format!(r#"{{"progressToken":{},"progress":1}}"#, server.seen()[0].id()));
    assert!(matches!(exchange.next().await.unwrap(), Event::Result(_)));
}

#[tokio::test]
async fn what_a_legacy_backend_asks_meanwhile_is_answered() {
    let (sender, step) = feed();
    let (step, base) = (Mutex::new(Some(step)), legacy());
    let mut server = Server::start(move |seen| match seen.rpc().as_str() {
        "tools/call" => Answer::events()
            .event(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
            .event(r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}"#)
            .step(step.lock().unwrap().take().unwrap())
            .event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id())),
        "" => Answer::status(202),
        _ => base(seen),
    })
    .await;
    let under = Setup::new().keyed().at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let mut exchange = under.open(Era::Legacy, &caller, Some(&sessions)).await.unwrap();
    let waiting = async {
        let both = [server.wait_for("").await, server.wait_for("").await];
        drop(sender);
        both
    };
    let (answer, mut both) = tokio::join!(exchange.answer(), waiting);
    text(answer);
    both.sort_by_key(|seen| seen.body.len());
    assert_eq!(both[0].body, r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    assert!(both[1].body.starts_with(r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"#), "{}", both[1].body);
    assert!(both.iter().all(|seen| seen.header("x-key") == Some("k") && seen.session() == Some("s0")));
}

#[tokio::test]
async fn a_legacy_stream_that_breaks_off_goes_on_where_it_was() {
    let (gets, base) = (AtomicU32::new(0), legacy());
    let id = Mutex::new(String::new());
    let server = Server::start(move |seen| match (seen.method.as_str(), seen.rpc().as_str()) {
        ("GET", _) => match gets.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::status(503),
            1 => Answer::events().data("id: 8\nretry: 1\ndata:\n\n"),
            _ => Answer::events().event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"late":1}}}}"#, id.lock().unwrap())),
        },
        (_, "tools/call") => {
            *id.lock().unwrap() = seen.id();
            Answer::events().data("id: 7\nretry: 1\ndata:\n\n")
        }
        _ => base(seen),
    })
    .await;
    let under = Setup::new().keyed().at(&server);
    let (caller, sessions) = (under.caller("ann", &[("x-key", "k")]), no_sessions());
    let begun = std::time::Instant::now();
    assert_eq!(text(under.call(Era::Legacy, &caller, Some(&sessions)).await), r#"{"late":1}"#);
    assert!(begun.elapsed() >= Duration::from_millis(150), "three pauses of a millisecond are too short for connections");
    let gets: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "GET").collect();
    let ids: Vec<_> = gets.iter().map(|seen| seen.header("last-event-id").unwrap()).collect();
    assert_eq!(ids, ["7", "7", "8"]);
    assert!(gets.iter().all(|seen| seen.header("x-key") == Some("k") && seen.session() == Some("s0")));
}

#[tokio::test]
async fn a_stream_is_not_taken_up_for_ever() {
    let base = legacy();
    let server = Server::start(move |seen| match (seen.method.as_str(), seen.rpc().as_str()) {
        ("GET", _) => Answer::events().data(": nothing new\n\n"),
        (_, "tools/call") => Answer::events().data("id: 7\nretry: 1\ndata:\n\n"),
        _ => base(seen),
    })
    .await;
    let under = Setup::new().at(&server);
    let why = failure(under.call(Era::Legacy, &under.caller("", &[]), Some(&no_sessions())).await);
    assert!(why.contains("ended without a response"), "{why}");
    assert_eq!(server.count("GET"), 5);
}

#[tokio::test]
async fn waiting_for_an_event_can_be_given_up_and_taken_up_again() {
    let (sender, step) = feed();
    let step = Mutex::new(Some(step));
    let server = Server::start(move |seen| {
        let end = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id());
        Answer::events().step(step.lock().unwrap().take().unwrap()).event(&end)
    })
    .await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let mut exchange = under.open(Era::Modern, &under.caller("", &[]), None).await.unwrap();
    for piece in ["data: {\"jsonrpc\":\"2.0\",", "\"method\":\"notifications/progress\"}\n", "\n"] {
        tokio::select! { biased; _ = exchange.next() => panic!("not whole yet"), () = tokio::time::sleep(Duration::from_millis(5)) => {} }
        sender.send(piece.to_owned()).unwrap();
    }
    assert!(matches!(exchange.next().await, Ok(Event::Notification { .. })));
    drop(sender);
    text(exchange.answer().await);
}

#[tokio::test]
async fn recovery_shows_in_the_health() {
    let up = Arc::new(AtomicBool::new(false));
    let (serving, base) = (Arc::clone(&up), modern());
    let server = Server::start(move |seen| if serving.load(Ordering::SeqCst) { base(seen) } else { Answer::status(401) }).await;
    let under = Setup::new().era(ProtocolEra::Modern).at(&server);
    let health = || serde_json::to_value(under.backend.status()).unwrap();
    assert_eq!(health()["health"], "unknown");
    let _ = under.call(Era::Modern, &under.caller("", &[]), None).await;
    assert_eq!((health()["health"].as_str(), health()["lastError"].is_string()), (Some("unauthenticated"), true));
    up.store(true, Ordering::SeqCst);
    under.modern_call().await;
    assert_eq!((health()["health"].as_str(), health()["lastError"].is_null()), (Some("healthy"), true));
}
