//! Everything that can be checked about a configuration without connecting to anything.

use super::environment::Environment;
use std::{fs, io, path::Path};
use vmcp_auth::HeaderInjectionFactory;
use vmcp_core::{
    config::{Config, Problem},
    header::{HeaderPolicy, PolicyProblem},
    plugin::{OutgoingStrategy, Registry},
};
use vmcp_server::Checker;

/// Whether secrets must be at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// A missing one is noted: `vmcp validate` runs where the secrets are not.
    Optional,
    /// A missing one is an error.
    Required,
}

/// The outgoing strategies that the command line knows, with secrets from `environment` and from files.
pub(crate) fn strategies(environment: &Environment, secrets: Secrets) -> Registry<dyn OutgoingStrategy> {
    let factory = match secrets {
        Secrets::Optional => HeaderInjectionFactory::without_secrets(),
        Secrets::Required => {
            let environment = environment.clone();
            HeaderInjectionFactory::with_sources(move |name| environment.get(name).map(str::to_owned), read)
        }
    };
    vmcp_auth::strategies_with(factory)
}

/// Checks the model, the secrets, the plugins, the header policy and the catalogue's rules, and says everything at once.
pub(crate) fn check_everything(config: &Config, environment: &Environment, secrets: Secrets) -> Vec<Problem> {
    checked(environment, secrets, |checker| checker.check(config))
}

/// The header policy as far as a gateway could compile it, without values that are not at hand, and what of it is refused.
pub(crate) fn header_policy(config: &Config, environment: &Environment) -> (HeaderPolicy, Vec<PolicyProblem>) {
    checked(environment, Secrets::Optional, |checker| checker.header_policy(config))
}

fn checked<T>(environment: &Environment, secrets: Secrets, with: impl FnOnce(Checker<'_>) -> T) -> T {
    let required = strategies(environment, Secrets::Required);
    let optional = strategies(environment, Secrets::Optional);
    with(Checker {
        strategies: &required,
        without_secrets: (secrets == Secrets::Optional).then_some(&optional),
        authenticators: &vmcp_auth::authenticators(),
        env: &environment.lookup(),
        read: &read,
    })
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}
