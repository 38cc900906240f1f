//! From a configuration to everything that can be decided without touching the network: all problems at once.

mod listener;

use super::{
    bundle,
    kept::{Fingerprint, Recorder},
    told::{at_strategies, of_rule, place_of, split, with_advice},
};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::{Map, Value};
use std::{fs, io, sync::Arc};
use vmcp_backend::Watchdog;
use vmcp_core::{
    catalogue::Rules,
    config::{
        Backend, Config, OnError, Problem, ProcessScope, SecretSource, StrategyConfig, Transport, has_errors, index_path, key_path,
        session_key,
    },
    header::{BackendSpec, HeaderPolicy, Place, PolicyProblem, PolicySpec, StartedSpec},
    plugin::{
        Authenticator, Authorizer, BoxFuture, BuildError as PluginError, Deps, Fetch, FetchError, FetchRequest, FetchResponse, Interceptor,
        Misplaced, OutgoingStrategy, Registries, Registry, Secrets,
    },
};

/// The authorizer that is there only with the Cargo feature of its name.
const CEDAR: &str = "cedar";

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

/// What callers may do, if anything says so, and the one issuer that they all come from, where there is only one.
pub type Authorizing = (Option<Arc<dyn Authorizer>>, Option<Arc<str>>);

impl Checker<'_> {
    /// Everything that building a gateway would complain about, without building one: errors, warnings and notes, each with its path.
    #[must_use]
    pub fn check(&self, config: &Config) -> Vec<Problem> {
        match plan(config, self, &self.deps()) {
            Ok(plan) => plan.findings,
            Err(problems) => problems,
        }
    }

    /// What authorizes callers of a configuration, if anything does, for explaining it; and the one issuer that all of them are of, if there
    /// is only one.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn authorizer(&self, config: &Config) -> Result<Authorizing, Vec<Problem>> {
        let mut planner = Planner { config, checker: self, deps: &self.deps(), problems: Vec::new(), incoming: None };
        let authenticator = planner.authenticator();
        let authorizer = planner.authorizer(authenticator.as_deref());
        if has_errors(&planner.problems) {
            return Err(planner.problems);
        }
        Ok((authorizer, authenticator.and_then(|authenticator| authenticator.issuer().map(Arc::from))))
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
            Ok(Plan { main, endpoints, authenticator, authorizer, interceptors, session_keys, watchdog: None, findings: problems })
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

    /// A missing source, as bad as the occasion makes it, and what to do about it.
    fn absent(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &str) {
        self.problems.push(match self.checker.secrets_may_be_missing {
            true => Problem::note(path, message).with_hint("`vmcp serve` will need it"),
            false => Problem::error(path, message).with_hint(hint),
        });
    }

    fn session_keys(&mut self) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for (index, source) in self.config.sessions.keys.iter().enumerate() {
            let path = index_path("sessions.keys", index);
            let Some(text) = self.secret(&path, source) else { continue };
            match session_key(&text) {
                Ok(key) => keys.push(key.to_vec()),
                Err(error) => self.problems.push(Problem::error(path, error.to_string())),
            }
        }
        keys
    }

    fn bundles(&mut self) {
        for (index, backend) in self.config.backends.iter().enumerate() {
            let Some(file) = &backend.ca_bundle_path else { continue };
            let path = key_path(&index_path("backends", index), "caBundlePath");
            match fs::read(file) {
                Ok(pem) => {
                    if let Err(reason) = bundle::check(&pem) {
                        let message = format!("{}: {reason}", file.display());
                        let hint = "give a PEM file with the certificates of the authorities to trust";
                        self.problems.push(Problem::error(path, message).with_hint(hint));
                    }
                }
                Err(error) => {
                    let reason = match error.kind() {
                        io::ErrorKind::NotFound => "no such file".to_owned(),
                        kind => kind.to_string(),
                    };
                    let message = format!("cannot read {}: {reason}", file.display());
                    self.absent(path, message, "put the file there, or correct the path");
                }
            }
        }
    }

    fn authenticator(&mut self) -> Option<Arc<dyn Authenticator>> {
        let incoming = &self.config.incoming_auth;
        let (deps, recorder) = recorded(&incoming.kind, &incoming.settings, self.deps);
        let built = self.plugin(&self.checker.plugins.authenticators, &incoming.kind, &incoming.settings, "incomingAuth", &deps);
        self.incoming = recorder.map(|recorder| recorder.fingerprint());
        built
    }

    fn authorizer(&mut self, authenticator: Option<&dyn Authenticator>) -> Option<Arc<dyn Authorizer>> {
        let authz = self.config.incoming_auth.authz.as_ref().filter(|authz| authz.kind != "none")?;
        if authz.kind == CEDAR && !self.checker.plugins.authorizers.kinds().any(|kind| kind == CEDAR) {
            let problem = Problem::error("incomingAuth.authz.type", "`cedar` is not part of this program");
            self.problems.push(problem.with_hint("build it with the Cargo feature `cedar` of `vmcp-server`"));
            return None;
        }
        let mut deps = self.deps.clone();
        // Of an authenticator that could not be built it is not known; that is told already, and nothing follows from it.
        deps.issuer = authenticator.map_or_else(|| Some(Arc::default()), |authenticator| authenticator.issuer().map(Arc::from));
        let kinds = &self.checker.plugins.authorizers;
        let built = kinds.build(&authz.kind, &authz.settings, &deps);
        built.map_err(|error| self.refused(kinds, &authz.kind, "incomingAuth.authz", &error)).ok()
    }

    fn interceptors(&mut self) -> Vec<Arc<dyn Interceptor>> {
        let interceptors = self.config.interceptors.iter().enumerate();
        let built = interceptors.filter_map(|(index, one)| {
            self.plugin(&self.checker.plugins.interceptors, &one.kind, &one.settings, &index_path("interceptors", index), self.deps)
        });
        built.collect()
    }

    /// One strategy for each backend: its own, else the default, else none.
    fn strategies(&mut self, authenticator: Option<&dyn Authenticator>) -> Vec<Option<Strategy>> {
        let mut deps = self.deps.clone();
        // Nothing is known of one that could not be built, and nothing follows from it.
        deps.caller_tokens = authenticator.map(Authenticator::caller_tokens).unwrap_or_default();
        let deps = &deps;
        let outgoing = &self.config.outgoing_auth;
        let none = StrategyConfig::of_kind("unauthenticated");
        let default = match &outgoing.default {
            Some(default) => self.strategy(default, "outgoingAuth.default", deps),
            None => self.strategy(&none, "outgoingAuth", deps),
        };
        let own = |planner: &mut Self, name: &String| {
            let strategy = outgoing.backends.get(name)?;
            Some(planner.strategy(strategy, &key_path("outgoingAuth.backends", name), deps))
        };
        let mut strategies = Vec::with_capacity(self.config.backends.len());
        let mut unreached = Vec::new();
        for backend in &self.config.backends {
            let writes = |strategy: &Option<Strategy>| {
                strategy.as_ref().is_some_and(|own| !own.strategy.managed_headers().is_empty() || !own.strategy.passthrough().is_empty())
            };
            strategies.push(match own(self, &backend.name) {
                Some(own) => own,
                // What holds for all backends is no mistake where it cannot be.
                None if backend.reached_by() == Transport::Stdio && writes(&default) => {
                    unreached.push(format!("`{}`", backend.name));
                    self.strategy(&none, "outgoingAuth", deps)
                }
                None => default.clone(),
            });
        }
        if !unreached.is_empty() {
            let message = format!("writes headers, which {} is not sent: it is started with `command`", unreached.join(", "));
            let hint = "give it its credential under `env`, and `type: unauthenticated` under outgoingAuth.backends";
            self.problems.push(Problem::warning("outgoingAuth.default", message).with_hint(hint));
        }
        strategies
    }

    fn strategy(&mut self, strategy: &StrategyConfig, path: &str, deps: &Deps) -> Option<Strategy> {
        let (deps, recorder) = recorded(&strategy.kind, &strategy.settings, deps);
        let built = self.plugin(&self.checker.plugins.strategies, &strategy.kind, &strategy.settings, path, &deps)?;
        // Who a caller is and what is known of it decides too what is given to it.
        let fingerprint = recorder.zip(self.incoming).map(|(recorder, incoming)| {
            recorder.add(incoming.as_bytes());
            recorder.fingerprint()
        });
        Some(Strategy { kind: strategy.kind.clone(), strategy: built, on_error: strategy.on_error, fingerprint })
    }

    /// One plugin. Where secrets may be missing, one that lacks its secret is built without.
    fn plugin<T: ?Sized>(
        &mut self,
        kinds: &Registry<T>,
        kind: &str,
        settings: &Map<String, Value>,
        path: &str,
        deps: &Deps,
    ) -> Option<Arc<T>> {
        let error = match kinds.build(kind, settings, deps) {
            Ok(built) => return Some(built),
            Err(error) => error,
        };
        if let PluginError::Refused(error) = &error
            && self.checker.secrets_may_be_missing
        {
            let mut deps = deps.clone();
            deps.secrets = deps.secrets.that_may_be_missing();
            if let Ok(without) = kinds.build(kind, settings, &deps) {
                for Misplaced { place, message } in kinds.refusals(kind, error).into_iter().map(|wrong| wrong.below(path)) {
                    let (message, hint) = split(&message);
                    self.absent(place, message, hint.unwrap_or("set it"));
                }
                return Some(without);
            }
        }
        self.refused(kinds, kind, path, &error);
        None
    }

    /// Tells why a plugin could not be built, at the settings that are wrong.
    fn refused<T: ?Sized>(&mut self, kinds: &Registry<T>, kind: &str, path: &str, error: &PluginError) {
        self.problems.extend(match error {
            // What serde says may quote the value.
            PluginError::Settings { path: inner, .. } => vec![Problem::error(below(path, inner), "does not fit; see `vmcp schema`")],
            PluginError::Refused(error) => {
                let wrong = kinds.refusals(kind, error).into_iter().map(|wrong| wrong.below(path));
                wrong.map(|wrong| with_advice(&wrong.place, &wrong.message, Problem::error)).collect()
            }
            error @ PluginError::UnknownKind { .. } => vec![Problem::error(below(path, "type"), error.to_string())],
            other => vec![Problem::error(path, other.to_string())],
        });
    }

    fn secret(&mut self, path: &str, source: &SecretSource) -> Option<SecretString> {
        match self.checker.secrets.get(source) {
            Ok(secret) => secret,
            Err(error) => {
                self.absent(path, error.to_string(), error.advice());
                None
            }
        }
    }

    fn statics(&mut self) -> Statics<'a> {
        let mut statics = Vec::with_capacity(self.config.backends.len());
        for (index, backend) in self.config.backends.iter().enumerate() {
            let parent = key_path(&index_path("backends", index), "headers");
            let headers = backend.headers.iter();
            statics.push(headers.map(|(name, source)| (name.as_str(), self.secret(&key_path(&parent, name), source))).collect());
        }
        statics
    }

    fn environments(&mut self) -> Vec<Vec<(String, SecretString)>> {
        let mut environments = Vec::with_capacity(self.config.backends.len());
        for (index, backend) in self.config.backends.iter().enumerate() {
            let parent = key_path(&index_path("backends", index), "env");
            let variables = backend.env.iter();
            let found = variables.filter_map(|(name, source)| Some((name.clone(), self.secret(&key_path(&parent, name), source)?)));
            let found: Vec<_> = found.collect();
            for (name, _) in found.iter().filter(|(_, value)| value.expose_secret().contains('\0')) {
                let problem = Problem::error(key_path(&parent, name), "a NUL character in the value, which no variable can hold");
                self.problems.push(problem.with_hint("remove it"));
            }
            environments.push(found);
        }
        environments
    }

    fn policy_spec<'b>(
        &self,
        authenticator: Option<&'b dyn Authenticator>,
        strategies: &'b [Option<Strategy>],
        statics: Statics<'b>,
    ) -> PolicySpec<'b>
    where
        'a: 'b,
    {
        let config = self.config;
        let backends = config.backends.iter().zip(strategies).zip(statics).map(|((backend, strategy), statics)| BackendSpec {
            passthrough: &backend.passthrough_headers,
            stood_for: strategy.as_ref().map_or(&[], |strategy| strategy.strategy.passthrough()),
            inherit: backend.inherit_passthrough_headers,
            allow_credential: backend.allow_credential_header_passthrough,
            allow_plaintext: backend.allow_plaintext,
            statics,
            managed: strategy.as_ref().map_or(&[], |strategy| strategy.strategy.managed_headers()),
            ..BackendSpec::at(
                &backend.name,
                match (backend.reached_by(), &backend.url) {
                    (Transport::Stdio, _) => Place::Process(started(backend)),
                    (_, Some(url)) => Place::Url(url),
                    (_, None) => Place::Unknown,
                },
            )
        });
        PolicySpec {
            global: &config.passthrough_headers,
            allow_credential: config.allow_credential_header_passthrough,
            consumed: authenticator.map_or(&[], Authenticator::consumed_headers),
            backends: backends.collect(),
        }
    }

    fn policy(
        &mut self,
        authenticator: Option<&dyn Authenticator>,
        strategies: &[Option<Strategy>],
        statics: Statics<'_>,
    ) -> Option<HeaderPolicy> {
        let config = self.config;
        let spec = self.policy_spec(authenticator, strategies, statics);
        match HeaderPolicy::compile(&spec) {
            Ok(policy) => {
                let warnings = policy.warnings().iter();
                self.problems
                    .extend(warnings.map(|warning| with_advice(&place_of(config, warning), &warning.to_string(), Problem::warning)));
                Some(policy)
            }
            Err(problems) => {
                let problems = at_strategies(config, problems);
                self.problems.extend(problems.iter().map(|problem| with_advice(&problem.path, &problem.message(), Problem::error)));
                None
            }
        }
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

/// Dependencies for building a plugin, and what writes down what it is built from.
fn recorded(kind: &str, settings: &Map<String, Value>, deps: &Deps) -> (Deps, Option<Recorder>) {
    let (mut deps, recorder) = (deps.clone(), Recorder::new());
    if let Some(recorder) = &recorder {
        recorder.add(kind.as_bytes());
        // Plain data, which can be written.
        recorder.add(SecretSlice::from(serde_json::to_vec(settings).unwrap_or_default()).expose_secret());
        deps.secrets = recorder.over(&deps.secrets);
    }
    (deps, recorder)
}

/// The path of a setting that stands at `place` below `path`.
fn below(path: &str, place: &str) -> String {
    if place.is_empty() { path.to_owned() } else { format!("{path}.{place}") }
}

fn started(backend: &Backend) -> StartedSpec<'_> {
    StartedSpec {
        is_shared: backend.process == Some(ProcessScope::Shared),
        env: backend.env.keys().map(String::as_str).collect(),
        env_passthrough: &backend.env_passthrough,
    }
}

/// Plugins are built by a check, never used.
struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let host = request.url.authority().to_owned();
        Box::pin(std::future::ready(Err(FetchError::Connect { host, reason: "a check does not connect".to_owned() })))
    }
}
