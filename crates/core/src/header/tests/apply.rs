//! What goes out.

use super::support::{Gateway, backend, entries, headers, name, sent};
use crate::header::{Forwarded, HeaderOrigin, PolicyWarning, Refusal, strategy_entries};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

#[test]
fn a_listed_header_goes_out_under_the_name_of_its_entry() {
    let gateway =
        Gateway::with_list(json!(["X-Tenant", {"name": "x-github-token", "as": "Authorization", "format": "Bearer {}"}, "x_raw.name"]));
    assert_eq!(
        sent(&gateway.policy(), 0, &[("x-unlisted", "1"), ("X-GitHub-Token", "abc"), ("x-tenant", "t"), ("x-raw-name", "r")]),
        ["x-tenant: t", "authorization: Bearer abc", "x_raw.name: r"]
    );
}

#[test]
fn every_value_goes_out_in_order_empty_and_obs_text_included() {
    let policy = Gateway::with_list(json!(["x-a"])).policy();
    let values: [&[u8]; 6] = [b"2", b"", b"\xff\x80 obs\ttext", b"1", b"2", &[b'v'; 8192]];
    let mut inbound = HeaderMap::new();
    for value in values {
        inbound.append("x-a", HeaderValue::from_bytes(value).unwrap());
    }
    let mut out = HeaderMap::new();
    policy.backend(0).apply(&policy.capture(&inbound).unwrap(), &mut out);
    assert_eq!(out.get_all("x-a").iter().map(HeaderValue::as_bytes).collect::<Vec<_>>(), values);
    assert_eq!(out.keys_len(), 1);
}

#[test]
fn a_backends_entry_replaces_the_global_one() {
    let mut gateway = Gateway { global: entries(json!(["x-key", "x-all"])), ..Gateway::default() };
    gateway.backends =
        vec![backend("a", json!([{"name": "X_Key", "as": "x-own-key"}])), backend("b", json!([])), backend("c", json!(["x-c"]))];
    gateway.backends[2].inherit = false;
    let policy = gateway.policy();
    let lines = [("x-key", "k"), ("x-all", "a"), ("x-c", "c")];
    assert_eq!(sent(&policy, 0, &lines), ["x-all: a", "x-own-key: k"]);
    assert_eq!(sent(&policy, 1, &lines), ["x-key: k", "x-all: a"]);
    assert_eq!(sent(&policy, 2, &lines), ["x-c: c"]);
}

#[test]
fn static_headers_go_with_every_request_and_alone_with_the_gateways_own() {
    let mut gateway = Gateway::with_list(json!(["x-a"]));
    gateway.backends[0].statics = vec![
        ("Authorization".to_owned(), Some("Bearer s".to_owned())),
        ("x-unknown".to_owned(), None),
        ("x-empty".to_owned(), Some(String::new())),
    ];
    let policy = gateway.policy();
    assert_eq!(sent(&policy, 0, &[("x-a", "1")]), ["authorization: Bearer s", "x-empty: ", "x-a: 1"]);
    let mut out = HeaderMap::new();
    policy.backend(0).apply_static(&mut out);
    assert_eq!(out.keys().collect::<Vec<_>>(), ["authorization", "x-empty"]);
    assert!(out.values().all(HeaderValue::is_sensitive));
}

#[test]
fn what_stands_in_the_outgoing_map_stays() {
    let policy = Gateway::with_list(json!(["x-a"])).policy();
    let mut out = headers(&[("content-type", "application/json")]);
    policy.backend(0).apply(&policy.capture(&headers(&[("x-a", "1")])).unwrap(), &mut out);
    assert_eq!(out["content-type"], "application/json");
    assert_eq!(out["x-a"], "1");
}

#[test]
fn a_required_header_is_missing_until_it_has_a_value() {
    let policy = Gateway::with_list(json!(["x-b", {"name": "X-Need", "required": true}])).policy();
    let missing = |lines: &[(&str, &str)]| policy.backend(0).missing_required(&policy.capture(&headers(lines)).unwrap()).cloned();
    assert_eq!(missing(&[("x-b", "1")]), Some(name("x-need")));
    assert_eq!(missing(&[("x-need", ""), ("x-need", "")]), Some(name("x-need")));
    assert_eq!(missing(&[("x-need", ""), ("x_b", "1")]), Some(name("x-need")));
    assert_eq!(missing(&[("x-need", ""), ("x-need", "v")]), None);
    assert_eq!(policy.backend(0).missing_required(&Forwarded::default()), Some(&name("x-need")));
}

#[test]
fn headers_captured_before_a_reload_follow_the_policy_after_it() {
    let before = Gateway::with_list(json!(["x-a", "x-b", "x-c"])).policy();
    let after = Gateway::with_list(json!(["x-b", {"name": "x-c", "as": "authorization", "format": "Bearer {}"}, "x-new"])).policy();
    let apply = |lines: &[(&str, &str)]| {
        let mut out = HeaderMap::new();
        after.backend(0).apply(&before.capture(&headers(lines)).unwrap(), &mut out);
        out
    };
    assert_eq!(apply(&[("x-a", "1"), ("x_b", "2"), ("x-c", "3")]), headers(&[("x-b", "2"), ("authorization", "Bearer 3")]));
    // What the new policy would have refused does not go out.
    assert_eq!(apply(&[("x-c", "no token")]), HeaderMap::new());
    assert_eq!(apply(&[("x-c", "1"), ("x-c", "2")]), HeaderMap::new());
}

#[test]
fn correlation_ids_are_no_credentials_unless_they_are_said_to_be() {
    let dependent = |entry| Gateway::with_list(json!([entry])).policy().backend(0).is_caller_dependent();
    for id in ["x-request-id", "X_Correlation_Id", "x-b3-traceid"] {
        assert!(!dependent(json!(id)), "{id}");
        assert!(dependent(json!({"name": id, "credential": true})), "{id}");
        assert!(dependent(json!({"name": id, "required": true})), "{id}");
        assert!(dependent(json!({"name": id, "as": "authorization"})), "{id}");
    }
    assert!(!dependent(json!({"name": "x-amzn-trace-id", "impersonation": true})));
    assert!(!dependent(json!({"name": "x-locale", "credential": false})));
    assert!(dependent(json!("x-tenant")));
    assert!(!Gateway::with_list(json!([])).policy().backend(0).is_caller_dependent());
}

#[test]
fn credential_material_is_the_raw_values_of_credential_entries_in_the_order_of_the_entries() {
    let gateway = Gateway::with_list(json!(["x-request-id", {"name": "x-z", "as": "authorization", "format": "Bearer {}"}, "x-a", "x-b"]));
    let policy = gateway.policy();
    let material = |lines: &[(&str, &str)]| {
        let forwarded = policy.capture(&headers(lines)).unwrap();
        let pair = |(name, value): (&http::HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        policy.backend(0).credential_material(&forwarded).map(pair).collect::<Vec<_>>()
    };
    let expected = [("x-z", "tok"), ("x-a", "2"), ("x-a", "1"), ("x-b", "")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(material(&[("x-a", "2"), ("x-request-id", "7"), ("x-b", ""), ("x-z", "tok"), ("x-a", "1")]), expected);
    assert_eq!(material(&[("X_B", ""), ("x-z", "tok"), ("x-a", "2"), ("x-a", "1"), ("x-request-id", "8")]), expected);
    assert_eq!(material(&[("x-request-id", "7")]), []);
}

#[test]
fn an_authorization_that_is_said_to_be_no_credential_is_worth_a_warning() {
    let gateway = Gateway::with_list(json!([{"name": "x-t", "as": "authorization", "credential": false}]));
    let expected = PolicyWarning::Unkeyed { header: "x-t".to_owned(), backends: vec!["b".to_owned()] };
    assert_eq!(gateway.policy().warnings(), [expected]);
}

#[test]
fn a_strategys_headers_pass_only_under_names_that_it_declared_and_nobody_else_writes() {
    let mut gateway = Gateway::with_list(json!([{"name": "x-a", "as": "x-out"}]));
    gateway.backends[0].statics = vec![("x-static".to_owned(), None)];
    let policy = gateway.policy();
    let managed = ["authorization", "x-out", "x-static", "mcp-session-id", "x-signature"].map(name);
    let admits = |header: &str| policy.backend(0).admits_credentials(&headers(&[("x-signature", "s"), (header, "v")]), &managed);
    assert_eq!(admits("authorization"), Ok(()));
    for refused in ["x-undeclared", "x_signature", "x-out", "x-static", "mcp-session-id"] {
        assert_eq!(admits(refused), Err(name(refused)), "{refused}");
    }
    assert_eq!(policy.backend(0).admits_credentials(&HeaderMap::new(), &[]), Ok(()));
}

#[test]
fn the_policy_can_be_read_row_by_row() {
    let mut gateway = Gateway { global: entries(json!(["x-all"])), ..Gateway::default() };
    gateway.backends = vec![backend("b", json!([{"name": "x-t", "as": "x-out", "format": "t={}", "required": true, "credential": false}]))];
    gateway.backends[0].statics = vec![("x-static".to_owned(), Some("v".to_owned()))];
    gateway.backends[0].managed = vec![name("authorization")];
    let policy = gateway.policy();
    let rows: Vec<_> = policy.backend(0).outgoing().collect();
    let short: Vec<_> = rows.iter().map(|row| (row.inbound.map(|n| n.as_str()), row.outbound.as_str(), row.origin)).collect();
    assert_eq!(
        short,
        [
            (None, "x-static", HeaderOrigin::Static),
            (None, "authorization", HeaderOrigin::Strategy),
            (Some("x-all"), "x-all", HeaderOrigin::Global),
            (Some("x-t"), "x-out", HeaderOrigin::Backend),
        ]
    );
    assert_eq!((rows[3].format, rows[3].required, rows[3].credential, rows[2].credential), (Some("t={}"), true, false, true));
}

#[test]
fn what_a_strategy_stands_for_is_sent_as_if_the_backend_had_listed_it() {
    let mut gateway = Gateway { global: entries(json!(["x-tenant", "x-other"])), ..Gateway::with_list(json!(["x-own"])) };
    gateway.backends[0].stood_for = entries(json!(["x-key", {"name": "x-tenant", "as": "x-workspace"}]));
    let policy = gateway.policy();
    let lines = [("x-tenant", "blue"), ("x-own", "1"), ("x-key", "2"), ("x-other", "3"), ("x-more", "4")];
    assert_eq!(sent(&policy, 0, &lines), ["x-other: 3", "x-own: 1", "x-key: 2", "x-workspace: blue"]);
    assert!(policy.backend(0).is_caller_dependent());
}

#[test]
fn what_a_strategy_stands_for_is_refused_like_what_the_backend_lists() {
    let mut gateway = Gateway::with_list(json!(["x-own"]));
    gateway.backends[0].stood_for = entries(json!(["x_own", "host", "authorization"]));
    let places: Vec<_> = gateway.compile().unwrap_err().into_iter().map(|problem| (problem.path, problem.header)).collect();
    let at = |index, header: &str| (format!("{}[{index}]", strategy_entries(0)), header.to_owned());
    assert_eq!(places, [at(1, "host"), at(0, "x_own"), at(2, "authorization")]);
    let first = "backends[0].passthroughHeaders[0]".to_owned();
    assert!(gateway.compile().unwrap_err().iter().any(|problem| problem.refusal == Refusal::Duplicate { first: first.clone() }));
}
