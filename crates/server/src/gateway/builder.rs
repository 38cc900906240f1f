//! Putting a gateway together.

use super::{
    endpoints::Endpoints,
    inner::{Gateway, Inner},
    kept::Kept,
    plan::{Plan, plan},
};
use crate::{
    Checker,
    session::{KeyError, SessionTable, Settings},
};
use std::{path::PathBuf, sync::Arc};
use vmcp_backend::{HttpFetch, Watchdog};
use vmcp_core::{
    config::{Config, Problem, Severity},
    plugin::{
        AuthenticatorFactory, AuthorizerFactory, BuildError as PluginError, Deps, InterceptorFactory, Overseer, Registries, StrategyFactory,
    },
};

/// Puts a gateway together: a configuration and the plugins that it may name.
pub struct GatewayBuilder {
    config: Config,
    plugins: Registries,
    failed: Vec<PluginError>,
    findings_told: bool,
    watchdog: Option<Arc<Watchdog>>,
}

pub(super) struct Parts {
    pub(super) plugins: Registries,
    pub(super) deps: Deps,
    pub(super) watchdog: Option<Arc<Watchdog>>,
}

impl Parts {
    /// Decides everything about a configuration, with secrets from the process's environment and from files.
    pub(super) fn plan(&self, config: &Config) -> Result<Plan, BuildError> {
        let checker = Checker { plugins: &self.plugins, secrets: &self.deps.secrets, secrets_may_be_missing: false };
        let plan = plan(config, &checker, &self.deps).map_err(BuildError::Config)?;
        Ok(Plan { watchdog: self.watchdog.clone(), ..plan })
    }
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot be used. Warnings and notes stand among the errors.
    #[error("{}", problems(.0))]
    Config(Vec<Problem>),
    /// A plugin could not be registered.
    #[error("plugin: {0}")]
    Plugin(PluginError),
    /// No session keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A certificate file cannot be read.
    #[error("backend `{backend}`: cannot read caBundlePath {}: {error}", path.display())]
    CaBundle {
        /// The backend.
        backend: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A backend cannot be set up.
    #[error(transparent)]
    Backend(vmcp_backend::Error),
}

fn problems(problems: &[Problem]) -> String {
    let errors: Vec<String> = problems.iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect();
    errors.join("\n")
}

impl GatewayBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, plugins: vmcp_auth::registries(), failed: Vec::new(), findings_told: false, watchdog: None }
    }

    /// Adds a kind of outgoing strategy.
    #[must_use]
    pub fn outgoing_strategy<F: StrategyFactory>(mut self, factory: F) -> Self {
        self.failed.extend(self.plugins.strategies.register(factory).err());
        self
    }

    /// Adds a kind of incoming authenticator.
    #[must_use]
    pub fn authenticator<F: AuthenticatorFactory>(mut self, factory: F) -> Self {
        self.failed.extend(self.plugins.authenticators.register(factory).err());
        self
    }

    /// Adds a kind of authorizer.
    #[must_use]
    pub fn authorizer<F: AuthorizerFactory>(mut self, factory: F) -> Self {
        self.failed.extend(self.plugins.authorizers.register(factory).err());
        self
    }

    /// Adds a kind of interceptor.
    #[must_use]
    pub fn interceptor<F: InterceptorFactory>(mut self, factory: F) -> Self {
        self.failed.extend(self.plugins.interceptors.register(factory).err());
        self
    }

    /// The JSON Schema of a configuration in which the kinds that are registered so far are known, for editors.
    #[must_use]
    pub fn schema(&self) -> serde_json::Value {
        vmcp_core::config::json_schema(&self.plugins)
    }

    /// Does not log warnings about the configuration: whoever builds has told them ([`crate::Checker`]).
    #[must_use]
    pub fn findings_are_told(mut self) -> Self {
        self.findings_told = true;
        self
    }

    /// A helper that ends the servers and credential programs which the gateway started, should this process be killed and end nothing any more.
    #[must_use]
    pub fn watchdog(mut self, watchdog: Watchdog) -> Self {
        self.watchdog = Some(Arc::new(watchdog));
        self
    }

    /// Builds and starts the gateway. Has to be called inside a tokio runtime. No backend is waited for.
    ///
    /// # Errors
    /// All that is wrong with the configuration, at once.
    pub fn build(mut self) -> Result<Gateway, BuildError> {
        if let Some(error) = self.failed.pop() {
            return Err(BuildError::Plugin(error));
        }
        let mut deps = Deps::new(Arc::new(HttpFetch::new(None)), vmcp_auth::process_secrets());
        deps.overseer = self.watchdog.clone().map(|watchdog| watchdog as Arc<dyn Overseer>);
        let parts = Parts { plugins: self.plugins, deps, watchdog: self.watchdog };
        let plan = parts.plan(&self.config)?;
        if !self.findings_told {
            for finding in &plan.findings {
                tracing::warn!("{finding}");
            }
        }
        let sessions = &self.config.sessions;
        let settings = Settings {
            max: sessions.max as usize,
            max_per_peer: sessions.max_per_peer as usize,
            idle_timeout: sessions.idle_timeout.0,
            unused_timeout: sessions.unused_timeout.0,
            max_age: sessions.max_age.0,
        };
        let sessions = Arc::new(SessionTable::new(settings, &plan.session_keys)?);
        let endpoints = Endpoints::new(self.config, plan, Arc::clone(&sessions), 0, Kept::default())?;
        Ok(Gateway::start(Inner::new(parts, endpoints, sessions)))
    }
}
