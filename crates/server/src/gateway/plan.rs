//! From a configuration to everything that can be decided without touching the network: all problems at once.

mod incoming;
mod listener;
mod outgoing;
mod plugins;
mod policy;
mod sources;

use super::{
    callers::Callers,
    kept::Fingerprint,
    told::{at_strategies, of_rule},
};
use secrecy::SecretString;
use std::sync::Arc;
use vmcp_backend::{Watchdog, check_ca_bundle};
use vmcp_core::{
    catalogue::Rules,
    config::{Config, OnError, Problem, has_errors, index_path},
    header::{HeaderPolicy, PolicyProblem},
    plugin::{
        Authenticator, Authorizer, BoxFuture, CaBundle, CaBundleError, Deps, Fetch, FetchError, FetchRequest, FetchResponse, Interceptor,
        OutgoingStrategy, Registries, Secrets,
    },
};

/// What a check may know and may use.
#[derive(Clone, Copy)]
pub struct Checker<'a> {
    /// The kinds of plugins that the configuration may name.
    pub plugins: &'a Registries,
    /// Where secrets are found.
    pub secrets: &'a Secrets,
    /// Whether a secret that is not at hand is a note instead of an error, so that a configuration can be checked where its secrets are
    /// not.
    pub secrets_may_be_missing: bool,
}

/// What says who callers are and what they may do, without serving anything: for asking about somebody.
#[non_exhaustive]
pub struct Authorizing {
    /// What callers may do; everything when there is none.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// Of which issuer callers are, and in which groups. Nobody is let in by it: it has no network.
    pub authenticator: Arc<dyn Authenticator>,
}

impl Checker<'_> {
    /// Everything that building a gateway would complain about, without building one: errors, warnings and notes, each with its path.
    #[must_use]
    pub fn check(&self, config: &Config) -> Vec<Problem> {
        match plan(config, self, &self.deps()) {
            Ok(plan) => plan.findings,
            Err(problems) => problems,
        }
    }

    /// What authorizes callers of a configuration, for explaining it.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn authorizer(&self, config: &Config) -> Result<Authorizing, Vec<Problem>> {
        let mut planner = Planner { config, checker: self, deps: &self.deps(), problems: Vec::new(), incoming: None };
        let authenticator = planner.authenticator();
        let authorizer = planner.authorizer(authenticator.as_deref());
        match authenticator {
            Some(authenticator) if !has_errors(&planner.problems) => Ok(Authorizing { authorizer, authenticator }),
            _ => Err(planner.problems),
        }
    }

    /// For plugins that are built and never used.
    fn deps(&self) -> Deps {
        Deps::new(Arc::new(NoNetwork), self.secrets.clone())
    }

    /// The header policy of a configuration as far as it can be, for explaining it, and what of it is refused. A value that is not at
    /// hand is left out.
    #[must_use]
    pub fn header_policy(&self, config: &Config) -> (HeaderPolicy, Vec<PolicyProblem>) {
        let mut planner = Planner { config, checker: self, deps: &self.deps(), problems: Vec::new(), incoming: None };
        let authenticator = planner.authenticator();
        let strategies = planner.strategies(authenticator.as_deref());
        let statics = planner.statics();
        let (policy, refused) = HeaderPolicy::compile_sound(&planner.policy_spec(authenticator.as_deref(), &strategies, statics));
        (policy, at_strategies(config, refused))
    }
}

/// Everything decided.
pub(super) struct Plan {
    /// For the endpoint of all backends.
    pub(super) main: EndpointPlan,
    /// For each of the `endpoints`, with its own configuration.
    pub(super) endpoints: Vec<(Config, EndpointPlan)>,
    pub(super) authenticator: Arc<dyn Authenticator>,
    /// Whom that lets in.
    pub(super) callers: Callers,
    /// What callers may do; everything when there is none.
    pub(super) authorizer: Option<Arc<dyn Authorizer>>,
    /// In the order in which they see calls.
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(super) session_keys: Vec<Vec<u8>>,
    /// Ends servers if the gateway is killed.
    pub(super) watchdog: Option<Arc<Watchdog>>,
    /// Warnings and notes.
    pub(super) findings: Vec<Problem>,
}

/// What is decided for one endpoint.
pub(super) struct EndpointPlan {
    pub(super) policy: HeaderPolicy,
    pub(super) rules: Rules,
    pub(super) strategies: Vec<Strategy>,
    /// The variables under each backend's `env`.
    pub(super) environments: Vec<Vec<(String, SecretString)>>,
}

/// A backend's strategy and the word for it.
#[derive(Clone)]
pub(super) struct Strategy {
    pub(super) kind: String,
    pub(super) strategy: Arc<dyn OutgoingStrategy>,
    pub(super) on_error: OnError,
    /// What decides which credentials it gives to whom.
    pub(super) fingerprint: Option<Fingerprint>,
}

/// Decides everything, or says all that is wrong.
pub(super) fn plan(config: &Config, checker: &Checker<'_>, deps: &Deps) -> Result<Plan, Vec<Problem>> {
    let mut planner = Planner { config, checker, deps, problems: config.check(), incoming: None };
    let session_keys = planner.session_keys();
    let authenticator = planner.authenticator();
    let authorizer = planner.authorizer(authenticator.as_deref());
    let interceptors = planner.interceptors();
    planner.listener(authenticator.as_deref());
    let incoming = planner.incoming;
    let (main, mut problems) = planner.endpoint(authenticator.as_deref());
    let told = problems.clone();
    let mut endpoints = Vec::with_capacity(config.endpoints.len());
    for (index, endpoint) in config.endpoint_configs().enumerate() {
        let planner = Planner { config: &endpoint.config, checker, deps, problems: endpoint.config.check(), incoming };
        let (plan, found) = planner.endpoint(authenticator.as_deref());
        problems.extend(found.into_iter().filter_map(|problem| endpoint.in_file(problem, &told)));
        match plan {
            Some(plan) => endpoints.push((endpoint.config, plan)),
            // What is wrong was told; should it not have been, nothing may come of it all the same.
            None if has_errors(&problems) => {}
            None => problems.push(Problem::error(index_path("endpoints", index), "cannot be built")),
        }
    }
    match (main, authenticator) {
        (Some(main), Some(authenticator)) if !has_errors(&problems) => {
            let callers = Callers::new(incoming);
            Ok(Plan { main, endpoints, authenticator, callers, authorizer, interceptors, session_keys, watchdog: None, findings: problems })
        }
        _ => Err(problems),
    }
}

type Statics<'a> = Vec<Vec<(&'a str, Option<SecretString>)>>;

struct Planner<'a> {
    config: &'a Config,
    checker: &'a Checker<'a>,
    deps: &'a Deps,
    problems: Vec<Problem>,
    /// What decides who callers are, once that is built.
    incoming: Option<Fingerprint>,
}

impl<'a> Planner<'a> {
    /// Decides what belongs to this one endpoint; gives all problems so far.
    fn endpoint(mut self, authenticator: Option<&dyn Authenticator>) -> (Option<EndpointPlan>, Vec<Problem>) {
        self.bundles();
        let strategies = self.strategies(authenticator);
        let statics = self.statics();
        let environments = self.environments();
        // Where a plugin could not be built, the headers that it takes are unknown; the rest of the policy is checked all the same.
        let policy = self.policy(authenticator, &strategies, statics);
        let rules = self.rules();
        let strategies: Option<Vec<Strategy>> = strategies.into_iter().collect();
        let plan = match (policy, rules, strategies) {
            (Some(policy), Some(rules), Some(strategies)) if !has_errors(&self.problems) => {
                Some(EndpointPlan { policy, rules, strategies, environments })
            }
            _ => None,
        };
        (plan, self.problems)
    }

    fn rules(&mut self) -> Option<Rules> {
        let names: Vec<&str> = self.config.backends.iter().map(|backend| backend.name.as_str()).collect();
        match Rules::compile(&self.config.aggregation, &names) {
            Ok(rules) => {
                let warnings = rules.warnings().iter();
                self.problems.extend(warnings.map(|warning| of_rule(warning, Problem::warning)));
                Some(rules)
            }
            Err(problems) => {
                self.problems.extend(problems.iter().map(|problem| of_rule(problem, Problem::error)));
                None
            }
        }
    }
}

/// Plugins are built by a check, never used.
struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let host = request.url.authority().to_owned();
        Box::pin(std::future::ready(Err(FetchError::Connect { host, reason: "a check does not connect".to_owned() })))
    }

    fn check_ca_bundle(&self, ca_bundle: &CaBundle) -> Result<(), CaBundleError> {
        check_ca_bundle(ca_bundle.pem())
    }
}
