//! An authenticator for tests that reads bearer tokens which say what is in them, and tells clients where to get one.

use http::{HeaderName, header};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_auth::NoSettings;
use vmcp_core::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Challenge, Deps, Principal, ProtectedResource, Rejected, RequestHead,
    StrategyError,
};

/// `incomingAuth: {type: bearer}`. A token is `SUBJECT`, `SUBJECT@ISSUER` or `SUBJECT+MILLISECONDS`, those that it is good for from now on;
/// `bad` is none, and `narrow` lacks a scope.
pub(crate) struct BearerFactory;

struct Bearer {
    headers: [HeaderName; 1],
    resource: ProtectedResource,
}

impl AuthenticatorFactory for BearerFactory {
    const KIND: &'static str = "bearer";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        let mut resource = ProtectedResource::default();
        resource.authorization_servers = vec!["https://issuer.example.com/realm".to_owned()];
        resource.scopes_supported = vec!["mcp:read".to_owned(), "mcp:call".to_owned()];
        Ok(Arc::new(Bearer { headers: [header::AUTHORIZATION], resource }))
    }
}

fn judge(token: Option<&str>) -> Result<Arc<Authenticated>, Rejected> {
    let Some(token) = token else {
        return Err(Rejected::unauthorized("a token is needed", Some(Challenge::bearer().with_scope("mcp:read"))));
    };
    match token {
        "bad" => Err(Rejected::unauthorized("not a \"token\"", Some(Challenge::bearer().with_error("invalid_token")))),
        "narrow" => {
            let challenge = Challenge::bearer().with_error("insufficient_scope").with_scope("mcp:read mcp:call");
            Err(Rejected::forbidden("the token does not reach", Some(challenge)))
        }
        _ => {
            let (token, time) = token.split_once('+').map_or((token, None), |(token, time)| (token, time.parse().ok()));
            let (subject, issuer) = token.split_once('@').unwrap_or((token, "first"));
            let mut authenticated = Authenticated::new(Principal { issuer: issuer.into(), subject: subject.into() });
            authenticated.expires_at = time.map(|time| SystemTime::now() + Duration::from_millis(time));
            Ok(Arc::new(authenticated))
        }
    }
}

impl Authenticator for Bearer {
    fn consumed_headers(&self) -> &[HeaderName] {
        &self.headers
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        let token = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        Box::pin(std::future::ready(judge(token)))
    }

    fn resource(&self) -> Option<&ProtectedResource> {
        Some(&self.resource)
    }
}
