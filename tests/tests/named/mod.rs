//! An authenticator for tests: callers who say their name.

use http::HeaderName;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_auth::NoSettings;
use vmcp_core::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Deps, Principal, Rejected, RequestHead, StrategyError,
};

/// `incomingAuth: {type: named}`: whoever says a name in `x-user` is let in as the subject of that name, for the milliseconds in `x-for`
/// where they are said, and with the claims in `x-claims`, which is a JSON object. What stands in `x-standing` is
/// what tells apart the credentials of one subject.
pub(crate) struct NamedFactory;

struct Named([HeaderName; 1], Arc<str>);

impl AuthenticatorFactory for NamedFactory {
    const KIND: &'static str = "named";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(Named([HeaderName::from_static("x-user")], "test".into())))
    }
}

impl Authenticator for Named {
    fn consumed_headers(&self) -> &[HeaderName] {
        &self.0
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.1)
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        let subject = head.headers.get("x-user").and_then(|user| user.to_str().ok());
        let principal = subject.map(|subject| Principal { issuer: Arc::clone(&self.1), subject: subject.into() });
        let time = head.headers.get("x-for").and_then(|time| time.to_str().ok()?.parse().ok()).map(Duration::from_millis);
        let authenticated = principal.map(|principal| {
            let mut authenticated = Authenticated::new(principal);
            let claims = head.headers.get("x-claims").and_then(|claims| claims.to_str().ok());
            authenticated.claims = claims.and_then(|claims| serde_json::from_str(claims).ok()).unwrap_or_default();
            authenticated.standing = head.headers.get("x-standing").and_then(|standing| standing.to_str().ok()).map(Into::into);
            authenticated.expires_at = time.map(|time| SystemTime::now() + time);
            Arc::new(authenticated)
        });
        Box::pin(std::future::ready(authenticated.ok_or_else(|| Rejected::unauthorized("who are you?", None))))
    }
}
