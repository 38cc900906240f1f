//! One issuer whose tokens are taken.

use super::{
    bound::Bound,
    claims::{Denied, Rules, Source},
    introspection::Introspection,
    jwk::Key,
    jwt::Jwt,
    kept::Unavailable,
    keys::{Found, Keys},
    seen::Caller,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::{SubjectToken, TokenKind};

/// After so long, counted from when the issuer was asked, the streams close that were opened with a token of which the issuer does not say when
/// it ends. Requests ask again much sooner. It is no end of the token's: what backends are given for it is kept as long as for any credential
/// without one.
const ENDLESS: Duration = Duration::from_secs(60 * 60);

/// An issuer: what its tokens have to say, its keys, and how it is asked.
pub(super) struct Issuer {
    pub(super) rules: Rules,
    pub(super) keys: Keys,
    pub(super) introspection: Option<Introspection>,
}

/// Why a token lets nobody in.
pub(super) enum Refusal {
    /// It is no good, or not enough.
    Denied(Denied),
    /// Whether it is good cannot be told now.
    Unavailable(Unavailable),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<&'static str> for Refusal {
    fn from(flaw: &'static str) -> Self {
        Self::Denied(Denied::Flaw(flaw))
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl Issuer {
    /// The caller of a JWT that says it is this issuer's, and the key that proves it.
    pub(super) async fn verify(&self, token: &str, jwt: Jwt<'_>) -> Result<(Caller, Arc<Key>), Refusal> {
        // Before the keys: a token that is over needs none, and there may be many after a key has changed.
        let source = if jwt.is_typed { Source::AccessToken } else { Source::Jwt };
        self.rules.check(&jwt.claims, SystemTime::now(), source)?;
        let bound = Bound::of(&jwt.claims)?;
        let Found::Signed(key) = self.keys.signer(&jwt).await? else {
            return Err("the token's signature is not the issuer's".into());
        };
        let mut who = self.rules.caller(jwt.claims)?;
        who.subject_token = Some(SubjectToken::new(token.into(), TokenKind::Jwt));
        Ok((Caller { who: Arc::new(who), bound }, key))
    }

    /// The caller of a token that the issuer is asked about.
    pub(super) async fn ask(&self, introspection: &Introspection, token: &str) -> Result<Caller, Refusal> {
        let asked = SystemTime::now();
        let said = introspection.ask(&self.keys, token).await?.ok_or("the token is not active")?;
        self.rules.check(&said, SystemTime::now(), Source::Introspection)?;
        let bound = Bound::of(&said)?;
        let mut who = self.rules.caller(said)?;
        // Whoever has taken it back since is heard at the next request, but a stream makes none.
        who.check_again_at = who.expires_at.is_none().then_some(asked + ENDLESS);
        who.subject_token = Some(SubjectToken::new(token.into(), TokenKind::Opaque));
        Ok(Caller { who: Arc::new(who), bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CredentialCache, Found, Identity, registries,
        testing::{self, provider::Provider},
    };
    use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
    use std::sync::Mutex;
    use vmcp_core::plugin::{Authenticated, BoxFuture, Credentials, Keep, OutgoingStrategy, RequestHead, StrategyContext, StrategyError};

    /// A strategy that is asked for credentials for each token.
    struct ForToken;

    impl OutgoingStrategy for ForToken {
        fn managed_headers(&self) -> &[HeaderName] {
            &[]
        }

        fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
            context.subject_token.map_or(Keep::Never, Keep::ForToken)
        }

        fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
            unreachable!("the test has the turn")
        }
    }

    /// The caller with a token of which the issuer says this.
    async fn said(more: &str) -> Arc<Authenticated> {
        let said = format!(r#"{{"active":true,"sub":"ada","aud":"vmcp"{more}}}"#);
        let issuer = Provider::new(move |_| (200, said.clone()));
        let settings = r#"{"oidc": {"issuer": "https://id.example.com", "audience": "vmcp", "clientId": "vmcp", "clientSecretEnv": "SECRET",
            "introspectionUrl": "https://id.example.com/introspect"}}"#;
        let oidc = registries().authenticators.build("oidc", &testing::settings(settings), &issuer.deps()).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer opaque"))]);
        oidc.authenticate(&RequestHead::new(&headers, None)).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_whose_issuer_names_no_end_has_none_and_its_streams_close_an_hour_after_it_was_asked_about() {
        let before = SystemTime::now();
        let undated = said("").await;
        let ends = undated.good_until().unwrap();
        assert!(ends >= before + ENDLESS && ends <= SystemTime::now() + ENDLESS);
        assert_eq!(undated.expires_at, None, "what is got for it would be kept as long as for a token that ends then");
        let dated = said(r#","exp":4000000000"#).await;
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        assert_eq!((dated.expires_at, dated.good_until()), (Some(end), Some(end + Duration::from_secs(60))));
    }

    #[tokio::test]
    async fn what_is_got_without_an_end_for_a_token_without_one_is_good_for_five_minutes() {
        let undated = Identity::new(said("").await);
        let now = Arc::new(Mutex::new(SystemTime::now()));
        let clock = Arc::clone(&now);
        let cache = Arc::new(CredentialCache::with_clock(move || *clock.lock().unwrap()));
        let Found::Absent(turn, _) = cache.find(&ForToken, &undated.strategy_context("b")) else { panic!("there is something") };
        turn.settle(Ok(Credentials::none()));
        for (minutes, is_there) in [(4, true), (6, false)] {
            *now.lock().unwrap() = SystemTime::now() + Duration::from_secs(60 * minutes);
            let found = cache.find(&ForToken, &undated.strategy_context("b"));
            assert_eq!(matches!(found, Found::Ready(_)), is_there, "after {minutes} minutes");
        }
    }

    #[tokio::test]
    async fn while_a_token_is_taken_after_its_end_its_issuer_is_asked_each_time_whether_it_is_over() {
        let ended = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 30;
        let said = format!(r#"{{"active":true,"sub":"ada","aud":"vmcp","exp":{ended}}}"#);
        let issuer = Provider::new(move |_| (200, said.clone()));
        for (leeway, asked) in [("5m", 3), ("10s", 1)] {
            let before = issuer.asked().len();
            let settings = format!(
                r#"{{"oidc": {{"issuer": "https://id.example.com", "audience": "vmcp", "clientId": "vmcp", "clientSecretEnv": "SECRET",
                    "introspectionUrl": "https://id.example.com/introspect", "leeway": "{leeway}"}}}}"#
            );
            let oidc = registries().authenticators.build("oidc", &testing::settings(&settings), &issuer.deps()).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer opaque"))]);
            for _ in 0..3 {
                let who = oidc.authenticate(&RequestHead::new(&headers, None)).await;
                let ends = who.ok().map(|who| (who.expires_at.unwrap(), who.good_until().unwrap()));
                let end = SystemTime::UNIX_EPOCH + Duration::from_secs(ended);
                assert_eq!(ends, (leeway == "5m").then_some((end, end + Duration::from_secs(300))));
            }
            assert_eq!(issuer.asked().len() - before, asked, "{leeway}");
        }
    }
}
