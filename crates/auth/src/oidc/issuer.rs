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

/// The end of a token of which its issuer does not say when it ends, counted from when the issuer was asked: the streams that it opened close
/// then. Requests ask again much sooner.
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
        who.expires_at.get_or_insert(asked + ENDLESS);
        who.subject_token = Some(SubjectToken::new(token.into(), TokenKind::Opaque));
        Ok(Caller { who: Arc::new(who), bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registries,
        testing::{self, provider::Provider},
    };
    use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use vmcp_core::plugin::RequestHead;

    /// Until when a token is taken of which the issuer says this.
    async fn end(more: &str) -> SystemTime {
        let said = format!(r#"{{"active":true,"sub":"ada","aud":"vmcp"{more}}}"#);
        let issuer = Provider::new(move |_| (200, said.clone()));
        let settings = r#"{"oidc": {"issuer": "https://id.example.com", "audience": "vmcp", "clientId": "vmcp", "clientSecretEnv": "SECRET",
            "introspectionUrl": "https://id.example.com/introspect"}}"#;
        let oidc = registries().authenticators.build("oidc", &testing::settings(settings), &issuer.deps()).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer opaque"))]);
        oidc.authenticate(&RequestHead::new(&headers, None)).await.unwrap().expires_at.unwrap()
    }

    #[tokio::test]
    async fn a_token_whose_issuer_names_no_end_ends_an_hour_after_it_was_asked_about() {
        let before = SystemTime::now();
        let ends = end("").await;
        assert!(ends >= before + ENDLESS && ends <= SystemTime::now() + ENDLESS);
        assert_eq!(end(r#","exp":4000000000"#).await, SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000));
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
