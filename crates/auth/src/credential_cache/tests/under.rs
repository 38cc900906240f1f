//! Callers, strategies and a clock for the tests of the cache.

use crate::credential_cache::*;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::Map;
use std::{
    sync::atomic::AtomicU32,
    time::{Duration, UNIX_EPOCH},
};
use vmcp_core::plugin::{BoxFuture, Keep, Principal, SubjectToken, TokenKind};

/// For whom a test's credentials are.
#[derive(Clone, Copy)]
pub(super) enum For {
    Nobody,
    All,
    Token,
    Principal,
}

impl OutgoingStrategy for For {
    fn managed_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
        match (self, context.subject_token) {
            (Self::All, _) => Keep::Shared,
            (Self::Token, Some(token)) => Keep::ForToken(token),
            (Self::Principal, _) => Keep::ForPrincipal,
            _ => Keep::Never,
        }
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        panic!("the cache asks nobody")
    }
}

/// Somebody with a token.
pub(super) struct Somebody {
    pub(super) principal: Principal,
    pub(super) token: SubjectToken,
    pub(super) claims: Map<String, serde_json::Value>,
    pub(super) expires_at: Option<SystemTime>,
}

impl Somebody {
    pub(super) fn new(name: &str, token: &str, expires_at: Option<u64>) -> Self {
        Self {
            principal: Principal { issuer: "https://id.example.com".into(), subject: name.into() },
            token: SubjectToken::new(token.into(), TokenKind::Jwt),
            claims: Map::new(),
            expires_at: expires_at.map(at),
        }
    }

    pub(super) fn context(&self) -> StrategyContext<'_> {
        let mut context = StrategyContext::new("b", Some(&self.principal), &self.claims);
        (context.subject_token, context.expires_at) = (Some(&self.token), self.expires_at);
        context
    }
}

pub(super) fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
}

/// A cache whose clock stands at a second until it is set to another.
pub(super) struct Under {
    pub(super) cache: Arc<CredentialCache>,
    pub(super) second: Arc<AtomicU32>,
}

impl Under {
    pub(super) fn new() -> Self {
        let second = Arc::new(AtomicU32::new(0));
        let clock = Arc::clone(&second);
        let cache = Arc::new(CredentialCache::with_clock(move || at(clock.load(Ordering::Relaxed).into())));
        Self { cache, second }
    }

    pub(super) fn wait_until(&self, second: u32) {
        self.second.store(second, Ordering::Relaxed);
    }

    pub(super) fn find(&self, strategy: For, who: &Somebody) -> Found {
        self.cache.find(&strategy, &who.context())
    }

    /// Has credentials got where there are none: `value` until `until`.
    pub(super) fn fill(&self, strategy: For, who: &Somebody, value: &str, until: Option<u64>) {
        let Found::Absent(turn, _) = self.find(strategy, who) else { panic!("there is something already") };
        turn.settle(Ok(credentials(value, until)));
    }

    /// What is at hand, in words.
    pub(super) fn at_hand(&self, strategy: For, who: &Somebody) -> String {
        match self.find(strategy, who) {
            Found::Ready(given) => text(&given),
            Found::Due(given, _) => format!("{}, due", text(&given)),
            Found::Absent(..) => "absent".to_owned(),
            Found::Coming(_) => "coming".to_owned(),
            Found::Failed(error) => error.to_string(),
            Found::Nothing => "nothing".to_owned(),
        }
    }
}

pub(super) fn credentials(value: &str, until: Option<u64>) -> Credentials {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
    Credentials::Headers { headers: Arc::new(headers), expires_at: until.map(at) }
}

pub(super) fn text(given: &Given) -> String {
    crate::testing::headers(&given.credentials)[AUTHORIZATION].to_str().unwrap().to_owned()
}

pub(super) fn failure() -> StrategyError {
    StrategyError::Issuer("down".to_owned())
}
