//! Everything that is refused when the configuration is loaded.

use super::support::{Gateway, backend, entries, name, spellings};
use crate::header::{ClosedGroup, FormatError, PolicyWarning, Refusal, Side, Taker};
use serde_json::{Value, json};
use url::Url;

/// One name for each pattern of the group, in every spelling.
fn names_of(group: ClosedGroup) -> impl Iterator<Item = String> {
    group.patterns().iter().flat_map(|pattern| spellings(&pattern.replace('*', "made-up")))
}

fn closed(group: ClosedGroup, side: Side) -> Refusal {
    Refusal::Closed { group, side }
}

#[test]
fn no_closed_name_comes_in_in_any_spelling() {
    for group in ClosedGroup::ALL {
        for header in names_of(group) {
            for list in [json!([header]), json!([{"name": header, "as": "x-other"}])] {
                let problem = Gateway::with_list(list).problem();
                assert_eq!(problem.refusal, closed(group, Side::Inbound), "{header}");
                assert_eq!(problem.path, "backends[0].passthroughHeaders[0]");
                assert_eq!(problem.header, header.to_lowercase());
                assert_eq!(problem.backends, ["b"]);
            }
        }
    }
}

#[test]
fn no_closed_name_goes_out_in_any_spelling() {
    for group in ClosedGroup::ALL.into_iter().filter(|group| *group != ClosedGroup::Credential) {
        for header in names_of(group) {
            let problem = Gateway::with_list(json!([{"name": "x-own", "as": header}])).problem();
            assert_eq!(problem.refusal, closed(group, Side::Outbound), "{header}");
            assert_eq!(problem.header, header.to_lowercase());
        }
    }
}

#[test]
fn no_static_header_has_a_closed_name_in_any_spelling() {
    for group in ClosedGroup::ALL.into_iter().filter(|group| *group != ClosedGroup::Credential) {
        for header in names_of(group) {
            let mut gateway = Gateway::with_list(json!([]));
            gateway.backends[0].statics = vec![(header.clone(), Some("v".to_owned()))];
            let problem = gateway.problem();
            assert_eq!(problem.refusal, closed(group, Side::Static), "{header}");
            assert_eq!(problem.path, format!("backends[0].headers.{header}"));
        }
    }
}

#[test]
fn a_strategy_writes_no_closed_name_in_any_spelling() {
    for group in [ClosedGroup::Framing, ClosedGroup::Address, ClosedGroup::Own] {
        for header in names_of(group) {
            let mut gateway = Gateway::with_list(json!([]));
            gateway.backends[0].managed = vec![name(&header)];
            let problem = gateway.problem();
            assert_eq!(problem.refusal, closed(group, Side::Strategy), "{header}");
            assert_eq!((problem.path.as_str(), problem.backends.as_slice()), ("backends[0]", &["b".to_owned()][..]));
        }
    }
}

#[test]
fn a_strategy_may_vouch_for_somebody_and_authenticate() {
    for header in ["x-remote-user", "sec-anything", "authorization", "cookie"] {
        let mut gateway = Gateway::with_list(json!([]));
        gateway.backends[0].managed = vec![name(header)];
        assert!(gateway.compile().is_ok(), "{header}");
    }
}

#[test]
fn impersonation_opens_the_impersonation_list_and_nothing_else() {
    for header in names_of(ClosedGroup::Impersonation) {
        for list in [
            json!([{"name": header, "impersonation": true}]),
            json!([{"name": header, "as": "x-other", "impersonation": true}]),
            json!([{"name": "x-own", "as": header, "impersonation": true}]),
        ] {
            assert!(Gateway::with_list(list).compile().is_ok(), "{header}");
        }
    }
    for group in [ClosedGroup::Framing, ClosedGroup::Address, ClosedGroup::Own, ClosedGroup::Credential] {
        for header in names_of(group) {
            let problem = Gateway::with_list(json!([{"name": header, "impersonation": true}])).problem();
            assert_eq!(problem.refusal, closed(group, Side::Inbound), "{header}");
        }
    }
}

#[test]
fn harmless_names_are_not_closed() {
    let open = ["x-api-key", "x-mcp-api-key", "x-tenant", "via-x", "te-x", "x-host", "x-cookie", "x-forwarded", "hostname", "x-sec-fetch"];
    assert!(Gateway::with_list(json!(open)).compile().is_ok());
}

#[test]
fn malformed_names_are_refused_without_showing_what_follows() {
    for bad in ["", "x tenant", "x-api-key: hunter2", "x-api-key=hunter2 ", "x\r\ny: hunter2", "hunter\u{e9}hunter2", "(hunter2)"] {
        for list in [json!([bad]), json!([{"name": "x-own", "as": bad}])] {
            let problem = Gateway::with_list(list).problem();
            assert_eq!(problem.refusal, Refusal::Malformed, "{bad:?}");
            assert!(!problem.to_string().contains("hunter2") && !format!("{problem:?}").contains("hunter2"), "{problem}");
        }
        let mut gateway = Gateway::with_list(json!([]));
        gateway.backends[0].statics = vec![(bad.to_owned(), None)];
        let problem = gateway.problem();
        assert_eq!((problem.path.as_str(), &problem.refusal), ("backends[0].headers", &Refusal::Malformed));
    }
}

#[test]
fn the_callers_own_credentials_need_the_switch() {
    for header in ["authorization", "Cookie"] {
        let mut gateway = Gateway::with_list(json!([header]));
        assert_eq!(gateway.problem().refusal, closed(ClosedGroup::Credential, Side::Inbound));
        gateway.backends[0].allow = true;
        assert!(gateway.compile().is_ok());
        gateway.backends[0].allow = false;
        gateway.allow = true;
        assert!(gateway.compile().is_ok());
    }
}

#[test]
fn a_switch_on_one_backend_is_for_that_backend() {
    let gateway = Gateway {
        global: entries(json!(["authorization"])),
        backends: vec![
            backend("a", json!([])),
            super::support::Backend { allow: true, ..backend("b", json!([])) },
            backend("c", json!([])),
        ],
        ..Gateway::default()
    };
    let problem = gateway.problem();
    assert_eq!(problem.path, "passthroughHeaders[0]");
    assert_eq!(problem.backends, ["a", "c"]);
}

#[test]
fn passing_credentials_on_is_worth_a_warning_that_names_header_and_backends() {
    let mut gateway = Gateway { allow: true, global: entries(json!(["Authorization", "cookie"])), ..Gateway::default() };
    gateway.backends = vec![backend("a", json!([])), backend("b", json!([]))];
    let policy = gateway.policy();
    let expected = ["authorization", "cookie"]
        .map(|header| PolicyWarning::CredentialPassthrough { header: header.to_owned(), backends: vec!["a".to_owned(), "b".to_owned()] });
    assert_eq!(policy.warnings(), expected);
    assert!(policy.warnings()[0].to_string().starts_with("the caller's `authorization` is passed on to backends `a`, `b`;"));
    assert!(Gateway::with_list(json!(["x-a"])).policy().warnings().is_empty());
}

#[test]
fn a_strategy_that_authenticates_shuts_out_the_callers_own_credentials() {
    let mut gateway = Gateway::with_list(json!([{"name": "cookie", "as": "x-cookie"}]));
    gateway.backends[0].allow = true;
    gateway.backends[0].managed = vec![name("authorization")];
    assert_eq!(gateway.problem().refusal, Refusal::CredentialManaged { managed: "authorization".to_owned() });
    gateway.backends[0].managed = vec![name("x-api-key")];
    assert!(gateway.compile().is_ok());
}

#[test]
fn what_the_authenticator_reads_stays_even_with_the_switch() {
    for header in ["authorization", "Authorization", "x_session.token"] {
        let mut gateway = Gateway::with_list(json!([{"name": header, "as": "x-copy"}]));
        gateway.allow = true;
        gateway.consumed = vec![name("authorization"), name("x-session-token")];
        assert_eq!(gateway.problem().refusal, Refusal::Consumed, "{header}");
    }
}

#[test]
fn renaming_a_header_to_authorization_needs_no_switch() {
    let gateway = Gateway::with_list(json!([{"name": "x-github-token", "as": "authorization", "format": "Bearer {}"}]));
    assert!(gateway.policy().warnings().is_empty());
}

#[test]
fn one_inbound_name_stands_once_in_a_list() {
    let problem = Gateway::with_list(json!(["x-tenant", {"name": "X_Tenant", "as": "x-other"}])).problem();
    assert_eq!(problem.path, "backends[0].passthroughHeaders[1]");
    assert_eq!(problem.refusal, Refusal::Duplicate { first: "backends[0].passthroughHeaders[0]".to_owned() });
}

#[test]
fn one_outgoing_name_has_one_source() {
    let taken = |outgoing: &str, by| Refusal::Taken { outgoing: outgoing.to_owned(), by };
    let set = |statics: &[&str], list: Value, managed: &[&str]| {
        let mut gateway = Gateway::with_list(list);
        gateway.backends[0].statics = statics.iter().map(|header| ((*header).to_owned(), Some("v".to_owned()))).collect();
        gateway.backends[0].managed = managed.iter().map(|header| name(header)).collect();
        gateway
    };
    let path = |text: &str| text.to_owned();
    for (gateway, at, refusal) in [
        (
            set(&["X-Key"], json!(["x_key"]), &[]),
            "backends[0].passthroughHeaders[0]",
            taken("x_key", Taker::Static { path: path("backends[0].headers.X-Key") }),
        ),
        (
            set(&[], json!(["x-a", {"name": "x-b", "as": "X-A"}]), &[]),
            "backends[0].passthroughHeaders[1]",
            taken("x-a", Taker::Entry { path: path("backends[0].passthroughHeaders[0]") }),
        ),
        (
            set(&[], json!([{"name": "x-b", "as": "x.key"}]), &["x-key"]),
            "backends[0].passthroughHeaders[0]",
            taken("x.key", Taker::Strategy),
        ),
        (set(&["x-key"], json!([]), &["x_key"]), "backends[0].headers.x-key", taken("x-key", Taker::Strategy)),
        (
            set(&["x-key", "X_KEY"], json!([]), &[]),
            "backends[0].headers.X_KEY",
            taken("x_key", Taker::Static { path: path("backends[0].headers.x-key") }),
        ),
    ] {
        let problem = gateway.problem();
        assert_eq!((problem.path.as_str(), problem.refusal), (at, refusal));
        assert_eq!(problem.backends, ["b"]);
    }
}

#[test]
fn a_global_entry_collides_where_it_applies() {
    let mut gateway = Gateway { global: entries(json!(["x-key"])), ..Gateway::default() };
    gateway.backends = ["a", "b", "c", "d"].map(|name| backend(name, json!([]))).into();
    gateway.backends[1].managed = vec![name("x-key")];
    gateway.backends[2].managed = vec![name("x-key")];
    gateway.backends[3].managed = vec![name("x-key")];
    gateway.backends[3].inherit = false;
    let problem = gateway.problem();
    assert_eq!((problem.path.as_str(), problem.backends), ("passthroughHeaders[0]", vec!["b".to_owned(), "c".to_owned()]));
}

#[test]
fn two_global_entries_with_one_outgoing_name_are_one_problem() {
    let mut gateway = Gateway { global: entries(json!(["x-a", {"name": "x-b", "as": "x-a"}])), ..Gateway::default() };
    gateway.backends = vec![backend("a", json!([])), backend("b", json!([]))];
    assert_eq!(
        gateway.problems(),
        [
            "passthroughHeaders[1]: header `x-b` (every backend): `x-a` is written by passthroughHeaders[0] too; remove one of the two, or use another name"
        ]
    );
}

#[test]
fn a_format_that_cannot_work_is_refused() {
    for (format, error) in [("Bearer", FormatError::NoPlace), ("{} {}", FormatError::SeveralPlaces), ("a\n{}", FormatError::Control)] {
        let problem = Gateway::with_list(json!([{"name": "x-a", "format": format}])).problem();
        assert_eq!(problem.refusal, Refusal::Format(error));
    }
}

#[test]
fn a_static_value_that_no_header_can_carry_is_refused_unseen() {
    let mut gateway = Gateway::with_list(json!([]));
    gateway.backends[0].statics = vec![("x-key".to_owned(), Some("hunter2\r\nx-evil: 1".to_owned()))];
    let problem = gateway.problem();
    assert_eq!(problem.refusal, Refusal::StaticValue);
    assert!(!format!("{problem} {problem:?}").contains("hunter2"));
}

#[test]
fn credentials_travel_in_the_clear_only_where_that_is_said() {
    let at = |url: &str, list: Value| {
        let mut gateway = Gateway::with_list(list);
        gateway.backends[0].url = Url::parse(url).unwrap();
        gateway
    };
    for safe in [
        "https://mcp.example.com/mcp",
        "http://127.0.0.1:1/mcp",
        "http://127.9.9.9/mcp",
        "http://[::1]/mcp",
        "http://[::ffff:127.0.0.1]/",
        "http://LocalHost:80/",
    ] {
        assert!(at(safe, json!(["x-key"])).compile().is_ok(), "{safe}");
    }
    for exposed in
        ["http://mcp.example.com/mcp", "http://10.0.0.1/", "http://localhost.example.com/", "http://0.0.0.0/", "http://[2001:db8::1]/"]
    {
        let mut gateway = at(exposed, json!(["x-key", "x-request-id"]));
        let problem = gateway.problem();
        assert_eq!((problem.path.as_str(), &problem.refusal), ("backends[0].url", &Refusal::Plaintext { more: 0 }), "{exposed}");
        gateway.backends[0].plaintext = true;
        let expected = PolicyWarning::Plaintext { headers: vec!["x-key".to_owned()], backend: "b".to_owned() };
        assert_eq!(gateway.policy().warnings(), [expected], "{exposed}");
        assert!(at(exposed, json!(["x-request-id"])).compile().is_ok(), "{exposed}");
        assert!(at(exposed, json!([{"name": "x-locale", "credential": false}])).compile().is_ok(), "{exposed}");

        let mut gateway = at(exposed, json!([]));
        gateway.backends[0].statics = vec![("x-key".to_owned(), None)];
        gateway.backends[0].managed = vec![name("authorization")];
        assert_eq!(gateway.problem().refusal, Refusal::Plaintext { more: 1 }, "{exposed}");
    }
}

#[test]
fn all_problems_are_reported_at_once_and_each_says_what_to_do() {
    let mut gateway = Gateway {
        global: entries(json!(["host", "x-ok", "x_OK"])),
        backends: vec![backend("a", json!(["mcp-session-id", {"name": "x-y", "format": "{"}])), backend("b", json!(["x-remote-user"]))],
        ..Gateway::default()
    };
    gateway.backends[1].statics = vec![("x-ok".to_owned(), None)];
    assert_eq!(
        gateway.problems(),
        [
            "passthroughHeaders[0]: header `host` (every backend): it belongs to routing, framing or one connection, and every hop makes its own; remove it",
            "passthroughHeaders[2]: header `x_ok` (every backend): listed already at passthroughHeaders[1]; remove one of the two",
            "backends[0].passthroughHeaders[0]: header `mcp-session-id` (backend `a`): vmcp writes it itself; remove it",
            "backends[0].passthroughHeaders[1]: header `x-y` (backend `a`): `format` has a single brace; double it (`{{` or `}}`) to mean the brace itself",
            "backends[1].passthroughHeaders[0]: header `x-remote-user` (backend `b`): proxies set it and servers trust it, so callers could pass for anybody; if that is meant, set `impersonation: true` on the entry",
            "passthroughHeaders[1]: header `x-ok` (backend `b`): `x-ok` is written by backends[1].headers.x-ok too; remove one of the two, or use another name",
        ]
    );
}
