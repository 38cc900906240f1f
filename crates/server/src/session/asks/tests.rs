use super::*;
use crate::session::{Binding, Reader, SessionTable, Settings};
use std::{sync::Mutex, time::Duration};
use vmcp_core::{CapabilitySet, Revision};

fn table() -> SessionTable {
    let hour = Duration::from_secs(3600);
    SessionTable::new(Settings { max: 10, max_per_peer: 10, idle_timeout: hour, unused_timeout: hour, max_age: hour }, &[]).unwrap()
}

fn session(table: &SessionTable) -> Arc<ClientSession> {
    table
        .create(&crate::session::EndpointId::Main, Identity::anonymous().principal(), Revision::V2025_06_18, CapabilitySet::SAMPLING, None)
        .unwrap()
}

fn text(question: &Question) -> String {
    String::from_utf8(question.message.to_vec()).unwrap()
}

fn next(reader: &mut Reader) -> String {
    reader.try_next().map(|event| String::from_utf8(event.to_vec()).unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn an_answer_finds_its_question_in_the_session_that_was_asked_and_once() {
    let table = table();
    let (session, other, identity) = (session(&table), session(&table), Identity::anonymous());
    let mut question = session.ask("roots/list", b"{}", None).unwrap();
    assert_eq!(text(&question), r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{}}"#);
    assert!(!other.answered("1", Ok("{}"), &identity), "another session answers nothing");
    for id in ["\"1\"", "2", "1.0", "-1", "null"] {
        assert!(!session.answered(id, Ok("{}"), &identity), "{id}");
    }
    assert!(session.answered("1", Ok(r#"{"roots":[]}"#), &identity));
    assert!(!session.answered("1", Ok("{}"), &identity), "a second answer answers nothing");
    let given = question.answer().await.unwrap();
    assert_eq!((given.result.as_ref(), given.identity.is_some()), (&br#"{"roots":[]}"#[..], true));
    let mut second = session.ask("roots/list", b"{}", None).unwrap();
    assert!(session.answered("2", Err(r#"{"code":-1,"message":"no"}"#), &identity), "ids are never used again");
    assert!(matches!(second.answer().await, Err(Unanswered::Error(object)) if object.starts_with(b"{\"code\":-1")));
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_is_taken_back_where_it_was_asked() {
    let table = table();
    let session = session(&table);
    let (writer, mut reader) = session.open_call_stream(Binding::of(0, [1].iter()), None);
    let mut question = session.ask("sampling/createMessage", b"{}", None).unwrap();
    question.send_on(writer.stream()).await;
    assert!(next(&mut reader).contains(r#""method":"sampling/createMessage""#));
    drop(question);
    let cancelled = next(&mut reader);
    assert!(cancelled.contains(r#""method":"notifications/cancelled","params":{"requestId":1}"#), "{cancelled}");
    assert!(!session.answered("1", Ok("{}"), &Identity::anonymous()));
    // One that was answered is not taken back, and neither is one that was never sent.
    let mut answered = session.ask("roots/list", b"{}", None).unwrap();
    answered.send_on(writer.stream()).await;
    next(&mut reader);
    session.answered("2", Ok("{}"), &Identity::anonymous());
    drop((answered, session.ask("roots/list", b"{}", None)));
    assert_eq!(next(&mut reader), "");
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_questions() {
    let table = table();
    let session = session(&table);
    let mut question = session.ask("roots/list", b"{}", None).unwrap();
    table.remove(&session.id);
    assert!(matches!(question.answer().await, Err(Unanswered::Gone)));
}

#[test]
fn a_session_has_so_many_questions_and_no_more() {
    let table = table();
    let session = session(&table);
    let mut questions: Vec<_> = (0..MAX_QUESTIONS).map(|_| session.ask("roots/list", b"{}", None).unwrap()).collect();
    assert!(session.ask("roots/list", b"{}", None).is_none());
    questions.pop();
    assert!(session.ask("roots/list", b"{}", None).is_some());
}

#[test]
fn progress_on_a_question_goes_back_under_the_token_that_it_came_with() {
    let table = table();
    let session = session(&table);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let hook: OnProgress = Box::new(move |params, _| hears.lock().unwrap().push(String::from_utf8(params.to_vec()).unwrap()));
    let params = br#"{"messages":[],"_meta":{"progressToken":"theirs","x":1}}"#;
    let question = session.ask("sampling/createMessage", params, Some(hook)).unwrap();
    assert!(text(&question).contains(r#""params":{"messages":[],"_meta":{"progressToken":1,"x":1}}"#), "{}", text(&question));
    for token in ["1", "7", "\"theirs\""] {
        session.progressed(&RawObject::parse(&format!(r#"{{"progressToken":{token},"progress":5}}"#)).unwrap(), &Identity::anonymous());
    }
    assert_eq!(*heard.lock().unwrap(), [r#"{"progressToken":"theirs","progress":5}"#]);
}
