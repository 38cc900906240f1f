use super::*;
use crate::oidc::jwk;
use vmcp_core::plugin::{Principal, SubjectToken, TokenKind};

fn caller(token: &str, expires_at: Option<SystemTime>) -> Arc<Caller> {
    let mut who = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: "ann".into() });
    who.subject_token = Some(SubjectToken::new(token.into(), TokenKind::Jwt));
    who.expires_at = expires_at;
    Arc::new(Caller { who: Arc::new(who), bound: None })
}

#[test]
fn a_token_is_known_until_its_end_and_no_longer_than_it_is_to_be_believed() {
    let hour = Duration::from_secs(3600);
    for (expires, longest, until) in [(Some(hour), 2 * hour, hour), (Some(2 * hour), hour, hour), (None, hour, hour)] {
        let (seen, now) = (Seen::default(), SystemTime::now());
        seen.keep(digest("a"), &caller("a", expires.map(|expires| now + expires)), None, longest);
        let known = |after: Duration| seen.caller_at(&digest("a"), now + after).is_some();
        let second = Duration::from_secs(1);
        assert_eq!([known(Duration::ZERO), known(until - second), known(until + second)], [true, true, false], "{expires:?} {longest:?}");
        assert!(seen.caller(&digest("b")).is_none());
    }
}

#[test]
fn a_caller_is_forgotten_with_the_key_that_proved_who_it_is() {
    let read = |id: &str| {
        let key = format!(r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "{id}", "x": "{}"}}]}}"#, "A".repeat(43));
        jwk::read(key.as_bytes()).unwrap()
    };
    let published = jwk::renewed(&[], read("a"));
    let seen = Seen::default();
    seen.keep(digest("t"), &caller("t", None), Some(Arc::clone(&published[0])), Duration::from_secs(3600));
    assert!(seen.caller(&digest("t")).is_some());
    jwk::renewed(&published, read("a"));
    assert!(seen.caller(&digest("t")).is_some(), "it is published still");
    jwk::renewed(&published, read("b"));
    assert!(seen.caller(&digest("t")).is_none(), "the issuer took it back");
}

#[test]
fn what_is_kept_of_callers_is_bounded_in_bytes_and_what_is_kept_of_bad_tokens_in_number() {
    let seen = Seen::default();
    let long = "x".repeat(16 * 1024);
    for n in 0..3000 {
        let token = format!("{n}{long}");
        seen.keep(digest(&token), &caller(&token, None), None, Duration::from_secs(3600));
        seen.refuse(digest(&format!("bad-{n}")), "the token is not active");
    }
    seen.callers.run_pending_tasks();
    seen.refused.run_pending_tasks();
    assert!(seen.callers.weighted_size() <= CALLERS && seen.callers.entry_count() * 16 * 1024 < CALLERS, "{}", seen.callers.entry_count());
    assert!(seen.callers.entry_count() > 500, "it is a cache");
    assert!(seen.refused.entry_count() <= REFUSED && seen.refused.entry_count() > 0, "{}", seen.refused.entry_count());
}
