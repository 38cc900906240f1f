//! From a configuration to everything that can be decided without touching the network: all problems at once.

use secrecy::SecretString;
use std::sync::Arc;
use vmcp_core::{
    catalogue::Rules,
    config::{Config, Problem, SecretSource, Severity, StrategyConfig, has_errors, index_path, key_path},
    header::{BackendSpec, HeaderPolicy, PolicySpec},
    plugin::{Authenticator, BuildError as PluginError, Deps, OutgoingStrategy, Registry},
};

/// Whether secrets have to be at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are read; a missing one is an error.
    Required,
    /// They are not looked up: for checking a configuration where they are not.
    Ignored,
}

/// Everything decided.
pub(super) struct Plan {
    pub(super) policy: HeaderPolicy,
    pub(super) rules: Rules,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) strategies: Vec<Strategy>,
    pub(super) session_keys: Vec<Vec<u8>>,
    pub(super) warnings: Vec<Problem>,
}

/// A backend's strategy and the word for it.
pub(super) struct Strategy {
    pub(super) kind: String,
    pub(super) strategy: Arc<dyn OutgoingStrategy>,
}

/// The kinds that a configuration may name.
pub(super) struct Kinds<'a> {
    pub(super) strategies: &'a Registry<dyn OutgoingStrategy>,
    pub(super) authenticators: &'a Registry<dyn Authenticator>,
    pub(super) deps: &'a Deps,
}

/// Checks a configuration as building a gateway would, without building one: errors, warnings and notes, each with its path.
///
/// The built-in kinds of strategies and authenticators are known; `strategies` and `authenticators` say which others are.
#[must_use]
pub fn check(
    config: &Config,
    secrets: Secrets,
    strategies: &Registry<dyn OutgoingStrategy>,
    authenticators: &Registry<dyn Authenticator>,
    deps: &Deps,
) -> Vec<Problem> {
    match plan(config, secrets, &Kinds { strategies, authenticators, deps }) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    }
}

/// The header policy of a configuration, as building a gateway would compile it, without building one: for those who want to see it.
///
/// # Errors
/// All that is wrong with the configuration, as [`check`] says it.
pub fn header_policy(
    config: &Config,
    secrets: Secrets,
    strategies: &Registry<dyn OutgoingStrategy>,
    authenticators: &Registry<dyn Authenticator>,
    deps: &Deps,
) -> Result<HeaderPolicy, Vec<Problem>> {
    plan(config, secrets, &Kinds { strategies, authenticators, deps }).map(|plan| plan.policy)
}

/// Decides everything, or says all that is wrong.
pub(super) fn plan(config: &Config, secrets: Secrets, kinds: &Kinds<'_>) -> Result<Plan, Vec<Problem>> {
    let mut planner = Planner { config, secrets, problems: config.check() };
    let authenticator = planner.authenticator(kinds);
    let strategies = planner.strategies(kinds);
    let statics = planner.statics();
    let session_keys = planner.session_keys();
    let rules = planner.rules();
    let policy = match (&authenticator, &strategies) {
        // Without them it is unknown which headers are taken, and every complaint about headers would be a guess.
        (Some(authenticator), Some(strategies)) => planner.policy(&**authenticator, strategies, &statics),
        _ => None,
    };
    if has_errors(&planner.problems) {
        return Err(planner.problems);
    }
    match (policy, rules, authenticator, strategies) {
        (Some(policy), Some(rules), Some(authenticator), Some(strategies)) => {
            Ok(Plan { policy, rules, authenticator, strategies, session_keys, warnings: planner.problems })
        }
        _ => Err(planner.problems),
    }
}

type Statics<'a> = Vec<Vec<(&'a str, Option<SecretString>)>>;

struct Planner<'a> {
    config: &'a Config,
    secrets: Secrets,
    problems: Vec<Problem>,
}

impl<'a> Planner<'a> {
    fn authenticator(&mut self, kinds: &Kinds<'_>) -> Option<Arc<dyn Authenticator>> {
        let incoming = &self.config.incoming_auth;
        let built = kinds.authenticators.build(&incoming.kind, &incoming.settings, kinds.deps);
        built.map_err(|error| self.problems.push(plugin_problem("incomingAuth", &error))).ok()
    }

    /// One strategy for each backend: its own, else the default, else none.
    fn strategies(&mut self, kinds: &Kinds<'_>) -> Option<Vec<Strategy>> {
        let outgoing = &self.config.outgoing_auth;
        let none = StrategyConfig { kind: "unauthenticated".to_owned(), settings: serde_json::Map::new() };
        let mut strategies = Vec::with_capacity(self.config.backends.len());
        let mut wrong = false;
        if let Some(default) = &outgoing.default
            && let Err(error) = kinds.strategies.build(&default.kind, &default.settings, kinds.deps)
        {
            self.problems.push(plugin_problem("outgoingAuth.default", &error));
            wrong = true;
        }
        for backend in &self.config.backends {
            let own = outgoing.backends.get(&backend.name);
            let chosen = own.or(outgoing.default.as_ref()).unwrap_or(&none);
            match kinds.strategies.build(&chosen.kind, &chosen.settings, kinds.deps) {
                Ok(strategy) => strategies.push(Strategy { kind: chosen.kind.clone(), strategy }),
                Err(error) => {
                    wrong = true;
                    if own.is_some() {
                        let path = key_path("outgoingAuth.backends", &backend.name);
                        self.problems.push(plugin_problem(&path, &error));
                    }
                }
            }
        }
        (!wrong).then_some(strategies)
    }

    fn secret(&mut self, path: &str, source: &SecretSource) -> Option<SecretString> {
        if self.secrets == Secrets::Ignored && !matches!(source, SecretSource::Text(_)) {
            return None;
        }
        let env = |name: &str| std::env::var(name).ok();
        let read = |path: &std::path::Path| std::fs::read_to_string(path);
        source.resolve(&env, &read).map_err(|error| self.problems.push(Problem::error(path, error.to_string()))).ok()
    }

    fn statics(&mut self) -> Statics<'a> {
        let mut statics = Vec::with_capacity(self.config.backends.len());
        for (index, backend) in self.config.backends.iter().enumerate() {
            let parent = format!("{}.headers", index_path("backends", index));
            let headers = backend.headers.iter();
            statics.push(headers.map(|(name, source)| (name.as_str(), self.secret(&key_path(&parent, name), source))).collect());
        }
        statics
    }

    fn session_keys(&mut self) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for (index, source) in self.config.sessions.keys.iter().enumerate() {
            let path = index_path("sessions.keys", index);
            let Some(text) = self.secret(&path, source) else { continue };
            match vmcp_core::config::session_key(&text) {
                Ok(key) => keys.push(key.to_vec()),
                Err(error) => self.problems.push(Problem::error(path, error.to_string())),
            }
        }
        keys
    }

    fn rules(&mut self) -> Option<Rules> {
        let names: Vec<&str> = self.config.backends.iter().map(|backend| backend.name.as_str()).collect();
        match Rules::compile(&self.config.aggregation, &names) {
            Ok(rules) => {
                let warnings = rules.warnings().iter();
                self.problems.extend(warnings.map(|warning| Problem::warning(&warning.path, warning.reason.to_string())));
                Some(rules)
            }
            Err(problems) => {
                let known = |path: &str| self.problems.iter().any(|problem| problem.path == path && problem.severity == Severity::Error);
                let new: Vec<_> = problems.into_iter().filter(|problem| !known(&problem.path)).collect();
                self.problems.extend(new.into_iter().map(|problem| Problem::error(problem.path, problem.reason.to_string())));
                None
            }
        }
    }

    fn policy(&mut self, authenticator: &dyn Authenticator, strategies: &[Strategy], statics: &Statics<'_>) -> Option<HeaderPolicy> {
        let config = self.config;
        let backends = config.backends.iter().zip(strategies).zip(statics).map(|((backend, strategy), statics)| BackendSpec {
            passthrough: &backend.passthrough_headers,
            inherit: backend.inherit_passthrough_headers,
            allow_credential: backend.allow_credential_header_passthrough,
            allow_plaintext: backend.allow_plaintext,
            statics: statics.clone(),
            managed: strategy.strategy.managed_headers(),
            ..BackendSpec::new(&backend.name, &backend.url)
        });
        let spec = PolicySpec {
            global: &config.passthrough_headers,
            allow_credential: config.allow_credential_header_passthrough,
            consumed: authenticator.consumed_headers(),
            backends: backends.collect(),
        };
        match HeaderPolicy::compile(&spec) {
            Ok(policy) => {
                self.problems.extend(policy.warnings().iter().map(|warning| Problem::warning("", warning.to_string())));
                Some(policy)
            }
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| {
                    let message = problem.message();
                    Problem::error(problem.path, message)
                }));
                None
            }
        }
    }
}

fn plugin_problem(path: &str, error: &PluginError) -> Problem {
    match error {
        PluginError::Settings { path: inner, message } => Problem::error(format!("{path}.{inner}"), message),
        PluginError::UnknownKind { .. } => Problem::error(format!("{path}.type"), error.to_string()),
        other => Problem::error(path, other.to_string()),
    }
}
