//! The built-in kinds.

use crate::{
    AnonymousFactory, ApiKeyFactory, ClientCertificateFactory, ClientCredentialsFactory, ExecFactory, ExternalFactory,
    HeaderInjectionFactory, HeaderPassthroughFactory, LocalFactory, OidcFactory, TokenExchangeFactory, UnauthenticatedFactory,
};
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
        kinds.strategies.register(HeaderPassthroughFactory),
        kinds.strategies.register(ClientCredentialsFactory),
        kinds.strategies.register(TokenExchangeFactory),
        kinds.strategies.register(ExecFactory),
        kinds.strategies.register(ExternalFactory),
        kinds.authenticators.register(AnonymousFactory),
        kinds.authenticators.register(ApiKeyFactory),
        kinds.authenticators.register(ClientCertificateFactory),
        kinds.authenticators.register(LocalFactory),
        kinds.authenticators.register(OidcFactory),
        #[cfg(feature = "cedar")]
        kinds.authorizers.register(crate::CedarFactory),
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

    const KINDS: [&str; 7] =
        ["client_credentials", "exec", "external", "header_injection", "header_passthrough", "token_exchange", "unauthenticated"];

    #[test]
    fn the_built_in_kinds_are_there() {
        assert_eq!(registries().strategies.kinds().collect::<Vec<_>>(), KINDS);
        assert_eq!(registries().authenticators.kinds().collect::<Vec<_>>(), ["anonymous", "apiKey", "clientCertificate", "local", "oidc"]);
    }

    #[test]
    fn an_unknown_kind_names_the_known_ones() {
        let error = registries().strategies.build("header_injector", &testing::settings("{}"), &testing::deps()).err().unwrap();
        assert_eq!(error.to_string(), format!("unknown outgoing strategy `header_injector`; known: {}", KINDS.join(", ")));
    }
}
