//! What a strategy gives, on which requests, and what it may not give.

use crate::{ListRequest, ViewScope, testing::*};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{borrow::Cow, sync::Arc};
use vmcp_core::{
    CapabilitySet, Era,
    config::ProtocolEra,
    plugin::{BoxFuture, Credentials, OutgoingStrategy, SignRequest, Signer, StrategyContext, StrategyError},
};

static MANAGED: [HeaderName; 2] = [HeaderName::from_static("authorization"), HeaderName::from_static("x-signature")];

fn headers(name: &'static str, value: &str) -> Credentials {
    Credentials::headers(HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())]))
}

/// A token for each caller, none for the gateway.
struct PerCaller;

impl OutgoingStrategy for PerCaller {
    fn managed_headers(&self) -> &[HeaderName] {
        &MANAGED
    }
    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        Some(context.principal.map_or("", |principal| &principal.subject).into())
    }
    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async {
            match context.principal.map(|principal| &*principal.subject) {
                None => Ok(Credentials::none()),
                Some("eve") => Err(StrategyError::Issuer("no token for this caller".to_owned())),
                Some("mallory") => Ok(headers("x-forwarded-for", "10.0.0.1")),
                Some(subject) => Ok(headers("authorization", &format!("Bearer {subject}"))),
            }
        })
    }
}

/// Signs method, path and body.
struct Signing;

impl OutgoingStrategy for Signing {
    fn managed_headers(&self) -> &[HeaderName] {
        &MANAGED
    }
    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async { Ok(Credentials::Signer(Arc::new(Self))) })
    }
}

impl Signer for Signing {
    fn sign(&self, request: &SignRequest<'_>) -> Result<HeaderMap, StrategyError> {
        assert!(request.headers.contains_key("x-static"));
        let value = format!("{} {} {}", request.method, request.url.path(), request.body.len());
        Ok(HeaderMap::from_iter([(HeaderName::from_static("x-signature"), HeaderValue::from_str(&value).unwrap())]))
    }
}

fn with(strategy: impl OutgoingStrategy) -> Setup {
    let mut setup = Setup::new();
    setup.strategy = Arc::new(strategy);
    setup
}

#[tokio::test]
async fn a_callers_credentials_are_on_every_request_for_it_and_on_no_other() {
    let mut server = Server::start(legacy()).await;
    let under = with(PerCaller).at(&server);
    let (ann, sessions) = (under.caller("ann", &[]), no_sessions());
    text(under.call(Era::Legacy, &ann, Some(&sessions)).await);
    text(under.call(Era::Modern, &ann, None).await);
    let request =
        ListRequest { era: Era::Legacy, capabilities: CapabilitySet::NONE, caller: Some(&ann), sessions: Some(&sessions), early: None };
    let _ = under.backend.list(request).await;
    assert!(server.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer ann")));
    sessions.close(&[Arc::clone(&under.backend)]);
    let deleted = server.wait_for("DELETE").await;
    assert_eq!((deleted.header("authorization"), deleted.header("x-static")), (None, Some("fixed")));
    // What only a caller can be given makes lists the caller's.
    assert!(matches!(under.backend.scope(&ann), ViewScope::Caller(_)) && !under.backend.is_shared());
    assert_ne!(under.backend.scope(&ann), under.backend.scope(&under.caller("bob", &[])));
}

#[tokio::test]
async fn a_strategy_without_credentials_fails_the_call_before_it_is_sent() {
    let server = Server::start(modern()).await;
    let under = with(PerCaller).era(ProtocolEra::Modern).at(&server);
    let why = failure(under.call(Era::Modern, &under.caller("eve", &[]), None).await);
    assert_eq!(why, "backend `b`: credentials failed: no token for this caller");
    let why = failure(under.call(Era::Modern, &under.caller("mallory", &[]), None).await);
    assert_eq!(why, "backend `b`: credentials failed: the strategy gave the header `x-forwarded-for`, which it may not write");
    assert!(server.seen().is_empty());
}

/// Calls itself something.
struct Named([HeaderName; 1]);

impl OutgoingStrategy for Named {
    fn managed_headers(&self) -> &[HeaderName] {
        &self.0
    }
    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async { Ok(headers("user-agent", "strategy/1")) })
    }
}

#[tokio::test]
async fn requests_say_who_sends_them_unless_somebody_else_says_so() {
    let all = |server: &Server| -> Vec<Vec<String>> {
        let agents = |seen: &Seen| seen.headers.get_all("user-agent").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        server.seen().iter().map(agents).collect()
    };
    let server = Server::start(legacy()).await;
    let (under, sessions) = (Setup::new().at(&server), no_sessions());
    under.modern_call().await;
    text(under.call(Era::Legacy, &under.caller("ann", &[("user-agent", "caller/1")]), Some(&sessions)).await);
    assert!(all(&server).iter().all(|agents| *agents == ["vmcp/1"]), "{:?}", all(&server));

    let server = Server::start(modern()).await;
    let under = Setup::new().pass("user-agent").era(ProtocolEra::Modern).at(&server);
    for sent in [&[][..], &[("user-agent", "caller/1")], &[("user-agent", "")]] {
        text(under.call(Era::Modern, &under.caller("ann", sent), None).await);
    }
    assert_eq!(all(&server), [["vmcp/1"], ["caller/1"], [""]]);

    let server = Server::start(modern()).await;
    with(Named([http::header::USER_AGENT])).era(ProtocolEra::Modern).at(&server).modern_call().await;
    assert_eq!(all(&server), [["strategy/1"]]);
}

#[tokio::test]
async fn a_signer_signs_what_is_sent_where_it_is_sent() {
    let base = modern();
    let server =
        Server::start(move |seen| if seen.path == "/mcp" { Answer::status(307).with("location", "/there") } else { base(seen) }).await;
    let under = with(Signing).era(ProtocolEra::Modern).at(&server);
    under.modern_call().await;
    let seen = server.seen();
    let signed: Vec<_> = seen.iter().map(|seen| seen.header("x-signature").unwrap().to_owned()).collect();
    let length = seen[0].body.len();
    assert_eq!(signed, [format!("POST /mcp {length}"), format!("POST /there {length}")]);
}
