//! The gateway: a cheap handle on one running instance.

use super::{
    builder::{GatewayBuilder, Parts},
    direct::Direct,
    endpoints::{Endpoints, Found},
    snapshot::Snapshot,
};
use crate::{
    edge::{self, Bodies, GatewayService, Listener, Peer, Pipes, Workers},
    session::{ClientSession, EndpointId, SessionTable},
};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_auth::Identity;
use vmcp_core::config::Config;

/// A running gateway. Clones are handles on the same one.
///
/// It is a [`tower::Service`] through [`Gateway::service`], is called without HTTP through [`Gateway::direct`], and has an accept loop
/// of its own in [`Gateway::serve`]. It keeps no global state: several can live in one process.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(super) endpoints: ArcSwap<Endpoints>,
    /// Those of configurations that are over, for as long as requests work with them.
    pub(super) draining: Mutex<Vec<Weak<Endpoints>>>,
    pub(crate) sessions: Arc<SessionTable>,
    pub(super) parts: Parts,
    /// Requests that outlive their connection, connections, and the janitor.
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    in_flight: AtomicUsize,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) pipes: Pipes,
    /// Held by whoever replaces the configuration.
    pub(super) reloading: Mutex<()>,
    pub(crate) started: Instant,
}

/// How often idle sessions are looked for.
const JANITOR: Duration = Duration::from_secs(5);

impl Gateway {
    /// Starts putting a gateway together.
    #[must_use]
    pub fn builder(config: Config) -> GatewayBuilder {
        GatewayBuilder::new(config)
    }

    pub(super) fn start(inner: Inner) -> Self {
        let gateway = Self { inner: Arc::new(inner) };
        gateway.inner.endpoints().start();
        let janitor = Arc::clone(&gateway.inner);
        gateway.inner.tracker.spawn(async move { janitor.end_idle_sessions().await });
        gateway
    }

    /// A service for the requests of one connection. `peer` is who is at its other end: an address, `None` for in-process callers, or a
    /// [`Peer`] that says more.
    #[must_use]
    pub fn service(&self, peer: impl Into<Peer>) -> GatewayService {
        GatewayService::new(Arc::clone(&self.inner), peer.into())
    }

    /// Calls without HTTP, on behalf of `caller`. The gateway's guard, limits of bodies and authentication do not apply: the embedder
    /// has done all that. Headers to forward come with the identity ([`Gateway::identity`]).
    #[must_use]
    pub fn direct(&self, caller: Identity) -> Direct {
        Direct::new(Arc::clone(&self.inner), EndpointId::Main, caller)
    }

    /// As [`Gateway::direct`], at the endpoint with this path (`/mcp/github`, `/team-a`). `None` when there is none.
    #[must_use]
    pub fn direct_at(&self, path: &str, caller: Identity) -> Option<Direct> {
        let Found::Endpoint(endpoint) = self.inner.find(path) else { return None };
        Some(Direct::new(Arc::clone(&self.inner), endpoint.endpoint.clone(), caller))
    }

    /// An identity with the listed ones of these headers captured, as the HTTP edge makes it.
    ///
    /// # Errors
    /// When the headers cannot be forwarded; the error says why and holds no value.
    pub fn identity(&self, caller: &Identity, headers: &http::HeaderMap) -> Result<Identity, vmcp_core::header::CaptureError> {
        Ok(caller.with_forwarded(self.inner.snapshot().policy.capture(headers)?))
    }

    /// As [`Gateway::identity`], for the endpoint with this path: what is captured is what that endpoint lists. `None` when there is none.
    ///
    /// # Errors
    /// As [`Gateway::identity`].
    pub fn identity_at(
        &self,
        path: &str,
        caller: &Identity,
        headers: &http::HeaderMap,
    ) -> Option<Result<Identity, vmcp_core::header::CaptureError>> {
        let Found::Endpoint(endpoint) = self.inner.find(path) else { return None };
        Some(endpoint.policy.capture(headers).map(|forwarded| caller.with_forwarded(forwarded)))
    }

    /// Accepts connections until [`Gateway::shutdown`] is called, then lets requests in flight end. `listener` is a [`Listener`], or a
    /// [`tokio::net::TcpListener`] without TLS.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(&self, listener: impl Into<Listener>) -> std::io::Result<()> {
        edge::serve(Arc::clone(&self.inner), listener.into(), None).await
    }

    /// As [`Gateway::serve`], with the connections spread over threads of their own: more calls per second where a gateway has the
    /// machine for itself. The runtime of whoever calls only accepts, and does what belongs to no connection.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve_on(&self, listener: impl Into<Listener>, workers: &Workers) -> std::io::Result<()> {
        edge::serve(Arc::clone(&self.inner), listener.into(), Some(workers)).await
    }

    /// All that `/status` can say, as JSON. A caller is told there of what it may see alone.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        self.inner.status(None)
    }

    /// Ends the gateway within `limits.shutdownTimeout`: no new connections, requests in flight end, sessions at the backends are closed.
    /// Where requests do not end, the last fifth of the time is left for the sessions.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        let endpoints = inner.endpoints();
        let time = endpoints.main().config.limits.shutdown_timeout.0;
        let deadline = tokio::time::Instant::now() + time;
        inner.shutdown.cancel();
        let sessions = inner.sessions.all();
        for session in &sessions {
            session.close_streams();
        }
        endpoints.end_listening();
        inner.tracker.close();
        if tokio::time::timeout_at(deadline - time / 5, inner.tracker.wait()).await.is_err() {
            tracing::warn!("requests were still in flight near the end of limits.shutdownTimeout and are abandoned");
        }
        for session in sessions {
            inner.sessions.remove(&session.id);
            inner.end(&session);
        }
        if tokio::time::timeout_at(deadline, endpoints.stop()).await.is_err() {
            tracing::warn!("some sessions at backends could not be closed in time");
        }
    }
}

impl Inner {
    pub(super) fn new(parts: Parts, endpoints: Endpoints, sessions: Arc<SessionTable>) -> Self {
        Self {
            endpoints: ArcSwap::from_pointee(endpoints),
            draining: Mutex::default(),
            tracker: sessions.common().tracker.clone(),
            shutdown: sessions.common().shutdown.clone(),
            sessions,
            parts,
            in_flight: AtomicUsize::new(0),
            bodies: Arc::default(),
            pipes: Pipes::default(),
            reloading: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// The endpoint of all backends, as requests beginning now work with it.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(self.endpoints.load().main())
    }

    /// Where a path leads for a request beginning now.
    pub(crate) fn find(&self, path: &str) -> Found {
        self.endpoints.load().find(path)
    }

    /// Every endpoint that requests beginning now work with.
    pub(crate) fn endpoints(&self) -> Arc<Endpoints> {
        self.endpoints.load_full()
    }

    /// Counts a request in, unless there are too many.
    pub(crate) fn enter(self: &Arc<Self>, limit: usize) -> Option<InFlight> {
        if self.in_flight.fetch_add(1, Ordering::AcqRel) >= limit {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(InFlight(Arc::clone(self)))
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Closes what a session has at the backends, with the gateway's own credentials: the caller's values are not kept for it.
    pub(crate) fn end(&self, session: &ClientSession) {
        self.endpoints.load().end(session);
        self.end_at_old(session);
    }

    /// Closes what a session has at the backends because its caller asks for it, with the headers that this request brings where they
    /// are those that opened it.
    pub(crate) fn end_as(&self, session: &ClientSession, caller: &Identity) {
        if let Some(endpoint) = self.endpoints.load().of(&session.endpoint) {
            session.backends.end_as(&endpoint.backends, caller);
        }
        self.end_at_old(session);
    }

    async fn end_idle_sessions(self: Arc<Self>) {
        let mut tick = tokio::time::interval(JANITOR);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            for session in self.sessions.take_expired() {
                self.end(&session);
            }
        }
    }
}

/// A request that is counted as in flight until this is dropped.
pub(crate) struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
