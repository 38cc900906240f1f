//! The endpoints of one configuration, and which of them a path leads to.

use super::{
    kept::Kept,
    plan::Plan,
    snapshot::{Common, Snapshot},
};
use crate::{
    gateway::BuildError,
    lane::{Parking, ParkingBounds},
    session::{ClientSession, EndpointId, SessionTable},
};
use std::{collections::HashMap, sync::Arc, task::Poll};
use vmcp_core::config::{ADMIN_PATHS, Config, is_name};

/// Every endpoint of one configuration.
pub(crate) struct Endpoints {
    /// The one of all backends.
    main: Arc<Snapshot>,
    /// Those under `endpoints`, in order.
    named: Vec<Arc<Snapshot>>,
    /// Every one but the main one by its path, without a slash at its end.
    others: HashMap<Box<str>, Arc<Snapshot>>,
}

/// Where a path leads.
pub(crate) enum Found {
    /// To an endpoint.
    Endpoint(Arc<Snapshot>),
    /// To where a backend's endpoint would be, but there is no such backend: who may not call must not learn that. Comes with the endpoint
    /// of all backends, for its authentication.
    NoBackend(Arc<Snapshot>),
    /// To where clients of revision 2024-11-05 open event streams of the endpoint of all backends.
    Events(Arc<Snapshot>),
    /// Elsewhere.
    Elsewhere(Arc<Snapshot>),
}

impl Endpoints {
    /// `kept` are the credentials of the configuration before this one.
    pub(super) fn new(config: Config, plan: Plan, sessions: Arc<SessionTable>, generation: u64, kept: Kept) -> Result<Self, BuildError> {
        let authenticator = plan.authenticator;
        let parking = Parking::new(ParkingBounds {
            max: config.limits.max_parked_calls as usize,
            share: (!authenticator.is_anonymous()).then_some(config.limits.max_requests_per_session as usize),
            timeout: config.limits.parked_call_timeout.0,
        });
        let common = Common {
            authenticator,
            callers: plan.callers,
            authorizer: plan.authorizer,
            interceptors: plan.interceptors.into(),
            sessions,
            shares: Arc::default(),
            parking,
            generation,
            watchdog: plan.watchdog,
            kept: Arc::new(kept),
        };
        let main = Arc::new(Snapshot::new(config, plan.main, EndpointId::Main, common.clone(), None)?);
        let mut others = HashMap::new();
        for backend in &main.backends {
            let path = format!("{}/{}", plain(&main.config.path), backend.name());
            // Under `path: /` a backend can be called as a page of the gateway's own, which goes first.
            if !ADMIN_PATHS.contains(&path.as_str()) {
                others.insert(path.into(), Arc::new(main.alone(backend)));
            }
        }
        let mut named = Vec::with_capacity(plan.endpoints.len());
        for (config, plan) in plan.endpoints {
            let path: Arc<str> = config.path.as_str().into();
            let endpoint = Arc::new(Snapshot::new(config, plan, EndpointId::Named(Arc::clone(&path)), common.clone(), Some(&main))?);
            others.insert(plain(&path).into(), Arc::clone(&endpoint));
            named.push(endpoint);
        }
        Ok(Self { main, named, others })
    }

    /// The endpoint of all backends.
    pub(crate) fn main(&self) -> &Arc<Snapshot> {
        &self.main
    }

    /// Where a path leads. `/mcp` and `/mcp/` are the same, without a redirect.
    pub(crate) fn find(&self, path: &str) -> Found {
        let (path, main) = (plain(path), plain(&self.main.config.path));
        if path == main {
            let main = Arc::clone(&self.main);
            return if main.backends.is_empty() { Found::Elsewhere(main) } else { Found::Endpoint(main) };
        }
        if let Some(endpoint) = self.others.get(path) {
            return Found::Endpoint(Arc::clone(endpoint));
        }
        if self.main.config.sse_path.as_deref() == Some(path) && !self.main.backends.is_empty() {
            return Found::Events(Arc::clone(&self.main));
        }
        let names_backend = path.strip_prefix(main).and_then(|rest| rest.strip_prefix('/')).is_some_and(is_name);
        if names_backend && !ADMIN_PATHS.contains(&path) && !self.main.authenticator.page_paths().contains(&path) {
            return Found::NoBackend(Arc::clone(&self.main));
        }
        Found::Elsewhere(Arc::clone(&self.main))
    }

    /// Those under `endpoints`, in order.
    pub(crate) fn named(&self) -> &[Arc<Snapshot>] {
        &self.named
    }

    /// The main endpoint and the named ones: all that have lists of their own.
    fn with_lists(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        std::iter::once(&self.main).chain(&self.named)
    }

    /// The credentials that are kept for the backends.
    pub(super) fn credentials(&self) -> Kept {
        self.with_lists().flat_map(|endpoint| endpoint.credentials.iter().cloned()).collect()
    }

    /// The endpoint with this identity, if there is one in this configuration.
    pub(crate) fn of(&self, endpoint: &EndpointId) -> Option<&Arc<Snapshot>> {
        if *endpoint == EndpointId::Main {
            return Some(&self.main);
        }
        self.others.values().find(|other| other.endpoint == *endpoint)
    }

    /// Whether those who have event streams under `old` keep them.
    pub(super) fn keep_pipes_of(&self, old: &Self) -> bool {
        old.main.callers.stay(self.main.callers) && old.main.config.sse_path == self.main.config.sse_path
    }

    /// Closes what a session has at the backends of its endpoint, with the gateway's own credentials.
    pub(super) fn end(&self, session: &ClientSession) {
        if let Some(endpoint) = self.of(&session.endpoint) {
            session.backends.end(&endpoint.backends);
        }
    }

    /// Starts what goes on in the background.
    pub(super) fn start(&self) {
        self.with_lists().for_each(|endpoint| endpoint.start());
    }

    /// Ends every subscription in order.
    pub(super) fn end_listening(&self) {
        self.with_lists().for_each(|endpoint| endpoint.views.end_listening());
    }

    /// Whether no request works with any of these any more.
    pub(super) fn are_idle(&self) -> bool {
        // A named one stands in both collections.
        let held = |endpoint: &Arc<Snapshot>| if matches!(endpoint.endpoint, EndpointId::Named(_)) { 2 } else { 1 };
        std::iter::once(&self.main).chain(self.others.values()).all(|endpoint| Arc::strong_count(endpoint) == held(endpoint))
    }

    /// Ends what goes on in the background and the sessions at the backends, of all endpoints at the same time.
    pub(super) async fn stop(&self) {
        let mut stopping: Vec<_> = self.with_lists().map(|endpoint| Box::pin(endpoint.stop())).collect();
        std::future::poll_fn(|cx| {
            stopping.retain_mut(|stop| stop.as_mut().poll(cx).is_pending());
            if stopping.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A path without a slash at its end.
fn plain(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gateway;
    use serde_json::json;

    /// What each path leads to: an endpoint's identity, or `NoBackend`, `Events` or `Elsewhere`.
    async fn found(config: Config, paths: &[&str]) -> Vec<String> {
        let gateway = Gateway::builder(config).build().unwrap();
        let endpoints = gateway.inner.endpoints();
        let name = |path: &&str| match endpoints.find(path) {
            Found::Endpoint(endpoint) => match &endpoint.endpoint {
                EndpointId::Main => "main".to_owned(),
                EndpointId::Backend(name) => name.to_string(),
                EndpointId::Named(path) => path.to_string(),
            },
            Found::NoBackend(_) => "NoBackend".to_owned(),
            Found::Events(_) => "Events".to_owned(),
            Found::Elsewhere(_) => "Elsewhere".to_owned(),
        };
        let found = paths.iter().map(name).collect();
        gateway.shutdown().await;
        found
    }

    fn config(path: &str, backends: &[&str], endpoints: &[&str]) -> Config {
        let backend = |name: &&str| json!({ "name": name, "url": "http://127.0.0.1:1/mcp" });
        let endpoint = |path: &&str| json!({ "path": path, "backends": [backend(&"own")] });
        serde_json::from_value(json!({
            "path": path,
            "backends": backends.iter().map(backend).collect::<Vec<_>>(),
            "endpoints": endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn every_endpoint_has_two_spellings_and_no_more() {
        let config = || config("/mcp", &["git", "mail"], &["/team", "/mcp/team", "/"]);
        let paths = ["/mcp", "/mcp/", "/mcp/git", "/mcp/git/", "/mcp/mail", "/team", "/team/", "/mcp/team", "/", ""];
        let expected = ["main", "main", "git", "git", "mail", "/team", "/team", "/mcp/team", "/", "/"];
        assert_eq!(found(config(), &paths).await, expected);
        let elsewhere =
            ["/mcp//", "/mcpx", "/MCP", "/mcp//git", "/mcp/git//", "/mcp/git/x", "/mcp/Git", "/git", "/mcp/.well-known", "/team/own"];
        for path in elsewhere {
            assert_eq!(found(config(), &[path]).await, ["Elsewhere"], "{path}");
        }
        assert_eq!(found(config(), &["/mcp/x", "/mcp/x/", "/mcp/health"]).await, ["NoBackend"; 3]);
    }

    #[tokio::test]
    async fn at_the_root_the_gateways_own_pages_go_before_backends_of_their_names() {
        let paths = ["/", "/git", "/git/", "/health", "/status/", "/x", "/.well-known/x", "/favicon.ico"];
        let expected = ["main", "git", "git", "Elsewhere", "Elsewhere", "NoBackend", "Elsewhere", "Elsewhere"];
        assert_eq!(found(config("/", &["git", "health"], &[]), &paths).await, expected);
    }

    #[tokio::test]
    async fn event_streams_are_where_the_configuration_says_also_below_the_endpoint() {
        for path in ["/sse", "/mcp/sse"] {
            let config = Config { sse_path: Some(path.to_owned()), ..config("/mcp", &["git"], &[]) };
            let paths = [path, &format!("{path}/"), &format!("{path}/x"), "/mcp", "/mcp/git"];
            assert_eq!(found(config, &paths).await, ["Events", "Events", "Elsewhere", "main", "git"], "{path}");
        }
        assert_eq!(found(config("/mcp", &["git"], &[]), &["/sse"]).await, ["Elsewhere"]);
    }

    #[tokio::test]
    async fn without_backends_of_the_top_level_there_is_nothing_at_its_path() {
        assert_eq!(found(config("/mcp", &[], &["/team"]), &["/mcp", "/mcp/", "/team"]).await, ["Elsewhere", "Elsewhere", "/team"]);
    }
}
