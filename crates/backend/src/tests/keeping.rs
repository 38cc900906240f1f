//! What strategies gave is kept: who asks, who waits, what happens when there is nothing, and when the backend refuses it.

use crate::{ErrorKind, Health, testing::*};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::Semaphore;
use vmcp_auth::Identity;
use vmcp_core::{
    Era,
    config::{OnError, ProtocolEra},
    plugin::{
        Authenticated, BoxFuture, Credentials, Keep, OutgoingStrategy, Principal, StrategyContext, StrategyError, SubjectToken, TokenKind,
    },
};

static MANAGED: [HeaderName; 1] = [HeaderName::from_static("authorization")];

/// Gives `SUBJECT-N` for the caller's token, where N counts what it was asked; the gateway itself gets `own-N`.
struct Issuer {
    asked: AtomicU32,
    is_down: AtomicBool,
    /// How many may be answered; who is beyond waits.
    open: Semaphore,
    life: Duration,
    name: &'static str,
}

impl Issuer {
    fn new() -> Self {
        let open = Semaphore::new(Semaphore::MAX_PERMITS);
        Self { asked: AtomicU32::new(0), is_down: AtomicBool::new(false), open, life: Duration::from_secs(600), name: "authorization" }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Exchanged(Arc<Issuer>);

impl OutgoingStrategy for Exchanged {
    fn managed_headers(&self) -> &[HeaderName] {
        &MANAGED
    }

    fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
        context.subject_token.map_or(Keep::Shared, Keep::ForToken)
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async move {
            let count = self.0.asked.fetch_add(1, Ordering::SeqCst) + 1;
            self.0.open.acquire().await.unwrap().forget();
            if self.0.is_down.load(Ordering::SeqCst) {
                return Err(StrategyError::Issuer("the issuer is down".to_owned()));
            }
            let who = context.principal.map_or("own", |caller| &*caller.subject);
            let value = HeaderValue::from_str(&format!("{who}-{count}")).unwrap();
            let headers = HeaderMap::from_iter([(HeaderName::from_static(self.0.name), value)]);
            Ok(Credentials::Headers { headers: Arc::new(headers), expires_at: Some(SystemTime::now() + self.0.life) })
        })
    }
}

fn with(issuer: &Arc<Issuer>) -> Setup {
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.strategy = Arc::new(Exchanged(Arc::clone(issuer)));
    setup
}

fn user(name: &str, token: &str) -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "test".into(), subject: name.into() });
    who.subject_token = Some(SubjectToken::new(token.into(), TokenKind::Opaque));
    Identity::new(who)
}

/// The credentials on the calls that a server got.
fn seen(server: &Server) -> Vec<String> {
    let calls = server.seen().into_iter().filter(|seen| seen.rpc() == "tools/call");
    calls.map(|call| call.header("authorization").unwrap_or("none").to_owned()).collect()
}

/// A server that refuses the credentials that `refuses` says.
async fn refusing(refuses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Server {
    let base = modern();
    Server::start(move |seen| match seen.header("authorization") {
        Some(value) if seen.rpc() == "tools/call" && refuses(value) => Answer::status(401).with("www-authenticate", "Bearer"),
        _ => base(seen),
    })
    .await
}

#[tokio::test]
async fn a_token_is_exchanged_once_however_many_call_at_the_same_time() {
    let issuer = Arc::new(Issuer { open: Semaphore::new(0), ..Issuer::new() });
    let server = Server::start(modern()).await;
    let under = with(&issuer).at(&server);
    let ann = user("ann", "t1");
    let calls: Vec<_> = (0..20).map(|_| Box::pin(under.call(Era::Modern, &ann, None))).collect();
    let mut calls = futures_util::future::join_all(calls);
    let started = async {
        while issuer.asked() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = &mut calls => panic!("answered without credentials"), () = started => issuer.open.add_permits(1) }
    for answer in calls.await {
        text(answer);
    }
    text(under.call(Era::Modern, &ann, None).await);
    assert_eq!(issuer.asked(), 1);
    assert!(seen(&server).iter().all(|value| value == "ann-1"));
    issuer.open.add_permits(2);
    text(under.call(Era::Modern, &user("ann", "t2"), None).await);
    text(under.call(Era::Modern, &user("bob", "t3"), None).await);
    assert_eq!(seen(&server)[21..], ["ann-2", "bob-3"], "another token is another exchange");
}

#[tokio::test]
async fn who_asked_may_go_away_and_the_others_need_not_ask_again() {
    let issuer = Arc::new(Issuer { open: Semaphore::new(0), ..Issuer::new() });
    let server = Server::start(modern()).await;
    let under = with(&issuer).at(&server);
    let ann = user("ann", "t1");
    let mut first = Box::pin(under.call(Era::Modern, &ann, None));
    let started = async {
        while issuer.asked() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = &mut first => panic!("answered without credentials"), () = started => {} }
    drop(first);
    issuer.open.add_permits(1);
    text(under.call(Era::Modern, &ann, None).await);
    assert_eq!((issuer.asked(), seen(&server)), (1, vec!["ann-1".to_owned()]));
}

#[tokio::test]
async fn a_call_whose_kept_credentials_are_refused_is_sent_once_more_with_others() {
    let server = refusing(|value| value == "ann-1").await;
    let issuer = Arc::new(Issuer::new());
    let under = with(&issuer).at(&server);
    let ann = user("ann", "t1");
    // The first call has just been given them: others would be no better.
    let why = failure(under.call(Era::Modern, &ann, None).await);
    assert_eq!(why, "backend `b`: call was answered with HTTP status 401");
    text(under.call(Era::Modern, &ann, None).await);
    text(under.call(Era::Modern, &ann, None).await);
    assert_eq!(seen(&server), ["ann-1", "ann-1", "ann-2", "ann-2"]);
    assert_eq!(issuer.asked(), 2);
    let bodies: Vec<_> = server.seen().iter().filter(|seen| seen.rpc() == "tools/call").map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies[1], bodies[2], "it is the same request");
}

#[tokio::test]
async fn a_backend_that_refuses_everything_is_asked_twice_for_a_call_and_no_more() {
    let server = refusing(|_| true).await;
    let issuer = Arc::new(Issuer::new());
    let under = with(&issuer).at(&server);
    for _ in 0..10 {
        let why = failure(under.call(Era::Modern, &user("ann", "t1"), None).await);
        assert_eq!(why, "backend `b`: call was answered with HTTP status 401");
    }
    assert!(seen(&server).len() <= 12, "{:?}", seen(&server));
    assert!(issuer.asked() <= 3, "{}", issuer.asked());
    assert_eq!(under.backend.status().health, Health::Unauthenticated);
}

#[tokio::test]
async fn many_callers_whose_shared_credentials_are_refused_have_them_replaced_once() {
    let server = refusing(|value| value == "own-1").await;
    let issuer = Arc::new(Issuer::new());
    let under = with(&issuer).at(&server);
    // Without a token all are given the same.
    let somebody = |name: &str| Identity::new(Authenticated::new(Principal { issuer: "test".into(), subject: name.into() }));
    let _ = under.call(Era::Modern, &somebody("own"), None).await;
    let all = ["own"; 8].map(somebody);
    for answer in futures_util::future::join_all(all.iter().map(|who| under.call(Era::Modern, who, None))).await {
        text(answer);
    }
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_outage_is_told_at_once_and_does_the_backends_health_no_harm() {
    let server = Server::start(modern()).await;
    let issuer = Arc::new(Issuer::new());
    issuer.is_down.store(true, Ordering::SeqCst);
    let under = with(&issuer).at(&server);
    for _ in 0..50 {
        let why = failure(under.call(Era::Modern, &user("ann", "t1"), None).await);
        assert_eq!(why, "backend `b`: credentials failed: the issuer is down");
    }
    assert_eq!(issuer.asked(), 1, "what failed a moment ago is not asked again");
    assert!(server.seen().is_empty());
    assert_eq!(under.backend.status().health, Health::Unknown);
}

#[tokio::test]
async fn with_skip_a_request_goes_without_credentials_when_there_are_none() {
    let server = Server::start(modern()).await;
    let issuer = Arc::new(Issuer::new());
    issuer.is_down.store(true, Ordering::SeqCst);
    let under = Setup { on_error: OnError::Skip, ..with(&issuer) }.at(&server);
    text(under.call(Era::Modern, &user("ann", "t1"), None).await);
    assert_eq!(seen(&server), ["none"]);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_costs_a_bounded_time_and_is_told_as_such() {
    let issuer = Arc::new(Issuer { open: Semaphore::new(0), ..Issuer::new() });
    let under = Setup { timeout: Duration::from_secs(7), ..with(&issuer) }.at_url("http://127.0.0.1:9/mcp");
    let begun = tokio::time::Instant::now();
    let error = under.call(Era::Modern, &user("ann", "t1"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "backend `b`: credentials failed: the strategy gave none within 7s");
    assert!(matches!(error.kind(), ErrorKind::Credentials(_)));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(under.backend.status().health, Health::Unknown);
}

#[tokio::test]
async fn credentials_that_are_nearly_over_are_renewed_while_the_call_goes_on_with_them() {
    let server = Server::start(modern()).await;
    // Their last tenth begins before the first call is over.
    let issuer = Arc::new(Issuer { life: Duration::from_millis(2000), ..Issuer::new() });
    let under = with(&issuer).at(&server);
    let ann = user("ann", "t1");
    text(under.call(Era::Modern, &ann, None).await);
    while issuer.asked() == 1 {
        text(under.call(Era::Modern, &ann, None).await);
    }
    assert!(seen(&server).iter().all(|value| value == "ann-1"), "no call waited for the new ones");
    while !seen(&server).iter().any(|value| value == "ann-2") {
        text(under.call(Era::Modern, &ann, None).await);
    }
    assert!(issuer.asked() <= 3);
}

#[tokio::test]
async fn a_header_that_the_strategy_may_not_write_is_refused_before_it_is_kept() {
    let server = Server::start(modern()).await;
    let issuer = Arc::new(Issuer { name: "x-forwarded-for", ..Issuer::new() });
    let under = with(&issuer).at(&server);
    for _ in 0..3 {
        let why = failure(under.call(Era::Modern, &user("ann", "t1"), None).await);
        assert_eq!(why, "backend `b`: credentials failed: the strategy gave the header `x-forwarded-for`, which it may not write");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_strategy_that_panics_fails_its_calls_and_nothing_else() {
    struct Panics;
    impl OutgoingStrategy for Panics {
        fn managed_headers(&self) -> &[HeaderName] {
            &MANAGED
        }
        fn keep<'a>(&self, _: &StrategyContext<'a>) -> Keep<'a> {
            Keep::Shared
        }
        fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
            Box::pin(async { panic!("on purpose") })
        }
    }
    let mut setup = Setup::new().era(ProtocolEra::Modern);
    setup.strategy = Arc::new(Panics);
    let under = setup.at_url("http://127.0.0.1:9/mcp");
    let why = failure(under.call(Era::Modern, &user("ann", "t1"), None).await);
    assert_eq!(why, "backend `b`: credentials failed: whoever asked for credentials gave up, again and again");
}
