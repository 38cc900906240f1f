//! An issuer that comes and goes, with a clock that the tests turn.

use super::*;
use crate::oidc::kept::PAUSE;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::time::{Instant, advance};
use vmcp_core::plugin::{BoxFuture, CaBundle, CaBundleError, Fetch, FetchError, FetchRequest, FetchResponse, Reach};

const OUTAGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A key of the issuer's, with its id.
struct Signer(&'static str, Ed25519KeyPair);

impl Signer {
    fn new(id: &'static str) -> Self {
        Self(id, Ed25519KeyPair::generate().unwrap())
    }

    fn jwk(&self) -> serde_json::Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.0, "x": URL_SAFE_NO_PAD.encode(self.1.public_key()) })
    }

    fn token(&self) -> String {
        let head = json!({ "alg": "EdDSA", "kid": self.0 }).to_string();
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode("{}"));
        let signature = self.1.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the issuer does when it is asked for its keys.
enum Mood {
    Answers(Vec<serde_json::Value>),
    Fails,
    Hangs,
}

struct Issuer {
    mood: Mutex<Mood>,
    asked: AtomicUsize,
}

impl Fetch for Issuer {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (status, body) = match &*self.mood.lock().unwrap() {
            Mood::Answers(keys) => (StatusCode::OK, json!({ "keys": keys }).to_string()),
            Mood::Fails => (StatusCode::BAD_GATEWAY, String::new()),
            Mood::Hangs => return Box::pin(std::future::pending()),
        };
        Box::pin(std::future::ready(Ok(FetchResponse::new(status, HeaderMap::new(), Bytes::from(body)))))
    }

    fn check_ca_bundle(&self, _: &CaBundle) -> Result<(), CaBundleError> {
        Ok(())
    }
}

struct Scene {
    issuer: Arc<Issuer>,
    keys: Keys,
}

impl Scene {
    fn with(signers: &[&Signer]) -> Self {
        let mood = Mutex::new(Mood::Answers(signers.iter().map(|signer| signer.jwk()).collect()));
        let issuer = Arc::new(Issuer { mood, asked: AtomicUsize::new(0) });
        let asker = Asker {
            fetch: Arc::clone(&issuer) as Arc<dyn Fetch>,
            issuer: "https://id.example.com".into(),
            reach: Reach::Anywhere,
            ca_bundle: None,
            allows_http: false,
            complaints: Arc::default(),
        };
        let url = |text: &str| Url::parse(text).unwrap();
        let keys = Keys::new(asker, url("https://id.example.com"), Some(url("https://id.example.com/jwks")));
        Self { issuer, keys }
    }

    fn is(&self, mood: Mood) {
        *self.issuer.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.issuer.asked.load(Ordering::Relaxed)
    }

    /// Whether a token of this signer's is taken; the error is that nobody can tell.
    async fn takes(&self, signer: &Signer) -> Result<Option<Arc<Key>>, Unavailable> {
        let token = signer.token();
        let found = self.keys.signer(&Jwt::read(&token).unwrap()).await?;
        Ok(match found {
            Found::Signed(key) => Some(key),
            Found::Forged => None,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_good_for_as_long_as_the_issuer_is_away_and_it_is_asked_rarely_meanwhile() {
    let signer = Signer::new("a");
    let scene = Scene::with(&[&signer]);
    assert!(scene.takes(&signer).await.unwrap().is_some());
    assert_eq!(scene.asked(), 1);
    advance(FRESH - Duration::from_secs(1)).await;
    assert!(scene.takes(&signer).await.unwrap().is_some());
    assert_eq!(scene.asked(), 1, "they are fresh");

    scene.is(Mood::Fails);
    advance(Duration::from_secs(1)).await;
    let began = Instant::now();
    let mut callers = 0;
    while began.elapsed() < OUTAGE {
        assert!(scene.takes(&signer).await.unwrap().is_some(), "after {:?}", began.elapsed());
        callers += 1;
        advance(Duration::from_secs(7)).await;
    }
    let most = usize::try_from(OUTAGE.as_secs() / LONG_PAUSE.as_secs()).unwrap();
    assert!(callers > 3 * most && scene.asked() <= most + 2, "{} questions for {callers} callers", scene.asked());
    assert!(scene.asked() > most / 2, "nobody looks whether it is back");
    // Who signed with a key that nobody here has seen cannot be let in, and cannot be told to be wrong.
    assert!(scene.takes(&Signer::new("b")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_costs_one_caller_a_second_and_the_next_ones_nothing() {
    let signer = Signer::new("a");
    let scene = Scene::with(&[&signer]);
    assert!(scene.takes(&signer).await.unwrap().is_some());
    scene.is(Mood::Hangs);
    advance(FRESH).await;
    for (expected, asked) in [(PATIENCE, 2), (Duration::ZERO, 2)] {
        let began = Instant::now();
        assert!(scene.takes(&signer).await.unwrap().is_some());
        assert!(began.elapsed() >= expected && began.elapsed() < expected + Duration::from_millis(100), "{:?}", began.elapsed());
        assert_eq!(scene.asked(), asked);
    }
    advance(LONG_PAUSE).await;
    assert!(scene.takes(&signer).await.unwrap().is_some());
    assert_eq!(scene.asked(), 3, "after a pause somebody looks again");
}

#[tokio::test(start_paused = true)]
async fn when_the_issuer_is_back_what_it_took_back_is_no_longer_good() {
    let (old, new) = (Signer::new("a"), Signer::new("b"));
    let scene = Scene::with(&[&old]);
    let held = scene.takes(&old).await.unwrap().unwrap();
    scene.is(Mood::Fails);
    advance(OUTAGE).await;
    assert!(scene.takes(&old).await.unwrap().is_some() && !held.is_retired());
    scene.is(Mood::Answers(vec![new.jwk()]));
    advance(LONG_PAUSE).await;
    assert!(scene.takes(&new).await.unwrap().is_some());
    assert!(scene.takes(&old).await.unwrap().is_none());
    assert!(held.is_retired(), "whoever was let in with it is asked again");
}

#[tokio::test(start_paused = true)]
async fn where_no_key_was_ever_seen_nobody_can_tell() {
    let signer = Signer::new("a");
    let scene = Scene::with(&[&signer]);
    scene.is(Mood::Fails);
    for _ in 0..100 {
        assert!(scene.takes(&signer).await.is_err());
    }
    assert_eq!(scene.asked(), 1, "the issuer is left alone for a moment");
    scene.is(Mood::Answers(vec![signer.jwk()]));
    advance(PAUSE).await;
    assert!(scene.takes(&signer).await.unwrap().is_some());
}
