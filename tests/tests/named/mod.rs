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
/// where they are said.
pub(crate) struct NamedFactory;

struct Named([HeaderName; 1]);

impl AuthenticatorFactory for NamedFactory {
    const KIND: &'static str = "named";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(Named([HeaderName::from_static("x-user")])))
    }
}

impl Authenticator for Named {
    fn consumed_headers(&self) -> &[HeaderName] {
        &self.0
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        let subject = head.headers.get("x-user").and_then(|user| user.to_str().ok());
        let principal = subject.map(|subject| Principal { issuer: "test".into(), subject: subject.into() });
        let time = head.headers.get("x-for").and_then(|time| time.to_str().ok()?.parse().ok()).map(Duration::from_millis);
        let authenticated = principal.map(|principal| {
            let mut authenticated = Authenticated::new(principal);
            authenticated.expires_at = time.map(|time| SystemTime::now() + time);
            Arc::new(authenticated)
        });
        Box::pin(std::future::ready(authenticated.ok_or_else(|| Rejected::unauthorized("who are you?", None))))
    }
}
