//! What a token has to say, held against tokens that do not.

use super::*;
use serde_json::json;

fn rules() -> Rules {
    Rules {
        issuer: "https://id.example.com".into(),
        audiences: vec!["vmcp".to_owned(), "https://gw.example.com/mcp".to_owned()],
        required_scopes: Vec::new(),
        leeway: Duration::from_secs(60),
        group_claims: vec!["groups".to_owned(), "realm_access.roles".to_owned(), "https://example.com/roles".to_owned()],
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

/// A good token's claims at second 1000, with changes; `null` takes one away.
fn claims(changes: Value) -> Map<String, Value> {
    let mut claims = members(json!({ "sub": "ann", "aud": "vmcp", "exp": 2000, "iat": 900, "nbf": 900 }));
    for (name, value) in members(changes) {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    claims
}

fn checked(changes: Value) -> Result<(), Flaw> {
    rules().check(&claims(changes), UNIX_EPOCH + Duration::from_secs(1000), Source::Jwt)
}

fn caller(changes: Value) -> Authenticated {
    rules().caller(claims(changes)).ok().unwrap()
}

#[test]
fn a_token_is_good_from_its_start_to_its_end_with_leeway_at_both() {
    for (changes, why) in [
        (json!({}), None),
        (json!({ "exp": 1000.5 }), None),
        (json!({ "nbf": 1060, "iat": 1060 }), None),
        (json!({ "nbf": null, "iat": null }), None),
        (json!({ "exp": 1000 }), None),
        (json!({ "exp": 941 }), None),
        (json!({ "exp": 940.5 }), None),
        (json!({ "exp": 940 }), Some("expired")),
        (json!({ "exp": 9e18 }), None),
        (json!({ "exp": 0 }), Some("expired")),
        (json!({ "exp": null }), Some("does not say when")),
        (json!({ "nbf": 1061 }), Some("not valid yet")),
        (json!({ "iat": 1061 }), Some("in the future")),
        (json!({ "exp": "2000" }), Some("date")),
        (json!({ "exp": -1 }), Some("date")),
        (json!({ "exp": 1e300 }), Some("date")),
        (json!({ "exp": true }), Some("date")),
        (json!({ "nbf": "now" }), Some("date")),
    ] {
        let outcome = checked(changes.clone());
        assert_eq!(outcome.err().is_some(), why.is_some(), "{changes}: {outcome:?}");
        assert!(why.is_none_or(|why| outcome.unwrap_err().contains(why)), "{changes}");
    }
}

#[test]
fn one_of_the_tokens_audiences_is_one_of_the_configured_ones_exactly() {
    for good in [json!("vmcp"), json!("https://gw.example.com/mcp"), json!(["other", "vmcp"])] {
        assert!(checked(json!({ "aud": good })).is_ok(), "{good}");
    }
    for bad in
        [json!("VMCP"), json!("vmcp "), json!("https://gw.example.com/mcp/"), json!([]), json!(["other"]), json!({}), json!(7), json!(null)]
    {
        assert!(checked(json!({ "aud": bad })).is_err(), "{bad}");
    }
}

#[test]
fn tokens_made_for_something_else_are_not_access_tokens() {
    for (name, value) in [
        ("at_hash", "x"),
        ("c_hash", "x"),
        ("s_hash", "x"),
        ("nonce", "x"),
        ("typ", "ID"),
        ("typ", "Refresh"),
        ("typ", "Logout"),
        ("token_use", "id"),
        ("token_use", "refresh_token"),
    ] {
        assert_eq!(checked(json!({ name: value })), Err("the token is not an access token"), "{name}");
    }
    for (name, value) in [("typ", "Bearer"), ("token_use", "access"), ("token_use", "access_token")] {
        assert!(checked(json!({ name: value })).is_ok(), "{name}");
        assert!(checked(json!({ name: value, "nonce": "x" })).is_ok(), "{name} says that it is one, whatever was copied into it");
    }
    let (now, odd) = (UNIX_EPOCH + Duration::from_secs(1000), claims(json!({ "nonce": "x" })));
    for source in [Source::AccessToken, Source::Introspection] {
        assert!(rules().check(&odd, now, source).is_ok(), "{source:?}");
        assert!(rules().check(&claims(json!({ "at_hash": "x" })), now, source).is_err(), "{source:?}");
    }
}

#[test]
fn the_caller_is_the_subject_with_scopes_groups_and_claims() {
    let ann = caller(json!({
        "scope": "a b", "scp": ["c"], "groups": ["g1", 7, "g2"], "realm_access": { "roles": ["r"] }, "https://example.com/roles": "x",
        "email": "ann@example.com",
    }));
    assert_eq!((&*ann.principal.issuer, &*ann.principal.subject), ("https://id.example.com", "ann"));
    assert_eq!(ann.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(ann.groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["g1", "g2", "r", "x"]);
    assert_eq!(ann.claims["email"], "ann@example.com");
    assert_eq!(ann.expires_at, Some(UNIX_EPOCH + Duration::from_secs(2000)), "for those who get credentials for it");
    assert_eq!(ann.good_until(), Some(UNIX_EPOCH + Duration::from_secs(2060)));
    assert_eq!(caller(json!({ "exp": null })).good_until(), None);
    for subject in [json!(null), json!(""), json!(7), json!("x".repeat(1025))] {
        assert!(rules().caller(claims(json!({ "sub": subject }))).is_err(), "{subject}");
    }
}

#[test]
fn every_scope_that_is_required_has_to_be_there() {
    let needing = Rules { required_scopes: vec!["a".to_owned(), "b".to_owned()], ..rules() };
    assert!(needing.caller(claims(json!({ "scope": "b a c" }))).is_ok());
    for scope in ["a", "a bb", "A B", ""] {
        assert!(matches!(needing.caller(claims(json!({ "scope": scope }))), Err(Denied::Scope)), "{scope}");
    }
}

#[test]
fn who_acts_for_the_subject_is_told_nearest_first_and_ten_at_most() {
    let chain = |depth: usize| (0..depth).fold(Value::Null, |inner, n| json!({ "sub": format!("actor-{n}"), "act": inner }));
    let strip = |mut value: Value| {
        fn inner(value: &mut Value) {
            if value["act"].is_null() {
                value.as_object_mut().unwrap().remove("act");
            } else {
                inner(&mut value["act"]);
            }
        }
        inner(&mut value);
        value
    };
    let two = caller(json!({ "act": { "sub": "agent", "iss": "https://other.example", "act": { "sub": "portal" } } })).delegation;
    assert_eq!(
        two.iter().map(|actor| (&*actor.issuer, &*actor.subject)).collect::<Vec<_>>(),
        [("https://other.example", "agent"), ("https://id.example.com", "portal")]
    );
    assert_eq!(caller(json!({ "act": strip(chain(10)) })).delegation.len(), 10);
    assert!(rules().caller(claims(json!({ "act": strip(chain(11)) }))).is_err());
    assert!(rules().caller(claims(json!({ "act": {} }))).is_err());
}
