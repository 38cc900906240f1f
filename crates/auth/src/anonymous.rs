//! The authenticator that lets everybody in.

use crate::{Identity, NoSettings};
use http::HeaderName;
use std::sync::Arc;
use vmcp_core::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, CallerTokens, Deps, Rejected, RequestHead, StrategyError,
};

/// `incomingAuth: { type: anonymous }`, the default: all callers are one principal. It reads no header.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnonymousFactory;

struct Anonymous(Arc<Authenticated>);

impl AuthenticatorFactory for AnonymousFactory {
    const KIND: &'static str = "anonymous";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(Anonymous(Identity::anonymous().authenticated())))
    }
}

impl Authenticator for Anonymous {
    fn consumed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn fixed(&self) -> Option<&Arc<Authenticated>> {
        Some(&self.0)
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.0.principal.issuer)
    }

    fn caller_tokens(&self) -> CallerTokens {
        CallerTokens::Absent
    }

    fn is_anonymous(&self) -> bool {
        true
    }

    fn authenticate<'a>(&'a self, _: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{registries, testing};
    use http::HeaderMap;

    #[test]
    fn everybody_is_let_in_as_one_principal_without_a_look_at_the_headers() {
        let authenticator = registries().authenticators.build("anonymous", &testing::settings("{}"), &testing::deps()).unwrap();
        assert!(authenticator.is_anonymous());
        assert!(authenticator.consumed_headers().is_empty());
        assert!(authenticator.fixed().unwrap().principal == *Identity::anonymous().principal());
        let headers = HeaderMap::new();
        let head = RequestHead::new(&headers, None);
        let asked = testing::now(authenticator.authenticate(&head)).unwrap();
        assert!(asked.principal == *Identity::anonymous().principal());
    }

    #[test]
    fn it_takes_no_settings() {
        let refused =
            registries().authenticators.build("anonymous", &testing::settings(r#"{"anonymous": {"realm": "x"}}"#), &testing::deps());
        assert!(refused.err().unwrap().to_string().starts_with("anonymous.realm: unknown field `realm`"));
    }
}
