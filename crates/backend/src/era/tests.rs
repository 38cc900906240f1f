use super::*;
use bytes::Bytes;

const OK: StatusCode = StatusCode::OK;
const BAD: StatusCode = StatusCode::BAD_REQUEST;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

fn error(code: i64, object: &'static str) -> Result<Event, ErrorKind> {
    Ok(Event::Error { code, object: Bytes::from_static(object.as_bytes()) })
}

fn result(text: &'static str) -> Result<Event, ErrorKind> {
    Ok(Event::Result(Bytes::from_static(text.as_bytes())))
}

fn status(status: u16) -> Result<Event, ErrorKind> {
    Err(ErrorKind::Status { status: StatusCode::from_u16(status).unwrap(), retry_after: None })
}

#[test]
fn answers_to_discover_decide_about_modern() {
    let supports = r#"{"code":-32022,"message":"","data":{"supported":["2026-07-28","2025-11-25"]}}"#;
    let legacy_only = r#"{"code":-32022,"message":"","data":{"supported":["2025-11-25"]}}"#;
    for (http, answer, verdict) in [
        (OK, result(r#"{"supportedVersions":["2025-11-25","2026-07-28"]}"#), Verdict::Yes),
        (OK, result(r#"{"supportedVersions":["2025-11-25"]}"#), Verdict::No),
        (OK, result("{}"), Verdict::No),
        (BAD, error(-32022, supports), Verdict::Yes),
        (BAD, error(-32022, legacy_only), Verdict::No),
        (BAD, error(-32021, "{}"), Verdict::Yes),
        (BAD, error(-32020, "{}"), Verdict::Yes),
        (BAD, error(-32000, "{}"), Verdict::No),
        (OK, error(-32601, "{}"), Verdict::No),
        (NOT_FOUND, error(-32601, "{}"), Verdict::No),
        (OK, error(-32602, "{}"), Verdict::No),
        (OK, error(-32600, "{}"), Verdict::No),
        (StatusCode::UNAUTHORIZED, error(-32000, "{}"), Verdict::Undecided),
        (StatusCode::INTERNAL_SERVER_ERROR, error(-32603, "{}"), Verdict::Undecided),
        (OK, Err(ErrorKind::Malformed("x".into())), Verdict::No),
        (OK, Err(ErrorKind::Timeout(Duration::ZERO)), Verdict::Undecided),
        (OK, Err(ErrorKind::Connect(String::new())), Verdict::Undecided),
        (OK, Err(ErrorKind::Lost(String::new())), Verdict::Undecided),
    ] {
        assert_eq!(discover_verdict(http, &answer), verdict, "{http} {answer:?}");
    }
    for code in [400, 404, 405, 406, 415] {
        assert_eq!(discover_verdict(OK, &status(code)), Verdict::No, "{code}");
    }
    for code in [301, 401, 403, 408, 429, 500, 502, 503] {
        assert_eq!(discover_verdict(OK, &status(code)), Verdict::Undecided, "{code}");
    }
}

#[test]
fn answers_to_initialize_decide_about_legacy() {
    for (http, answer, verdict) in [
        (OK, result("{}"), Verdict::Yes),
        (BAD, error(-32022, "{}"), Verdict::Modern),
        (BAD, error(-32020, "{}"), Verdict::Modern),
        (BAD, error(-32602, "{}"), Verdict::No),
        (NOT_FOUND, error(-32601, "{}"), Verdict::No),
        (OK, error(-32601, "{}"), Verdict::No),
        (OK, error(-32602, "{}"), Verdict::Undecided),
        (OK, error(-32001, "{}"), Verdict::Undecided),
        (StatusCode::FORBIDDEN, error(-32601, "{}"), Verdict::Undecided),
        (OK, Err(ErrorKind::Timeout(Duration::ZERO)), Verdict::Undecided),
    ] {
        assert_eq!(initialize_verdict(http, &answer), verdict, "{http} {answer:?}");
    }
    for (code, verdict) in [
        (400, Verdict::No),
        (404, Verdict::No),
        (405, Verdict::No),
        (401, Verdict::Undecided),
        (429, Verdict::Undecided),
        (500, Verdict::Undecided),
    ] {
        assert_eq!(initialize_verdict(OK, &status(code)), verdict, "{code}");
    }
}

#[test]
fn a_caller_is_served_in_its_own_era_where_that_is_known_to_work() {
    use Speaks::{No, Unknown, Yes};
    for (own, other, chosen) in [
        (Yes, Yes, Some(Era::Modern)),
        (Yes, Unknown, Some(Era::Modern)),
        (Yes, No, Some(Era::Modern)),
        (No, Yes, Some(Era::Legacy)),
        (No, Unknown, None),
        (Unknown, Yes, None),
        (Unknown, No, None),
        (Unknown, Unknown, None),
    ] {
        let eras = Eras::new(ProtocolEra::Auto);
        eras.learn(Era::Modern, own);
        eras.learn(Era::Legacy, other);
        assert_eq!(eras.choose(Era::Modern), chosen, "{own:?} {other:?}");
    }
}

#[test]
fn who_refuses_both_eras_has_told_nothing() {
    let eras = Eras::new(ProtocolEra::Auto);
    assert!(eras.learn(Era::Modern, Speaks::No));
    assert!(!eras.learn(Era::Modern, Speaks::No));
    eras.learn(Era::Legacy, Speaks::No);
    assert_eq!([eras.speaks(Era::Legacy), eras.speaks(Era::Modern)], [Speaks::Unknown; 2]);
}

#[test]
fn a_pinned_era_stays() {
    let eras = Eras::new(ProtocolEra::Legacy);
    eras.learn(Era::Legacy, Speaks::No);
    eras.forget_refusals();
    assert_eq!(eras.choose(Era::Modern), Some(Era::Legacy));
    assert_eq!(eras.speaks(Era::Modern), Speaks::No);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_told_nothing_is_not_asked_for_again_at_once() {
    let eras = Eras::new(ProtocolEra::Auto);
    eras.learn(Era::Legacy, Speaks::Yes);
    assert_eq!(eras.choose(Era::Modern), None);
    eras.hold();
    assert_eq!(eras.choose(Era::Modern), Some(Era::Legacy));
    tokio::time::advance(HOLD).await;
    assert_eq!(eras.choose(Era::Modern), None);
}
