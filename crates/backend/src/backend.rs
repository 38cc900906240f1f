//! One backend.

mod whose;

use crate::{
    BackendOptions, Error, ErrorKind, Phase, Place, Shared,
    budget::Budget,
    bulkhead::Bulkhead,
    comeback::Comebacks,
    era::Eras,
    errand::Errands,
    flight::Flight,
    health::HealthCell,
    http::{Client, ClientOptions, Connector, Target},
    key::KeyMaker,
    learned::UNKNOWN_EXTENSIONS,
    options::process_secret,
    outgoing::{Bases, Keeping},
    process::Programs,
    session::{OwnedSessions, SessionPool},
    watch::Unlistened,
    wire::Wire,
};
use arc_swap::ArcSwapOption;
use http::HeaderMap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_core::{Era, Seldom, config::ListScope, header::BackendPolicy, plugin::OutgoingStrategy};

/// One MCP server behind the gateway: its connections, its sessions, what is known of it.
pub struct Backend {
    id: u64,
    index: usize,
    name: Arc<str>,
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    policy: Arc<BackendPolicy>,
    strategy: Arc<dyn OutgoingStrategy>,
    keys: KeyMaker,
    list_scope: ListScope,
    timeout: Duration,
    max_duration: Duration,
    wire: Wire,
    target: Target,
    bases: Bases,
    calls: Client,
    /// Long-lived streams have connections apart.
    streams: Client,
    bulkhead: Bulkhead,
    next_id: AtomicU64,
    pub(crate) probing: Flight<Result<(), Error>>,
    eras: Eras,
    learned: Notify,
    /// The legacy revision that the last handshake agreed on; see there.
    pub(crate) legacy_revision: AtomicU8,
    /// The extensions that it declared in each era; see there.
    pub(crate) extensions: [AtomicU32; 2],
    owned: OwnedSessions,
    pool: SessionPool,
    open_sessions: Arc<AtomicU32>,
    pub(crate) instructions: ArcSwapOption<Arc<str>>,
    admitted: ArcSwapOption<HeaderMap>,
    keeping: Keeping,
    health: HealthCell,
    /// How often changing credentials are complained of.
    pub(crate) churn: Seldom,
    errands: Errands,
    pub(crate) watched: AtomicBool,
    pub(crate) unlistened: Unlistened,
    /// Counts the handshakes under way.
    opening: TaskTracker,
    /// Ends streams and refuses new requests.
    stopping: CancellationToken,
    /// Ends connections.
    closing: CancellationToken,
}

/// The place of backends that are processes: no address that anything could be sent to (RFC 6761 §6.4).
const NOWHERE: &str = "http://process.invalid/";

static NEXT_BACKEND: AtomicU64 = AtomicU64::new(1);

impl Backend {
    /// Sets a backend up. Nothing is sent.
    ///
    /// # Errors
    /// When its URL or its certificates cannot be used.
    pub fn new(options: BackendOptions, shared: &Arc<Shared>) -> Result<Arc<Self>, Error> {
        let BackendOptions { index, name, place, policy, strategy, on_error, timeout, max_duration, connect_timeout, .. } = options;
        let name: Arc<str> = name.into();
        let wrong = |why| Error::new(&name, Phase::Connect, ErrorKind::Settings(why));
        let closing = CancellationToken::new();
        let budget = shared.budget.share(shared.options.max_response_bytes);
        let (target, wire) = match place {
            Place::Url { url, transport } => (Target::new(&url).map_err(wrong)?, Wire::new(transport)),
            Place::Program(program) => {
                let nowhere = url::Url::parse(NOWHERE).map_err(|error| wrong(error.to_string()))?;
                (Target::new(&nowhere).map_err(wrong)?, Wire::started(Programs::new(&name, program, shared, &budget, &closing)))
            }
        };
        let secret = process_secret().map_err(wrong)?;
        let connector = if target.is_https() {
            Connector::tls(options.ca_bundle.as_deref(), options.http2, connect_timeout).map_err(wrong)?
        } else {
            Connector::plain(connect_timeout)
        };
        let comebacks = Comebacks::new(shared, index);
        let client = |keep: u32| {
            Client::new(ClientOptions {
                connector: connector.clone(),
                target: target.clone(),
                connect_timeout,
                keep: keep as usize,
                http2: options.http2,
                tracker: shared.tracker().clone(),
                closing: closing.clone(),
            })
        };
        Ok(Arc::new(Self {
            id: NEXT_BACKEND.fetch_add(1, Ordering::Relaxed),
            index,
            shared: Arc::clone(shared),
            budget,
            keys: KeyMaker::new(secret, shared.options.generation, &name),
            list_scope: options.list_scope,
            timeout,
            max_duration,
            bases: Bases::new(&target, &shared.user_agent, &policy, strategy.managed_headers()),
            strategy,
            policy,
            calls: client(options.max_concurrent),
            streams: client(1),
            target,
            wire,
            bulkhead: Bulkhead::new(options.max_concurrent, timeout),
            next_id: AtomicU64::new(1),
            probing: Flight::default(),
            eras: Eras::new(options.protocol_era),
            learned: Notify::new(),
            legacy_revision: AtomicU8::new(0),
            extensions: [const { AtomicU32::new(UNKNOWN_EXTENSIONS) }; 2],
            owned: OwnedSessions::default(),
            pool: SessionPool::default(),
            open_sessions: Arc::default(),
            instructions: ArcSwapOption::empty(),
            admitted: ArcSwapOption::empty(),
            keeping: Keeping::new(options.credentials, on_error),
            health: HealthCell::new(move || comebacks.tell()),
            churn: Seldom::new(1, Duration::from_secs(60)),
            errands: Errands::new(),
            watched: AtomicBool::new(false),
            unlistened: Unlistened::default(),
            opening: TaskTracker::new(),
            stopping: CancellationToken::new(),
            closing,
            name,
        }))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The place in its configuration; another one may have that place in the next one.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether vmcp starts it, so that the first answer takes as long as that.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.wire.programs().is_some()
    }

    /// The era in which a caller of `caller_era` would be served; `None` while nobody has asked the backend.
    #[must_use]
    pub fn known_era(&self, caller_era: Era) -> Option<Era> {
        self.eras.choose(caller_era)
    }

    /// Tells one backend from another over every configuration: with a new configuration all are new ones, whatever their names.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The configuration that it is of: [`SharedOptions::generation`](crate::SharedOptions::generation).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.options.generation
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its share of what all buffered answers may take.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(crate) fn policy(&self) -> &BackendPolicy {
        &self.policy
    }

    /// The same, to be held on to.
    pub(crate) fn policy_arc(&self) -> &Arc<BackendPolicy> {
        &self.policy
    }

    pub(crate) fn strategy(&self) -> &Arc<dyn OutgoingStrategy> {
        &self.strategy
    }

    /// What is kept of what the strategy gave.
    pub(crate) fn keeping(&self) -> &Keeping {
        &self.keeping
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn bases(&self) -> &Bases {
        &self.bases
    }

    pub(crate) fn client(&self, is_stream: bool) -> &Client {
        if is_stream { &self.streams } else { &self.calls }
    }

    pub(crate) fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// How long it may be silent.
    pub(crate) fn silence(&self) -> Duration {
        self.timeout
    }

    /// How long it may be silent, and how long a request may take in all.
    pub(crate) fn limits(&self) -> (Duration, Duration) {
        (self.timeout, self.max_duration)
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn eras(&self) -> &Eras {
        &self.eras
    }

    pub(crate) fn learned(&self) -> &Notify {
        &self.learned
    }

    pub(crate) fn owned(&self) -> &OwnedSessions {
        &self.owned
    }

    pub(crate) fn pool(&self) -> &SessionPool {
        &self.pool
    }

    pub(crate) fn open_sessions(&self) -> &Arc<AtomicU32> {
        &self.open_sessions
    }

    pub(crate) fn admitted(&self) -> &ArcSwapOption<HeaderMap> {
        &self.admitted
    }

    pub(crate) fn health(&self) -> &HealthCell {
        &self.health
    }

    pub(crate) fn errands(&self) -> &Errands {
        &self.errands
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(crate) fn opening(&self) -> &TaskTracker {
        &self.opening
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled() || self.shared.shutdown().is_cancelled()
    }

    pub(crate) fn error(&self, phase: Phase, kind: ErrorKind) -> Error {
        Error::new(&self.name, phase, kind)
    }

    /// An error that tells something about the backend's health.
    pub(crate) fn fail(&self, phase: Phase, kind: ErrorKind) -> Error {
        let error = self.error(phase, kind);
        self.health.failed(&error, &self.eras);
        error
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("name", &self.name).finish_non_exhaustive()
    }
}
