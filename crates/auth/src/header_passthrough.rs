//! The strategy that passes listed headers of the caller on.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use vmcp_core::{
    config::PassthroughEntry,
    plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};

/// The settings of `type: header_passthrough`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Headers of the caller")]
pub struct HeaderPassthroughConfig {
    /// The caller's headers that the backend is sent, in the forms of a backend's `passthroughHeaders`.
    #[schemars(length(min = 1))]
    pub headers: Vec<PassthroughEntry>,
}

/// Builds `type: header_passthrough`: the backend is sent these headers of the caller, as if its entry listed them under
/// `passthroughHeaders`. The header policy reads, checks and sends them; the strategy itself gives nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderPassthroughFactory;

struct HeaderPassthrough {
    entries: Vec<PassthroughEntry>,
    nothing: Credentials,
}

impl StrategyFactory for HeaderPassthroughFactory {
    const KIND: &'static str = "header_passthrough";
    const IS_FIXED: bool = true;
    type Config = HeaderPassthroughConfig;

    fn build(&self, config: HeaderPassthroughConfig, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        if config.headers.is_empty() {
            return Err(StrategyError::at("headers", "headerPassthrough lists no `headers`; list some, or use `type: unauthenticated`"));
        }
        Ok(Arc::new(HeaderPassthrough { entries: config.headers, nothing: Credentials::none() }))
    }
}

impl OutgoingStrategy for HeaderPassthrough {
    fn managed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn fixed(&self) -> Option<&Credentials> {
        Some(&self.nothing)
    }

    fn passthrough(&self) -> &[PassthroughEntry] {
        &self.entries
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(std::future::ready(Ok(self.nothing.clone())))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn it_stands_for_entries_of_the_header_policy_and_gives_nothing_itself() {
        let settings = testing::settings(r#"{"headerPassthrough": {"headers": ["x-tenant", {"name": "x-token", "as": "authorization"}]}}"#);
        let strategy = crate::registries().strategies.build("header_passthrough", &settings, &testing::deps()).unwrap();
        let names: Vec<String> = strategy.passthrough().iter().map(|entry| entry.to_full().name).collect();
        assert_eq!(names, ["x-tenant", "x-token"]);
        assert!(strategy.managed_headers().is_empty() && testing::headers(strategy.fixed().unwrap()).is_empty());
    }

    #[test]
    fn a_list_without_headers_is_refused() {
        let settings = testing::settings(r#"{"headerPassthrough": {"headers": []}}"#);
        let error = crate::registries().strategies.build("header_passthrough", &settings, &testing::deps()).err().unwrap();
        assert_eq!(error.to_string(), "headers: headerPassthrough lists no `headers`; list some, or use `type: unauthenticated`");
    }
}
