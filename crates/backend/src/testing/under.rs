//! A backend under test.

use super::{Server, Step};
use crate::{
    Backend, BackendOptions, Call, CallerSessions, Error, Event, Exchange, HttpTransport, Observer, Shared, SharedOptions, ViewScope,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::ListKind,
    config::{ListScope, OnError, PassthroughEntry, PassthroughHeader, ProtocolEra},
    frame::{Edit, RawObject},
    header::{BackendSpec, HeaderPolicy, PolicySpec},
    plugin::{Authenticated, BoxFuture, Credentials, OutgoingStrategy, Principal, StrategyContext, StrategyError},
};

/// A client session that declares nothing, before its first backend session.
pub(crate) fn no_sessions() -> Arc<CallerSessions> {
    CallerSessions::new(CapabilitySet::NONE, None)
}

/// Takes down what backends say.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<(ViewScope, Option<ListKind>)>>, pub(crate) tokio::sync::Notify);

impl Observer for Heard {
    fn list_changed(&self, _: usize, scope: ViewScope, kind: Option<ListKind>) {
        self.0.lock().unwrap().push((scope, kind));
        self.1.notify_one();
    }
}

/// A backend in the making.
pub(crate) struct Setup {
    pub(crate) options: SharedOptions,
    pub(crate) heard: Arc<Heard>,
    pub(crate) passthrough: Vec<PassthroughEntry>,
    pub(crate) era: ProtocolEra,
    pub(crate) timeout: Duration,
    pub(crate) max_duration: Duration,
    pub(crate) max_concurrent: u32,
    pub(crate) list_scope: ListScope,
    pub(crate) http2: bool,
    pub(crate) ca_bundle: Option<Vec<u8>>,
    pub(crate) strategy: Arc<dyn OutgoingStrategy>,
    pub(crate) on_error: OnError,
    pub(crate) transport: HttpTransport,
}

/// A backend, and the policy that captures headers for it.
pub(crate) struct Under {
    pub(crate) backend: Arc<Backend>,
    pub(crate) shared: Arc<Shared>,
    policy: HeaderPolicy,
}

struct NoStrategy(Credentials);

impl OutgoingStrategy for NoStrategy {
    fn managed_headers(&self) -> &[HeaderName] {
        &[]
    }
    fn fixed(&self) -> Option<&Credentials> {
        Some(&self.0)
    }
    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async { Ok(Credentials::none()) })
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let heard = Arc::<Heard>::default();
        let options = SharedOptions {
            watchdog: None,
            max_response_bytes: 1 << 20,
            response_budget: 16 << 20,
            generation: 1,
            share_anonymous: true,
            client_version: "1".to_owned(),
            observer: Arc::clone(&heard) as Arc<dyn Observer>,
        };
        Self {
            options,
            heard,
            passthrough: Vec::new(),
            era: ProtocolEra::Auto,
            timeout: Duration::from_secs(10),
            max_duration: Duration::from_secs(20),
            max_concurrent: 64,
            list_scope: ListScope::Shared,
            http2: false,
            ca_bundle: None,
            strategy: Arc::new(NoStrategy(Credentials::none())),
            on_error: OnError::Deny,
            transport: HttpTransport::Detect,
        }
    }

    pub(crate) fn era(mut self, era: ProtocolEra) -> Self {
        self.era = era;
        self
    }

    /// Lets callers send `x-key` (a credential) and `x-request-id` (none).
    pub(crate) fn keyed(mut self) -> Self {
        self.passthrough = ["x-key", "x-request-id"].map(|name| PassthroughEntry::Name(name.to_owned())).into();
        self
    }

    /// Passes a header of the caller's on.
    pub(crate) fn pass(mut self, name: &str) -> Self {
        self.passthrough.push(PassthroughEntry::Name(name.to_owned()));
        self
    }

    pub(crate) fn require(mut self, name: &str) -> Self {
        let entry = PassthroughHeader { required: true, ..PassthroughHeader::named(name.to_owned()) };
        self.passthrough.push(PassthroughEntry::Full(entry));
        self
    }

    pub(crate) fn at(self, server: &Server) -> Under {
        self.at_url(&format!("http://{}/mcp", server.address))
    }

    pub(crate) fn at_url(self, url: &str) -> Under {
        let url = url.parse().unwrap();
        let statics = vec![("x-static", Some("fixed".into()))];
        let spec = BackendSpec { passthrough: &self.passthrough, statics, ..BackendSpec::new("b", &url) };
        let policy = HeaderPolicy::compile(&PolicySpec { backends: vec![spec], ..PolicySpec::default() }).unwrap();
        let shared = Shared::new(self.options);
        let options = BackendOptions {
            index: 3,
            name: "b".to_owned(),
            place: crate::Place::Url { url, transport: self.transport },
            policy: Arc::clone(policy.backend(0)),
            strategy: self.strategy,
            credentials: Arc::default(),
            on_error: self.on_error,
            timeout: self.timeout,
            max_duration: self.max_duration,
            connect_timeout: Duration::from_secs(5),
            max_concurrent: self.max_concurrent,
            protocol_era: self.era,
            ca_bundle: self.ca_bundle,
            http2: self.http2,
            list_scope: self.list_scope,
        };
        Under { backend: Backend::new(options, &shared).unwrap(), shared, policy }
    }
}

impl Under {
    /// A caller with these headers.
    pub(crate) fn caller(&self, subject: &str, headers: &[(&'static str, &str)]) -> Identity {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let identity = match subject {
            "" => Identity::anonymous(),
            _ => Identity::new(Authenticated::new(Principal { issuer: "test".into(), subject: subject.into() })),
        };
        identity.with_forwarded(self.policy.capture(&map).unwrap())
    }

    pub(crate) async fn open(&self, era: Era, caller: &Identity, sessions: Option<&Arc<CallerSessions>>) -> Result<Exchange, Error> {
        self.backend.call(Call { caller_era: era, sessions, ..plain_call(caller) }).await
    }

    /// Calls and reads the answer.
    pub(crate) async fn call(&self, era: Era, caller: &Identity, sessions: Option<&Arc<CallerSessions>>) -> Result<Event, Error> {
        self.open(era, caller, sessions).await?.answer().await
    }

    /// A call of an anonymous modern caller.
    pub(crate) async fn call_once(&self) -> Result<Event, Error> {
        self.call(Era::Modern, &self.caller("", &[]), None).await
    }

    /// A call of an anonymous modern caller that must succeed.
    pub(crate) async fn modern_call(&self) -> String {
        text(self.call_once().await)
    }

    /// A call of an anonymous legacy caller that must succeed.
    pub(crate) async fn legacy_call(&self, sessions: &Arc<CallerSessions>) -> String {
        text(self.call(Era::Legacy, &self.caller("", &[]), Some(sessions)).await)
    }
}

/// A call of the tool `t`.
pub(crate) fn plain_call(caller: &Identity) -> Call<'_> {
    static PARAMS: LazyLock<RawObject<'static>> =
        LazyLock::new(|| RawObject::parse(r#"{"name":"b_t","arguments":{ "n" : 1e400 }}"#).unwrap());
    Call {
        method: "tools/call",
        params: &PARAMS,
        set: &[Edit::Set("name", "\"t\"")],
        mirror: Some("t"),
        param_headers: &[],
        caller,
        caller_era: Era::Modern,
        capabilities: CapabilitySet::NONE,
        sessions: None,
        progress: false,
        log_level: None,
    }
}

/// The text of a result.
pub(crate) fn text(event: Result<Event, Error>) -> String {
    match event {
        Ok(Event::Result(result)) => String::from_utf8(result.to_vec()).unwrap(),
        other => panic!("no result: {other:?}"),
    }
}

/// The text of a failure.
pub(crate) fn failure(event: Result<Event, Error>) -> String {
    match event {
        Err(error) => error.to_string(),
        other => panic!("no failure: {other:?}"),
    }
}

/// A feed for [`Step::Feed`].
pub(crate) fn feed() -> (mpsc::UnboundedSender<String>, Step) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Step::Feed(receiver))
}

impl Under {
    /// Waits until nothing is being drained any more.
    pub(crate) async fn settle_drains(&self) {
        // Only the task that looks after idle connections stays.
        while self.shared.tracker().len() > 1 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until no small request is under way any more.
    pub(crate) async fn settle_errands(&self) {
        while !self.backend.errands().is_idle() {
            tokio::task::yield_now().await;
        }
    }
}
