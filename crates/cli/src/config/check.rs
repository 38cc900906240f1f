//! Everything that can be checked about a configuration without connecting to anything.

use super::environment::Environment;
use std::fs;
use vmcp_core::{
    config::{Config, Problem},
    header::{HeaderPolicy, PolicyProblem},
    plugin::Secrets as PluginSecrets,
};
use vmcp_server::{Authorizing, Checker};

/// Whether secrets must be at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// A missing one is noted: `vmcp validate` runs where the secrets are not.
    Optional,
    /// A missing one is an error.
    Required,
}

/// Where the command line finds secrets: `environment` and files.
fn secrets_of(environment: &Environment) -> PluginSecrets {
    let environment = environment.clone();
    PluginSecrets::new(move |name| environment.get(name).map(str::to_owned), |path| fs::read_to_string(path))
}

/// Checks the model, the secrets, the plugins, the header policy and the catalogue's rules, and says everything at once.
pub(crate) fn check_everything(config: &Config, environment: &Environment, secrets: Secrets) -> Vec<Problem> {
    checked(environment, secrets, |checker| checker.check(config))
}

/// The header policy as far as a gateway could compile it, without values that are not at hand, and what of it is refused.
pub(crate) fn header_policy(config: &Config, environment: &Environment) -> (HeaderPolicy, Vec<PolicyProblem>) {
    checked(environment, Secrets::Optional, |checker| checker.header_policy(config))
}

/// What authorizes callers of a configuration, and says who they are.
pub(crate) fn authorizer(config: &Config, environment: &Environment) -> Result<Authorizing, Vec<Problem>> {
    checked(environment, Secrets::Optional, |checker| checker.authorizer(config))
}

fn checked<T>(environment: &Environment, secrets: Secrets, with: impl FnOnce(Checker<'_>) -> T) -> T {
    with(Checker {
        plugins: &vmcp_auth::registries(),
        secrets: &secrets_of(environment),
        secrets_may_be_missing: secrets == Secrets::Optional,
    })
}
