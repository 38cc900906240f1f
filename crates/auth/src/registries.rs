//! The built-in kinds.

use crate::{AnonymousFactory, HeaderInjectionFactory, UnauthenticatedFactory};
use schemars::JsonSchema;
use serde::Deserialize;
use vmcp_core::plugin::{Authenticator, OutgoingStrategy, Registry};

/// The settings of a kind that has none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "No settings")]
pub struct NoSettings {}

/// The outgoing strategies that vmcp has by itself, to which an embedder adds others. Secrets come from the process's environment and
/// files.
#[must_use]
pub fn strategies() -> Registry<dyn OutgoingStrategy> {
    strategies_with(HeaderInjectionFactory::default())
}

/// The same, with `header_injection` looking its secrets up where the factory says, or not at all
/// ([`HeaderInjectionFactory::without_secrets`]).
#[must_use]
pub fn strategies_with(header_injection: HeaderInjectionFactory) -> Registry<dyn OutgoingStrategy> {
    let mut registry = Registry::<dyn OutgoingStrategy>::new("outgoing strategy");
    let registered = registry.register(UnauthenticatedFactory).and_then(|()| registry.register(header_injection));
    debug_assert!(registered.is_ok(), "no two built-in kinds share a word");
    registry
}

/// The incoming authenticators that vmcp has by itself, to which an embedder adds others.
#[must_use]
pub fn authenticators() -> Registry<dyn Authenticator> {
    let mut registry = Registry::<dyn Authenticator>::new("incoming authenticator");
    let registered = registry.register(AnonymousFactory);
    debug_assert!(registered.is_ok(), "no two built-in kinds share a word");
    registry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_built_in_kinds_are_there() {
        assert_eq!(strategies().kinds().collect::<Vec<_>>(), ["header_injection", "unauthenticated"]);
        assert_eq!(authenticators().kinds().collect::<Vec<_>>(), ["anonymous"]);
    }

    #[test]
    fn an_unknown_kind_names_the_known_ones() {
        let error = strategies().build("header_injector", &testing::settings("{}"), &testing::deps()).err().unwrap();
        assert_eq!(error.to_string(), "unknown outgoing strategy `header_injector`; known: header_injection, unauthenticated");
    }
}
