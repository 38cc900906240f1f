use super::{ApiKeyFactory, NewApiKey, keys};
use crate::testing;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::{io, sync::Arc};
use vmcp_core::plugin::{Authenticator, BuildError, Deps, Registries, RequestHead, Secrets};

const KEY: &str = "vmcp_hunter2-hunter2-hunter2";

/// An environment with `KEY` and `SHORT`, and the file `keys.json`.
fn deps(file: &'static str) -> Deps {
    let env = |name: &str| match name {
        "KEY" => Some(KEY.to_owned()),
        "SHORT" => Some("hunter2".to_owned()),
        "SPACED" => Some("hunter2 hunter2 hunter2 hunter2".to_owned()),
        _ => None,
    };
    let read = move |path: &std::path::Path| {
        if path.ends_with("keys.json") { Ok(file.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    };
    Deps::new(testing::deps().fetch, Secrets::new(env, read))
}

fn build_with(settings: &str, deps: &Deps) -> Result<Arc<dyn Authenticator>, BuildError> {
    let mut kinds = Registries::default();
    kinds.authenticators.register(ApiKeyFactory).unwrap();
    kinds.authenticators.build("apiKey", &testing::settings(&format!(r#"{{"apiKey": {settings}}}"#)), deps)
}

fn build(settings: &str) -> Result<Arc<dyn Authenticator>, BuildError> {
    build_with(settings, &deps("[]"))
}

/// The subject, or the status of the refusal.
fn asked(authenticator: &dyn Authenticator, headers: &[(&'static str, &str)]) -> Result<String, StatusCode> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let head = RequestHead::new(&map, None);
    let answer = testing::now(authenticator.authenticate(&head));
    assert_eq!(authenticator.known(&head).is_some(), answer.is_ok(), "what is known at once and what is found are the same");
    answer.map(|who| who.principal.subject.to_string()).map_err(|rejected| {
        assert!(!rejected.message.contains("hunter2"), "{rejected}");
        rejected.status
    })
}

const BAD: Result<String, StatusCode> = Err(StatusCode::UNAUTHORIZED);

#[test]
fn a_key_says_who_calls_and_another_says_nothing() {
    let made = NewApiKey::make().unwrap();
    let settings = format!(
        r#"{{"keys": [
            {{"subject": "ci", "hash": "{}", "claims": {{"team": "a"}}, "groups": ["builders"]}},
            {{"subject": "bot", "key": {{"fromEnv": "KEY"}}}}
        ]}}"#,
        made.hash()
    );
    let authenticator = build(&settings).unwrap();
    assert_eq!(authenticator.consumed_headers(), ["x-api-key"]);
    assert!(!authenticator.is_anonymous() && authenticator.resource().is_none());
    let key = made.expose_key();
    assert_eq!(asked(&*authenticator, &[("x-api-key", key)]), Ok("ci".to_owned()));
    assert_eq!(asked(&*authenticator, &[("x-api-key", KEY)]), Ok("bot".to_owned()));
    for wrong in ["", "vmcp_hunter2-hunter2-hunter", &KEY.to_uppercase(), made.hash(), &"x".repeat(4000)] {
        assert_eq!(asked(&*authenticator, &[("x-api-key", wrong)]), BAD, "{wrong}");
    }
    assert_eq!(asked(&*authenticator, &[]), BAD);
    assert_eq!(asked(&*authenticator, &[("authorization", &format!("Bearer {key}"))]), BAD, "not the header that was configured");
    assert_eq!(asked(&*authenticator, &[("x-api-key", key), ("x-api-key", key)]), Err(StatusCode::BAD_REQUEST));

    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), HeaderValue::from_str(key).unwrap())]);
    let ci = authenticator.known(&RequestHead::new(&headers, None)).unwrap();
    assert_eq!((&*ci.principal.issuer, &ci.claims["team"], &*ci.groups[0]), ("apiKey", &"a".into(), "builders"));
    assert!(ci.subject_token.is_none() && ci.expires_at.is_none());
}

#[test]
fn a_key_may_stand_behind_bearer() {
    let authenticator = build(r#"{"header": "Authorization", "keys": [{"subject": "bot", "key": {"fromEnv": "KEY"}}]}"#).unwrap();
    assert_eq!(asked(&*authenticator, &[("authorization", &format!("bearer {KEY}"))]), Ok("bot".to_owned()));
    assert_eq!(asked(&*authenticator, &[("authorization", KEY)]), BAD);
    assert_eq!(asked(&*authenticator, &[("x-api-key", KEY)]), BAD);
}

#[test]
fn keys_may_stand_in_a_file_of_their_own() {
    let file = deps(r#"[{"subject": "bot", "key": {"fromEnv": "KEY"}}]"#);
    let authenticator = build_with(r#"{"keysFile": "/etc/vmcp/keys.json"}"#, &file).unwrap();
    assert_eq!(asked(&*authenticator, &[("x-api-key", KEY)]), Ok("bot".to_owned()));
    for (text, why) in [
        (r#"[{"subject": "bot", "hunter2": 1}]"#, "line 1: not a JSON list"),
        ("hunter2", "line 1: not a JSON list"),
        (r#"[{"subject": "bot", "hash": "hunter2"}]"#, "entry 1: has a `hash` that is not"),
    ] {
        let error = build_with(r#"{"keysFile": "/etc/vmcp/keys.json"}"#, &deps(text)).err().unwrap().to_string();
        assert!(error.starts_with("keysFile: /etc/vmcp/keys.json: ") && error.contains(why), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(build(r#"{"keysFile": "/none"}"#).err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn keys_that_are_none_are_refused_and_never_shown() {
    let other = NewApiKey::make().unwrap().hash().to_owned();
    for (entry, place, why) in [
        (r#""subject": "a""#.to_owned(), "", "needs a `hash`, or a `key`"),
        (r#""subject": "", "key": {"fromEnv": "KEY"}"#.to_owned(), ".subject", "has an empty `subject`"),
        (format!(r#""subject": "a", "hash": "{other}", "key": {{"fromEnv": "KEY"}}"#), ".key", "has both"),
        (r#""subject": "a", "key": {"fromEnv": "SHORT"}"#.to_owned(), ".key.fromEnv", "could be guessed"),
        (r#""subject": "a", "key": {"fromEnv": "SPACED"}"#.to_owned(), ".key.fromEnv", "with spaces"),
        (r#""subject": "a", "key": {"fromEnv": "MISSING"}"#.to_owned(), ".key.fromEnv", "`MISSING` is not set"),
        (format!(r#""subject": "a", "hash": "{}""#, &other[..70]), ".hash", "64 hexadecimal digits"),
        (format!(r#""subject": "a", "hash": "{}""#, other.replace("sha256:", "md5:")), ".hash", "64 hexadecimal digits"),
        (format!(r#""subject": "a", "hash": "sha256:{}""#, "+1".repeat(32)), ".hash", "64 hexadecimal digits"),
    ] {
        let error = build(&format!(r#"{{"keys": [{{{entry}}}]}}"#)).err().unwrap();
        assert!(error.to_string().starts_with(&format!("keys[0]{place}: ")) && error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let twice = format!(r#"{{"keys": [{{"subject": "a", "hash": "{other}"}}, {{"subject": "b", "hash": "{other}"}}]}}"#);
    assert!(build(&twice).err().unwrap().to_string().contains("another entry has"));
    assert!(build("{}").err().unwrap().to_string().contains("there are no keys"));
    assert!(build(r#"{"header": "x key", "keys": []}"#).err().unwrap().to_string().starts_with("header: "));
}

#[test]
fn settings_are_checked_where_the_keys_are_not() {
    let deps = Deps::new(testing::deps().fetch, testing::deps().secrets.that_may_be_missing());
    assert!(build_with(r#"{"keys": [{"subject": "a", "key": {"fromEnv": "MISSING"}}], "keysFile": "/none"}"#, &deps).is_ok());
    assert!(build_with(r#"{"keys": [{"subject": "a", "hash": "x"}]}"#, &deps).is_err());
}

#[test]
fn entries_of_one_subject_are_held_to_the_same_rights_where_no_key_is_at_hand() {
    let deps = Deps::new(testing::deps().fetch, testing::deps().secrets.that_may_be_missing());
    let both = |first: &str, second: &str| {
        let entry = |more: &str| format!(r#"{{"subject": "ci", "key": {{"fromEnv": "MISSING"}}{more}}}"#);
        build_with(&format!(r#"{{"keys": [{}, {}]}}"#, entry(first), entry(second)), &deps).err().map(|error| error.to_string())
    };
    let admin = r#", "groups": ["admin"]"#;
    assert_eq!((both("", ""), both(admin, admin)), (None, None));
    for (first, second) in [(admin, ""), ("", admin), ("", r#", "claims": {"role": "admin"}"#)] {
        let error = both(first, second).expect("it was taken");
        assert!(error.starts_with("keys[1].subject: has other `claims` or `groups`"), "{error}");
    }
}

#[test]
fn no_two_new_keys_are_alike_and_their_hashes_lead_to_them() {
    let (one, other) = (NewApiKey::make().unwrap(), NewApiKey::make().unwrap());
    assert!(one.hash() != other.hash() && one.expose_key() != other.expose_key());
    assert!(one.expose_key().starts_with("vmcp_") && one.expose_key().len() == 48);
    let mut known = keys::Keys::default();
    let entry = serde_json::from_value(serde_json::json!({ "subject": "a", "hash": one.hash() })).unwrap();
    known.add(&entry, &testing::deps().secrets).unwrap();
    assert!(known.caller(one.expose_key().as_bytes()).is_some() && known.caller(other.expose_key().as_bytes()).is_none());
}

#[test]
fn all_keys_of_a_subject_stand_for_the_same_rights() {
    let [one, other] = [(); 2].map(|()| NewApiKey::make().unwrap().hash().to_owned());
    let both = |first: &str, second: &str| {
        build(&format!(r#"{{"keys": [{{"subject": "ci", "hash": "{one}"{first}}}, {{"subject": "ci", "hash": "{other}"{second}}}]}}"#))
            .err()
            .map(|error| error.to_string())
    };
    let admin = r#", "groups": ["admin"]"#;
    assert_eq!(both("", ""), None);
    assert_eq!(both(admin, admin), None);
    for (first, second) in [(admin, ""), ("", admin), ("", r#", "claims": {"role": "admin"}"#)] {
        let error = both(first, second).expect("it was taken");
        assert!(error.starts_with("keys[1].subject: has other `claims` or `groups`"), "{error}");
    }
}
