//! An authenticator for tests: callers who say their name.

use http::HeaderName;
use std::sync::Arc;
use vmcp_auth::NoSettings;
use vmcp_core::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Deps, Principal, Rejected, RequestHead, StrategyError,
};

/// `incomingAuth: {type: named}`: whoever says a name in `x-user` is let in as the subject of that name.
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

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Authenticated, Rejected>> {
        let subject = head.headers.get("x-user").and_then(|user| user.to_str().ok());
        let principal = subject.map(|subject| Principal { issuer: "test".into(), subject: subject.into() });
        Box::pin(std::future::ready(principal.map(Authenticated::new).ok_or_else(|| Rejected::unauthorized("who are you?", None))))
    }
}
