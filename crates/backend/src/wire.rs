//! How a backend is reached: by requests of HTTP, or over pipes.

use crate::{
    Backend, ErrorKind,
    outgoing::Audience,
    pipe::{Link, open_events},
    process::Programs,
    session::{Holder, Switch},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use vmcp_core::config::Transport;

/// Which of HTTP's two transports a backend speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpTransport {
    /// Streamable HTTP, and HTTP+SSE where the server turns out to know nothing else (2025-11-25, basic/transports, backwards
    /// compatibility).
    #[default]
    Detect,
    /// Streamable HTTP alone.
    Streamable,
    /// HTTP+SSE (2024-11-05, basic/transports).
    Sse,
}

/// The way to a backend, as far as it is settled.
pub(crate) struct Wire {
    transport: HttpTransport,
    /// It was found to know HTTP+SSE alone.
    sse: AtomicBool,
    programs: Option<Programs>,
}

impl Wire {
    pub(crate) fn new(transport: HttpTransport) -> Self {
        Self { transport, sse: AtomicBool::new(transport == HttpTransport::Sse), programs: None }
    }

    /// Processes: nothing goes over HTTP.
    pub(crate) fn started(programs: Programs) -> Self {
        Self { transport: HttpTransport::Streamable, sse: AtomicBool::new(false), programs: Some(programs) }
    }

    /// The processes of a backend that is started; `None` for one at a URL.
    pub(crate) fn programs(&self) -> Option<&Programs> {
        self.programs.as_ref()
    }

    /// The word for it, as the configuration has it.
    pub(crate) fn name(&self) -> Transport {
        match (&self.programs, self.is_sse()) {
            (Some(_), _) => Transport::Stdio,
            (None, true) => Transport::Sse,
            (None, false) => Transport::StreamableHttp,
        }
    }

    /// Whether sessions are talked to over HTTP+SSE.
    pub(crate) fn is_sse(&self) -> bool {
        self.sse.load(Ordering::Relaxed)
    }

    /// Whether HTTP+SSE may be tried where streamable HTTP was refused.
    pub(crate) fn may_be_sse(&self) -> bool {
        self.transport == HttpTransport::Detect && !self.is_sse()
    }

    pub(crate) fn found_sse(&self) {
        self.sse.store(true, Ordering::Relaxed);
    }

    /// A server that refuses HTTP+SSE may have become another one.
    pub(crate) fn doubt_sse(&self) {
        self.sse.store(self.transport == HttpTransport::Sse, Ordering::Relaxed);
    }
}

impl Backend {
    /// A new pipe, for a session that is about to be opened. `None` where requests go by themselves.
    pub(crate) async fn open_link(self: &Arc<Self>, audience: Audience<'_>, holder: &Arc<Holder>) -> Result<Option<Link>, ErrorKind> {
        if let Some(programs) = self.wire().programs() {
            return programs.open(self, audience, holder).await.map(Some);
        }
        if !self.wire().is_sse() {
            return Ok(None);
        }
        let opened = self.open_events(audience, holder).await;
        if matches!(opened, Err(ErrorKind::Status { .. } | ErrorKind::Malformed(_))) {
            self.wire().doubt_sse();
        }
        opened.map(Some)
    }

    /// A stream of events, and where to post to.
    pub(crate) async fn open_events(self: &Arc<Self>, audience: Audience<'_>, holder: &Arc<Holder>) -> Result<Link, ErrorKind> {
        let switch = Switch::new(Arc::clone(holder), self.scope_of(audience), true);
        open_events(self, audience, switch).await
    }

    /// The pipe that modern requests of this caller go over. `None` where they go by themselves.
    pub(crate) async fn modern_link(self: &Arc<Self>, audience: Audience<'_>) -> Result<Option<Link>, ErrorKind> {
        match self.wire().programs() {
            // A process may have to be started, which calls over HTTP need no room for.
            Some(programs) => Box::pin(programs.modern(self, audience)).await.map(Some),
            None => Ok(None),
        }
    }
}
