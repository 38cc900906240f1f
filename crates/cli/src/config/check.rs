//! Everything that can be checked about a configuration without connecting to anything.

use super::environment::Environment;
use std::{fs, io, path::Path, sync::Arc};
use vmcp_auth::HeaderInjectionFactory;
use vmcp_core::{
    catalogue::Rules,
    config::{Config, PassthroughEntry, Problem, StrategyConfig, index_path, key_path, session_key},
    header::{BackendSpec, HeaderPolicy, PolicySpec, PolicyWarning},
    plugin::{
        Authenticator, BoxFuture, BuildError, Deps, Fetch, FetchError, FetchRequest, FetchResponse, OutgoingStrategy, Registry,
        StrategyError,
    },
};

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
    let mut check = Check { config, environment, secrets, problems: config.check() };
    check.session_keys();
    check.bundles();
    check.headers();
    check.catalogue();
    check.problems
}

struct Check<'a> {
    config: &'a Config,
    environment: &'a Environment,
    secrets: Secrets,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// A missing source, as bad as the occasion makes it.
    fn absent(&mut self, path: String, message: String) {
        self.problems.push(match self.secrets {
            Secrets::Optional => Problem::note(path, message).with_hint("`vmcp serve` will need it"),
            Secrets::Required => Problem::error(path, message),
        });
    }

    fn session_keys(&mut self) {
        let env = self.environment.lookup();
        for (index, source) in self.config.sessions.keys.iter().enumerate() {
            let path = index_path("sessions.keys", index);
            match source.resolve(&env, &read).map(|key| session_key(&key)) {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.problems.push(Problem::error(path, error.to_string())),
                Err(error) => self.absent(path, error.to_string()),
            }
        }
    }

    fn bundles(&mut self) {
        for (index, backend) in self.config.backends.iter().enumerate() {
            if let Some(Err(error)) = backend.ca_bundle_path.as_deref().map(fs::File::open) {
                self.absent(key_path(&index_path("backends", index), "caBundlePath"), format!("cannot be read: {}", error.kind()));
            }
        }
    }

    /// The plugins and the header policy, which needs to know what the plugins read and write.
    fn headers(&mut self) {
        let config = self.config;
        let deps = Deps::new(Arc::new(NoNetwork));
        let incoming = &config.incoming_auth;
        let authenticator = vmcp_auth::authenticators().build(&incoming.kind, &incoming.settings, &deps);
        let authenticator: Option<Arc<dyn Authenticator>> = self.built(authenticator, "incomingAuth");

        let outgoing = &config.outgoing_auth;
        let default = outgoing.default.as_ref().and_then(|strategy| self.strategy(strategy, "outgoingAuth.default", &deps));
        let mut managed: Vec<Option<Arc<dyn OutgoingStrategy>>> = vec![default; config.backends.len()];
        for (name, strategy) in &outgoing.backends {
            let built = self.strategy(strategy, &key_path("outgoingAuth.backends", name), &deps);
            if let Some(index) = config.backends.iter().position(|backend| backend.name == *name) {
                managed[index] = built;
            }
        }

        let env = self.environment.lookup();
        let mut statics: Vec<Vec<_>> = Vec::with_capacity(config.backends.len());
        for (index, backend) in config.backends.iter().enumerate() {
            let path = key_path(&index_path("backends", index), "headers");
            let values = backend.headers.iter().map(|(name, source)| match source.resolve(&env, &read) {
                Ok(value) => (name.as_str(), Some(value)),
                Err(error) => {
                    self.absent(key_path(&path, name), error.to_string());
                    (name.as_str(), None)
                }
            });
            statics.push(values.collect());
        }
        let backends = config.backends.iter().zip(statics).zip(&managed).map(|((backend, statics), strategy)| BackendSpec {
            passthrough: &backend.passthrough_headers,
            inherit: backend.inherit_passthrough_headers,
            allow_credential: backend.allow_credential_header_passthrough,
            allow_plaintext: backend.allow_plaintext,
            statics,
            managed: strategy.as_deref().map_or(&[], OutgoingStrategy::managed_headers),
            ..BackendSpec::new(&backend.name, &backend.url)
        });
        let spec = PolicySpec {
            global: &config.passthrough_headers,
            allow_credential: config.allow_credential_header_passthrough,
            consumed: authenticator.as_deref().map_or(&[], Authenticator::consumed_headers),
            backends: backends.collect(),
        };
        match HeaderPolicy::compile(&spec) {
            Ok(policy) => {
                let warnings = policy.warnings().iter().map(|warning| Problem::warning(self.place_of(warning), warning.to_string()));
                let warnings: Vec<Problem> = warnings.collect();
                self.problems.extend(warnings);
            }
            Err(problems) => self.problems.extend(problems.iter().map(|problem| Problem::error(&problem.path, problem.message()))),
        }
    }

    /// One strategy. Where secrets are optional, one that lacks its secret is built without.
    fn strategy(&mut self, strategy: &StrategyConfig, path: &str, deps: &Deps) -> Option<Arc<dyn OutgoingStrategy>> {
        let build = |secrets| strategies(self.environment, secrets).build(&strategy.kind, &strategy.settings, deps);
        let mut built = build(Secrets::Required);
        if let (Err(BuildError::Refused(StrategyError::Config(message))), Secrets::Optional) = (&built, self.secrets)
            && let Ok(without) = build(Secrets::Optional)
        {
            self.absent(path.to_owned(), message.clone());
            built = Ok(without);
        }
        self.built(built, path)
    }

    /// The entry that a warning is about.
    fn place_of(&self, warning: &PolicyWarning) -> String {
        let index_of = |name: &String| self.config.backends.iter().position(|backend| backend.name == *name);
        let (header, backends) = match warning {
            PolicyWarning::CredentialPassthrough { header, backends } | PolicyWarning::Unkeyed { header, backends } => (header, backends),
            PolicyWarning::Plaintext { backend, .. } => {
                return index_of(backend).map_or_else(String::new, |index| key_path(&index_path("backends", index), "allowPlaintext"));
            }
            _ => return String::new(),
        };
        let entry = |list: &[PassthroughEntry]| list.iter().position(|entry| entry.to_full().name.eq_ignore_ascii_case(header));
        let own = backends.iter().filter_map(index_of).find_map(|index| {
            let entry = entry(&self.config.backends[index].passthrough_headers)?;
            Some(index_path(&key_path(&index_path("backends", index), "passthroughHeaders"), entry))
        });
        own.or_else(|| Some(index_path("passthroughHeaders", entry(&self.config.passthrough_headers)?))).unwrap_or_default()
    }

    /// What was built, or why it could not be.
    fn built<T: ?Sized>(&mut self, built: Result<Arc<T>, BuildError>, path: &str) -> Option<Arc<T>> {
        built
            .map_err(|error| {
                self.problems.push(match error {
                    BuildError::Settings { path: inner, .. } => {
                        // What serde says may quote the value.
                        Problem::error(format!("{path}.{inner}"), "does not fit; see `vmcp schema`")
                    }
                    BuildError::Refused(StrategyError::Config(message)) => Problem::error(path, message),
                    other => Problem::error(path, other.to_string()),
                });
            })
            .ok()
    }

    fn catalogue(&mut self) {
        let names: Vec<&str> = self.config.backends.iter().map(|backend| backend.name.as_str()).collect();
        match Rules::compile(&self.config.aggregation, &names) {
            Ok(rules) => {
                let warnings = rules.warnings().iter().map(|warning| Problem::warning(&warning.path, warning.reason.to_string()));
                self.problems.extend(warnings);
            }
            Err(problems) => self.problems.extend(problems.iter().map(|problem| Problem::error(&problem.path, problem.reason.to_string()))),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Plugins are built here, never used.
struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let host = request.url.authority().to_owned();
        Box::pin(std::future::ready(Err(FetchError::Connect { host, reason: "a check does not connect".to_owned() })))
    }
}
