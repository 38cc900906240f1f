//! Reading one request.

use super::support::{Gateway, backend, headers, name, sent};
use crate::header::{CaptureReason, MAX_FORWARDED_BYTES, MAX_FORWARDED_LINES};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

fn refusal(gateway: &Gateway, lines: &[(&str, &str)]) -> (u16, String, Option<String>, CaptureReason) {
    let error = gateway.policy().capture(&headers(lines)).unwrap_err();
    (error.status.as_u16(), error.header.to_string(), error.backend.map(|name| name.to_string()), error.reason)
}

#[test]
fn without_a_list_nothing_is_captured() {
    let policy = Gateway::with_list(json!([])).policy();
    let all = headers(&[("x-a", "1"), ("authorization", "Bearer x"), ("connection", "x-a")]);
    assert!(policy.capture(&all).unwrap().is_empty());
}

#[test]
fn only_listed_headers_are_captured_in_whatever_spelling() {
    let policy = Gateway::with_list(json!(["X-Tenant", "x_other.name"])).policy();
    for spelling in ["x-tenant", "X_TENANT", "x.tenant"] {
        let forwarded = policy.capture(&headers(&[("x-a", "1"), (spelling, "t"), ("x-tenant-id", "2")])).unwrap();
        assert_eq!(forwarded.names().collect::<Vec<_>>(), ["x-tenant"], "{spelling}");
    }
    assert!(policy.lists(&name("X.Other_Name")) && !policy.lists(&name("x-a")));
}

#[test]
fn a_connection_option_that_names_a_listed_header_is_refused() {
    let gateway = Gateway::with_list(json!(["x-tenant"]));
    for option in ["x-tenant", "close, X-Tenant", "keep-alive ,\tx_tenant,", ",,x-tenant"] {
        let expected = (400, "x-tenant".to_owned(), None, CaptureReason::ConnectionOption);
        assert_eq!(refusal(&gateway, &[("connection", option), ("x-tenant", "t")]), expected, "{option}");
    }
    let lines = [("connection", "close"), ("connection", "x-tenant")];
    assert_eq!(refusal(&gateway, &lines).3, CaptureReason::ConnectionOption);
    assert_eq!(sent(&gateway.policy(), 0, &[("connection", "keep-alive, x-tenants"), ("x-tenant", "t")]), ["x-tenant: t"]);
}

#[test]
fn one_name_in_two_spellings_is_refused() {
    let gateway = Gateway::with_list(json!(["x-tenant"]));
    let expected = (400, "x-tenant".to_owned(), None, CaptureReason::TwoSpellings);
    assert_eq!(refusal(&gateway, &[("x-tenant", "mine"), ("x_tenant", "yours")]), expected);
}

#[test]
fn a_formatted_entry_takes_one_value() {
    for format in ["Bearer {}", "{}"] {
        let gateway = Gateway::with_list(json!([{"name": "x-token", "format": format}]));
        let expected = (400, "x-token".to_owned(), Some("b".to_owned()), CaptureReason::Repeated);
        assert_eq!(refusal(&gateway, &[("x-token", "a"), ("x-token", "b")]), expected, "{format}");
    }
}

#[test]
fn outgoing_authorization_and_cookie_take_one_value() {
    for outgoing in ["Authorization", "cookie"] {
        let gateway = Gateway::with_list(json!([{"name": "x-token", "as": outgoing}]));
        assert_eq!(refusal(&gateway, &[("x-token", "a"), ("x-token", "a")]).3, CaptureReason::Repeated, "{outgoing}");
    }
}

#[test]
fn text_around_a_value_admits_bare_tokens_only() {
    let gateway = Gateway::with_list(json!([{"name": "x-token", "as": "authorization", "format": "Bearer {}"}]));
    for value in ["a b", "a, Basic b", "a\"", "é", "=", "a=b"] {
        let expected = (400, "x-token".to_owned(), Some("b".to_owned()), CaptureReason::NotToken68);
        assert_eq!(refusal(&gateway, &[("x-token", value)]), expected, "{value:?}");
    }
    assert_eq!(sent(&gateway.policy(), 0, &[("x-token", "ab.C~d+/e==")]), ["authorization: Bearer ab.C~d+/e=="]);
}

#[test]
fn an_empty_value_counts_as_none_where_there_is_a_format_and_as_itself_elsewhere() {
    for format in ["Bearer {}", "{}"] {
        let token = |required: bool| json!([{"name": "x-token", "as": "authorization", "format": format, "required": required}]);
        let mut gateway = Gateway::with_list(token(true));
        gateway.backends.push(backend("optional", token(false)));
        gateway.backends.push(backend("plain", json!(["x-token"])));
        let policy = gateway.policy();
        assert_eq!(sent(&policy, 0, &[("x-token", "")]), Vec::<String>::new(), "{format}");
        assert_eq!(sent(&policy, 1, &[("x-token", "")]), Vec::<String>::new(), "{format}");
        assert_eq!(sent(&policy, 2, &[("x-token", ""), ("x-token", "")]), ["x-token: ", "x-token: "], "{format}");
        let empty = policy.capture(&headers(&[("x-token", "")])).unwrap();
        assert_eq!(policy.backend(0).missing_required(&empty), Some(&name("x-token")), "the backend is skipped, the request goes on");
        assert_eq!(policy.backend(1).credential_material(&empty).count(), 0, "the key is that of a request without the header");
        assert_eq!(policy.backend(2).credential_material(&empty).count(), 1);
        let both = [("x-token", ""), ("x-token", "tok")];
        assert_eq!(sent(&policy, 1, &both), [format!("authorization: {}", format.replace("{}", "tok"))]);
    }
    // Where nothing is put around it, two values are two values.
    let gateway = Gateway::with_list(json!([{"name": "x-token", "as": "authorization"}]));
    assert_eq!(refusal(&gateway, &[("x-token", ""), ("x-token", "a")]).3, CaptureReason::Repeated);
}

#[test]
fn one_backends_demand_fails_the_request_whoever_else_lists_the_header() {
    let mut gateway = Gateway::with_list(json!(["x-token"]));
    gateway.backends.push(backend("strict", json!([{"name": "x-token", "format": "t{}"}])));
    assert_eq!(refusal(&gateway, &[("x-token", "a b")]).2.as_deref(), Some("strict"));
}

#[test]
fn as_many_bytes_as_allowed_are_forwarded_and_not_one_more() {
    let gateway = Gateway::with_list(json!(["x-a", {"name": "x-b", "format": "12345{}678"}, "x-c"]));
    let policy = gateway.policy();
    let lines = |more: usize| {
        let mut all = headers(&[("x-a", "abc"), ("x-b", "z")]);
        all.insert("x-c", HeaderValue::from_bytes(&vec![b'c'; MAX_FORWARDED_BYTES - 3 - 9 + more]).unwrap());
        all
    };
    assert!(policy.capture(&lines(0)).is_ok());
    let error = policy.capture(&lines(1)).unwrap_err();
    assert_eq!((error.status, error.reason), (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, CaptureReason::TooManyBytes));
    assert_eq!((error.header.as_str(), error.backend.as_deref()), ("x-c", Some("b")));
}

#[test]
fn as_many_lines_as_allowed_are_forwarded_and_not_one_more() {
    let mut gateway = Gateway::with_list(json!(["x-a", "x-b"]));
    gateway.backends.push(backend("other", json!(["x-other"])));
    let policy = gateway.policy();
    let mut all = headers(&[("x-b", "")]);
    for _ in 0..MAX_FORWARDED_LINES - 1 {
        all.append("x-a", HeaderValue::from_static(""));
    }
    assert!(policy.capture(&all).is_ok());
    all.append("x-other", HeaderValue::from_static("counts for the other backend"));
    assert!(policy.capture(&all).is_ok());
    all.append("x-b", HeaderValue::from_static(""));
    let error = policy.capture(&all).unwrap_err();
    assert_eq!((error.status.as_u16(), error.reason, error.header.as_str()), (431, CaptureReason::TooManyLines, "x-a"));
    assert_eq!(error.backend.as_deref(), Some("b"));
}

#[test]
fn the_limits_hold_for_each_backend_alone() {
    let lists = [json!(["x-a"]), json!(["x-b"])];
    let gateway = Gateway { backends: lists.map(|list| backend("b", list)).into(), ..Gateway::default() };
    let policy = gateway.policy();
    let mut all = HeaderMap::new();
    for header in ["x-a", "x-b"] {
        all.insert(name(header), HeaderValue::from_bytes(&vec![b'v'; MAX_FORWARDED_BYTES]).unwrap());
    }
    assert!(policy.capture(&all).is_ok());
}

#[test]
fn an_error_names_header_and_backend_and_what_to_do() {
    let gateway = Gateway::with_list(json!(["x-a", {"name": "x-token", "format": "Bearer {}"}]));
    let text = |lines| gateway.policy().capture(&headers(lines)).unwrap_err().to_string();
    assert_eq!(
        text(&[("x-token", "hunter two")]),
        "header `x-token`: backend `b` puts its value into a format, so it must be a bare token (letters, digits and -._~+/ with = at the end only); send the token alone"
    );
    assert_eq!(
        text(&[("x-token", "1"), ("x-token", "2")]),
        "header `x-token` was sent more than once, but backend `b` takes one value; send it once"
    );
    assert_eq!(text(&[("connection", "x-a")]), "header `x-a` is named by `Connection`, so it cannot be forwarded; do not name it there");
    assert_eq!(
        text(&[("x-a", "1"), ("x_a", "2")]),
        "header `x-a` was sent in two spellings (`-`, `_` and `.` count as one); send one of them"
    );
}
