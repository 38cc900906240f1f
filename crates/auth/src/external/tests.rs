use crate::{
    Identity, registries,
    testing::{self, provider::Provider},
};
use serde_json::{Value, json};
use std::sync::Arc;
use vmcp_core::plugin::{Authenticated, BuildError, Keep, OutgoingStrategy, Principal, StrategyError, SubjectToken, TokenKind};

fn build(provider: &Arc<Provider>, settings: &Value) -> Result<Arc<dyn OutgoingStrategy>, BuildError> {
    registries().strategies.build("external", &testing::settings(&json!({ "external": settings }).to_string()), &provider.deps())
}

fn ann() -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: "ann".into() });
    who.claims.insert("email".to_owned(), json!("ann@example.com"));
    who.subject_token = Some(SubjectToken::new("anns.own.token".into(), TokenKind::Opaque));
    Identity::new(who)
}

#[test]
fn the_service_is_told_who_calls_and_its_headers_are_sent_until_they_expire() {
    let provider = Provider::new(|_| (200, r#"{"headers": {"authorization": "Bearer x"}, "expiresAt": 4102444800}"#.to_owned()));
    let settings = json!({ "url": "https://creds.example.com/v1", "claims": ["email"], "sendToken": true });
    let strategy = build(&provider, &settings).unwrap();
    let ann = ann();
    let context = ann.strategy_context("github");
    let given = testing::now(strategy.resolve(&context)).unwrap();
    assert_eq!(testing::headers(&given)["authorization"], "Bearer x");
    assert!(given.expires_at().is_some());
    let [asked] = &provider.asked()[..] else { panic!("not asked once") };
    assert_eq!((asked.url.as_str(), asked.header("content-type")), ("https://creds.example.com/v1", Some("application/json")));
    let told: Value = serde_json::from_slice(&asked.body).unwrap();
    let expected = json!({
        "version": 1, "backend": "github", "issuer": "https://id.example.com", "subject": "ann", "groups": [],
        "claims": { "email": "ann@example.com" }, "delegation": [], "subjectToken": "anns.own.token", "subjectTokenKind": "opaque",
    });
    assert_eq!(told, expected);
    assert!(matches!(strategy.keep(&context), Keep::ForToken(_)));
    assert_eq!(strategy.subject_key(&context).as_deref(), Some("ann"));
}

#[test]
fn what_is_no_answer_is_told_and_never_quoted() {
    for (status, body, why, is_callers) in [
        (200, "hunter2", "gave no answer of the form", false),
        (403, "hunter2", "has none for this caller", true),
        (500, "hunter2", "answered with HTTP status 500", false),
        (302, "", "answered with HTTP status 302", false),
    ] {
        let provider = Provider::new(move |_| (status, body.to_owned()));
        let strategy = build(&provider, &json!({ "url": "https://creds.example.com" })).unwrap();
        let ann = ann();
        let error = testing::now(strategy.resolve(&ann.strategy_context("b"))).unwrap_err();
        assert!(error.to_string().starts_with(&format!("the credential service at creds.example.com {why}")), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(matches!(error, StrategyError::Caller(_)), is_callers);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    for (settings, why) in [
        (
            json!({ "url": "http://creds.example.com" }),
            "url: external sends secrets to a `url` without TLS; use https, or add `allowPlaintext: true`",
        ),
        (json!({ "url": "ftp://creds.example.com" }), "url: external has a `url` that is no http or https URL; correct it"),
        (
            json!({ "url": "https://creds.example.com", "socket": "/run/creds.sock" }),
            "url: external has a `socket` and a `url` with https, which is for the network; write the `url` with http",
        ),
        (
            json!({ "url": "https://creds.example.com", "clientCertificate": "/run/vmcp.pem" }),
            "clientKey: external has a `clientCertificate` and no `clientKey`; add it",
        ),
        (
            json!({ "url": "https://creds.example.com", "clientKey": { "fromEnv": "SECRET" } }),
            "clientCertificate: external has a `clientKey` and no `clientCertificate`; add it",
        ),
        (
            json!({ "url": "https://creds.example.com", "caBundlePath": "/nowhere/ca.pem" }),
            "caBundlePath: external cannot read its `caBundlePath` /nowhere/ca.pem: entity not found; put the file there, or correct the path",
        ),
        (
            json!({ "url": "http://localhost:1", "clientCertificate": "/run/vmcp.pem", "clientKey": { "fromEnv": "SECRET" } }),
            "url: external has a `clientCertificate` or `caBundlePath` and a `url` without TLS, which uses neither; use https, or remove them",
        ),
        (
            json!({ "url": "https://creds.example.com", "timeout": "31s" }),
            "timeout: external has a `timeout` that is not between 1ms and 30s; correct it",
        ),
    ] {
        assert_eq!(build(&Provider::granting(), &settings).err().unwrap().to_string(), why, "{settings}");
    }
    for allowed in [
        json!({ "url": "http://127.0.0.1:9000/credentials" }),
        json!({ "url": "http://creds.example.com", "allowPlaintext": true }),
        json!({ "url": "http://creds/credentials", "socket": "/run/creds.sock" }),
    ] {
        assert!(build(&Provider::granting(), &allowed).is_ok(), "{allowed}");
    }
}
