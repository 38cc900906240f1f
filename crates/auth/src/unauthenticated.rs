//! The strategy that adds nothing.

use crate::NoSettings;
use http::HeaderName;
use std::sync::Arc;
use vmcp_core::plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory};

/// `type: unauthenticated`: the backend is sent no credential of the gateway's. Also what a backend without a strategy gets.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnauthenticatedFactory;

struct Unauthenticated(Credentials);

impl StrategyFactory for UnauthenticatedFactory {
    const KIND: &'static str = "unauthenticated";
    const IS_FIXED: bool = true;
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Unauthenticated(Credentials::none())))
    }
}

impl OutgoingStrategy for Unauthenticated {
    fn managed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn fixed(&self) -> Option<&Credentials> {
        Some(&self.0)
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Identity, registries, testing};

    #[test]
    fn it_adds_nothing_for_anybody() {
        let strategy = registries().strategies.build("unauthenticated", &testing::settings("{}"), &testing::deps()).unwrap();
        let caller = Identity::anonymous();
        let context = caller.strategy_context("b");
        assert!(strategy.managed_headers().is_empty());
        assert!(strategy.subject_key(&context).is_none());
        assert!(testing::headers(strategy.fixed().unwrap()).is_empty());
        assert!(testing::headers(&testing::now(strategy.resolve(&context)).unwrap()).is_empty());
    }

    #[test]
    fn it_takes_no_settings() {
        let refused = registries().strategies.build("unauthenticated", &testing::settings(r#"{"headerInjection": {}}"#), &testing::deps());
        assert!(refused.err().unwrap().to_string().contains("not a setting of `unauthenticated`"));
    }
}
