//! What `/status` shows of a backend.

use crate::{Backend, Health, Speaks, process::Programs};
use serde::Serialize;
use std::sync::atomic::Ordering;
use vmcp_core::{Era, Revision};

/// The state of one backend. Holds no value of a header, and no part of the URL.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// How it is doing.
    pub health: Health,
    /// How it is reached, as the configuration has it: `streamable-http`, `sse` or `stdio`.
    pub transport: &'static str,
    /// The protocol revisions that it has spoken, newest first.
    pub revisions: Vec<&'static str>,
    /// Whether it speaks revisions with sessions.
    pub legacy: Speaks,
    /// Whether it speaks revisions without.
    pub modern: Speaks,
    /// What went wrong last, while it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Since when its health is this, in seconds since 1970.
    pub since: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Open sessions, the pooled ones included.
    pub open_sessions: u32,
    /// Processes that run, of a backend that is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Sessions of modern callers that wait for their next call.
    pub pooled_sessions: u32,
}

impl Backend {
    /// The present state.
    #[must_use]
    pub fn status(&self) -> BackendStatus {
        let state = self.health().load();
        BackendStatus {
            name: self.name().to_string(),
            health: state.health,
            transport: self.wire().name().as_str(),
            revisions: self.revisions().into_iter().map(Revision::as_str).collect(),
            legacy: self.eras().speaks(Era::Legacy),
            modern: self.eras().speaks(Era::Modern),
            last_error: state.last_error.clone(),
            since: state.since_unix(),
            in_flight: self.bulkhead().in_flight(),
            open_sessions: self.open_sessions().load(Ordering::Relaxed),
            processes: self.wire().programs().map(Programs::running),
            pooled_sessions: u32::try_from(self.pool().len()).unwrap_or(u32::MAX),
        }
    }
}
