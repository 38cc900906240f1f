//! One endpoint of a configuration, built: what a request works with from its beginning to its end.

use super::{
    backend_options::{self, max_duration, or},
    callers::Callers,
    kept::{Fingerprint, Kept},
    plan::EndpointPlan,
};
use crate::{
    admission::Admission,
    edge::Guard,
    gateway::BuildError,
    lane::{Parking, Seals, ServerFacts, Shares},
    session::{EndpointId, SessionTable},
    views::{ListObserver, Viewer, ViewerKey, Views, ViewsSettings},
};
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_auth::CredentialCache;
use vmcp_backend::{Backend, Shared, SharedOptions, Watchdog};
use vmcp_core::{
    config::Config,
    header::HeaderPolicy,
    plugin::{Authenticator, Authorizer, Interceptor},
};

/// How long a list waits for a backend, and how old one may be.
const LIST_WAIT: Duration = Duration::from_secs(2);
/// How long one waits for a process that starts; launchers may have to fetch its program first.
const START_WAIT: Duration = Duration::from_secs(30);
const LIST_TTL: Duration = Duration::from_secs(30);

/// The bounds that every request meets.
pub(crate) struct Bounds {
    pub(crate) max_request_bytes: usize,
    pub(crate) request_budget: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) max_per_session: usize,
}

/// One endpoint: a configuration, built, and how much of it is seen here.
pub(crate) struct Snapshot {
    built: Arc<Built>,
    pub(crate) endpoint: EndpointId,
    /// The place of the one backend that is seen, where it is only one.
    pub(crate) lens: Option<usize>,
    pub(crate) facts: ServerFacts,
}

/// One configuration, built. The endpoints of its single backends share it.
pub(crate) struct Built {
    pub(crate) config: Config,
    pub(crate) generation: u64,
    pub(crate) backends: Vec<Arc<Backend>>,
    /// The strategy's word for each backend, for `/status`.
    pub(super) auth_types: Vec<String>,
    /// What is kept of what the strategies gave, by what decides that.
    pub(super) credentials: Vec<(Fingerprint, Arc<CredentialCache>)>,
    pub(super) shared: Arc<Shared>,
    pub(crate) views: Arc<Views>,
    pub(crate) policy: HeaderPolicy,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    /// Whom that lets in.
    pub(crate) callers: Callers,
    /// What callers may see and do; everything when there is none.
    pub(crate) admission: Option<Arc<Admission>>,
    /// In the order in which they see calls.
    pub(crate) interceptors: Arc<[Arc<dyn Interceptor>]>,
    pub(crate) guard: Guard,
    pub(crate) limits: Bounds,
    pub(crate) shares: Arc<Shares>,
    pub(crate) seals: Seals,
    pub(crate) parking: Arc<Parking>,
}

impl Deref for Snapshot {
    type Target = Built;

    fn deref(&self) -> &Built {
        &self.built
    }
}

/// What the endpoints of a gateway have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) callers: Callers,
    pub(super) authorizer: Option<Arc<dyn Authorizer>>,
    pub(super) interceptors: Arc<[Arc<dyn Interceptor>]>,
    pub(super) sessions: Arc<SessionTable>,
    pub(super) shares: Arc<Shares>,
    pub(super) parking: Arc<Parking>,
    pub(super) generation: u64,
    /// Ends servers if the gateway is killed.
    pub(super) watchdog: Option<Arc<Watchdog>>,
    /// What is kept of what the strategies of the last configuration gave.
    pub(super) kept: Arc<Kept>,
}

impl Snapshot {
    /// Builds an endpoint of all backends of `config`. `main` is the endpoint beside which this one is, if there is one.
    pub(super) fn new(
        config: Config,
        plan: EndpointPlan,
        endpoint: EndpointId,
        common: Common,
        main: Option<&Self>,
    ) -> Result<Self, BuildError> {
        let facts = ServerFacts::new(&config.name, env!("CARGO_PKG_VERSION"), config.instructions.clone());
        let built = Built::new(config, plan, &endpoint, common, main.map(|main| &*main.shared))?;
        Ok(Self { built: Arc::new(built), endpoint, lens: None, facts })
    }

    /// The endpoint of one of its backends alone. The operator's instructions are about the whole, so they stay there.
    pub(super) fn alone(&self, backend: &Backend) -> Self {
        let name = format!("{}/{}", self.config.name, backend.name());
        Self {
            built: Arc::clone(&self.built),
            endpoint: EndpointId::Backend(Arc::clone(backend.name())),
            lens: Some(backend.index()),
            facts: ServerFacts::new(&name, env!("CARGO_PKG_VERSION"), None),
        }
    }

    /// The key of what this viewer may see of the catalogue here.
    pub(crate) fn view(&self, viewer: &Viewer<'_>) -> ViewerKey {
        let key = self.key(viewer);
        match &self.admission {
            Some(admission) => key.granted(admission.grant(viewer.caller), self.lens.map(|_| viewer.key(&self.backends, None))),
            None => key,
        }
    }

    /// The key of this viewer's whole catalogue here, for routing.
    pub(crate) fn key(&self, viewer: &Viewer<'_>) -> ViewerKey {
        viewer.key(&self.backends, self.lens)
    }

    /// The backends that are seen here.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.backends.iter().filter(|backend| self.lens.is_none_or(|only| only == backend.index()))
    }
}

impl Built {
    fn new(config: Config, plan: EndpointPlan, endpoint: &EndpointId, common: Common, main: Option<&Shared>) -> Result<Self, BuildError> {
        let Common { authenticator, callers, authorizer, interceptors, sessions, shares, parking, generation, watchdog, kept } = common;
        let seals = Seals::new(sessions.secrets());
        let is_local = config.is_local();
        let observer = Arc::new(ListObserver::default());
        let common = SharedOptions {
            max_response_bytes: config.limits.max_response_bytes.0,
            response_budget: config.limits.response_budget.0,
            generation,
            share_anonymous: config.sessions.share_anonymous || is_local,
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            watchdog,
            observer: Arc::clone(&observer) as Arc<dyn vmcp_backend::Observer>,
        };
        let shared = match main {
            Some(main) => Shared::beside(main, common),
            None => Shared::new(common),
        };
        let mut backends = Vec::with_capacity(config.backends.len());
        let mut credentials = Vec::new();
        for (index, ((backend, strategy), env)) in config.backends.iter().zip(&plan.strategies).zip(plan.environments).enumerate() {
            let fingerprint = strategy.fingerprint.map(|fingerprint| fingerprint.of_part(&[&endpoint.seal(), &backend.name]));
            let cache = kept.of(fingerprint);
            credentials.extend(fingerprint.map(|fingerprint| (fingerprint, Arc::clone(&cache))));
            let options = backend_options::of(index, backend, &config, &plan.policy, strategy, cache, env)?;
            backends.push(Backend::new(options, &shared).map_err(BuildError::Backend)?);
        }
        let admission = authorizer.map(|authorizer| {
            let names = backends.iter().map(|backend| Arc::clone(backend.name()));
            Admission::new(authorizer, &config.name, names.collect())
        });
        let settings = ViewsSettings {
            wait: or(config.aggregation.list_wait, LIST_WAIT),
            start_wait: or(config.aggregation.list_wait, START_WAIT),
            ttl: or(config.aggregation.list_ttl, LIST_TTL),
            state_dir: config.state_dir.clone(),
            endpoint: endpoint.clone(),
            admission: admission.clone(),
        };
        let views = Views::new(backends.clone(), plan.rules, settings, sessions, shared.tracker().clone(), shared.shutdown().clone());
        observer.attach(&views);
        Ok(Self {
            guard: Guard::of(&config),
            limits: Bounds {
                max_request_bytes: config.limits.max_request_bytes.0,
                request_budget: config.limits.request_budget.0,
                read_timeout: config.limits.read_timeout.0,
                max_in_flight: config.limits.max_requests_in_flight as usize,
                max_per_session: config.limits.max_requests_per_session as usize,
            },
            shares,
            seals,
            parking,
            auth_types: plan.strategies.iter().map(|strategy| strategy.kind.clone()).collect(),
            credentials,
            config,
            generation,
            backends,
            shared,
            views,
            policy: plan.policy,
            authenticator,
            callers,
            admission,
            interceptors,
        })
    }

    /// How long a call of one backend may take in all.
    pub(crate) fn max_duration(&self, backend: usize) -> Duration {
        max_duration(self.config.backends.get(backend))
    }

    /// Where calls go on that no request waits for, and what ends them.
    pub(crate) fn background(&self) -> (&TaskTracker, &CancellationToken) {
        (self.shared.tracker(), self.shared.shutdown())
    }

    /// Starts what goes on in the background.
    pub(super) fn start(&self) {
        self.shared.tracker().spawn(Arc::clone(&self.views).run());
    }

    /// Ends what goes on in the background and the sessions at the backends.
    pub(super) async fn stop(&self) {
        self.shared.shutdown().cancel();
        // At the same time, so that a dead one takes nothing of the others' time.
        for backend in &self.backends {
            let backend = Arc::clone(backend);
            self.shared.tracker().spawn(async move { backend.close().await });
        }
        self.shared.tracker().close();
        self.shared.tracker().wait().await;
    }
}
