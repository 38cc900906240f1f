//! An authenticator for tests that tells what it was told of a caller.

use http::HeaderName;
use std::sync::Arc;
use vmcp_auth::NoSettings;
use vmcp_core::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Deps, Principal, Rejected, RequestHead, StrategyError,
};

/// `incomingAuth: {type: told}`: everybody is let in, unless they want to hear who they are: `x-tell` says whether by `certificate`,
/// `user` or `address`. The answer is a refusal's message.
pub(crate) struct ToldFactory;

struct Told([HeaderName; 1]);

impl AuthenticatorFactory for ToldFactory {
    const KIND: &'static str = "told";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(Told([HeaderName::from_static("x-tell")])))
    }
}

impl Authenticator for Told {
    fn consumed_headers(&self) -> &[HeaderName] {
        &self.0
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        let told = match head.headers.get("x-tell").and_then(|what| what.to_str().ok()) {
            Some("certificate") => {
                head.client_certificate.map(|shown| format!("{} issued by {} for [{}]", shown.subject, shown.issuer, shown.uris.join(" ")))
            }
            Some("user") => head.local_user.map(str::to_owned),
            Some(_) => head.peer.map(|peer| peer.to_string()),
            None => {
                let principal = Principal { issuer: "test".into(), subject: "anybody".into() };
                return Box::pin(std::future::ready(Ok(Arc::new(Authenticated::new(principal)))));
            }
        };
        Box::pin(std::future::ready(Err(Rejected::unauthorized(told.unwrap_or_else(|| "nobody".to_owned()), None))))
    }
}
