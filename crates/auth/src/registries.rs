//! The built-in kinds.

use crate::{AnonymousFactory, HeaderInjectionFactory, UnauthenticatedFactory};
use schemars::JsonSchema;
use serde::Deserialize;
use vmcp_core::plugin::{Registries, Secrets};

/// The settings of a kind that has none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "No settings")]
pub struct NoSettings {}

/// The kinds that vmcp has by itself, to which an embedder adds others.
#[must_use]
pub fn registries() -> Registries {
    let mut kinds = Registries::default();
    let registered = [
        kinds.strategies.register(UnauthenticatedFactory),
        kinds.strategies.register(HeaderInjectionFactory),
        kinds.authenticators.register(AnonymousFactory),
    ];
    debug_assert!(registered.iter().all(Result::is_ok), "no two built-in kinds share a word");
    kinds
}

/// The process's environment and file system.
#[must_use]
pub fn process_secrets() -> Secrets {
    Secrets::new(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_built_in_kinds_are_there() {
        assert_eq!(registries().strategies.kinds().collect::<Vec<_>>(), ["header_injection", "unauthenticated"]);
        assert_eq!(registries().authenticators.kinds().collect::<Vec<_>>(), ["anonymous"]);
    }

    #[test]
    fn an_unknown_kind_names_the_known_ones() {
        let error = registries().strategies.build("header_injector", &testing::settings("{}"), &testing::deps()).err().unwrap();
        assert_eq!(error.to_string(), "unknown outgoing strategy `header_injector`; known: header_injection, unauthenticated");
    }
}
