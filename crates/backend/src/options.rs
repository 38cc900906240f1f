//! What backends are made of.

use crate::{HttpTransport, Program, ViewScope, Watchdog, budget::Budget};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;
use vmcp_auth::CredentialCache;
use vmcp_core::{
    catalogue::ListKind,
    config::{ListScope, OnError, ProtocolEra},
    frame::json_string,
    header::BackendPolicy,
    plugin::OutgoingStrategy,
};

/// What all backends of a gateway have in common.
pub struct SharedOptions {
    /// The longest answer of a backend, and the longest event of one, in bytes.
    pub max_response_bytes: usize,
    /// What all buffered answers together may take, in bytes.
    pub response_budget: usize,
    /// Counts configurations; part of every session key.
    pub generation: u64,
    /// Whether anonymous callers without a credential may use one legacy session after another, one call at a time.
    pub share_anonymous: bool,
    /// The version that vmcp gives itself towards backends.
    pub client_version: String,
    /// Ends the servers that were started if this process is killed; without it, those that do not end with their input stay then.
    pub watchdog: Option<Arc<Watchdog>>,
    /// Hears what backends say about their lists.
    pub observer: Arc<dyn Observer>,
}

/// Hears what backends say outside of calls. Called from the tasks that read their streams: must not block.
pub trait Observer: Send + Sync + 'static {
    /// A backend's list is another one now, for those of `scope`; without a kind, any of them may be.
    fn list_changed(&self, backend: usize, scope: ViewScope, kind: Option<ListKind>);
}

/// What all backends of a gateway share: limits, tasks, the end.
pub struct Shared {
    pub(crate) options: SharedOptions,
    pub(crate) budget: Arc<Budget>,
    /// `{"name":"vmcp","version":"…"}`.
    pub(crate) client_info: String,
    /// `vmcp/…`.
    pub(crate) user_agent: String,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Shared {
    /// Sets up what backends share.
    #[must_use]
    pub fn new(options: SharedOptions) -> Arc<Self> {
        let budget = Budget::new(options.response_budget);
        Self::with(options, budget)
    }

    /// Sets up what more backends of the same gateway share among themselves. Their buffered answers count in the budget of the `first`.
    #[must_use]
    pub fn beside(first: &Self, options: SharedOptions) -> Arc<Self> {
        Self::with(options, Arc::clone(&first.budget))
    }

    fn with(options: SharedOptions, budget: Arc<Budget>) -> Arc<Self> {
        let mut version = Vec::new();
        json_string(&options.client_version, &mut version);
        let client_info = format!("{{\"name\":\"vmcp\",\"version\":{}}}", String::from_utf8_lossy(&version));
        Arc::new(Self {
            budget,
            client_info,
            user_agent: format!("vmcp/{}", options.client_version),
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            options,
        })
    }

    /// Starts a tracked task. Does nothing where there is no runtime any more: values that end something are dropped there too.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            self.tracker.spawn_on(task, &runtime);
        }
    }

    /// Every task of the backends: close and wait for it to end them in order.
    #[must_use]
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Stops streams, and refuses new calls. Requests in flight go on.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }
}

/// The random key of this process, under which session keys are made.
///
/// # Errors
/// When the operating system has no random bytes.
pub(crate) fn process_secret() -> Result<&'static [u8; 32], String> {
    static SECRET: OnceLock<[u8; 32]> = OnceLock::new();
    if let Some(secret) = SECRET.get() {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| format!("no random bytes for session keys: {error}"))?;
    Ok(SECRET.get_or_init(|| secret))
}

/// Where a backend is.
pub enum Place {
    /// At an endpoint.
    Url {
        /// The endpoint. User name and password in it are not sent.
        url: Url,
        /// Which of HTTP's transports it speaks.
        transport: HttpTransport,
    },
    /// In processes that vmcp starts.
    Program(Program),
}

/// One backend, as its entry in the configuration says.
pub struct BackendOptions {
    /// Its place in the configuration.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Which headers it is sent.
    pub policy: Arc<BackendPolicy>,
    /// Who gives credentials for it.
    pub strategy: Arc<dyn OutgoingStrategy>,
    /// Where is kept what it gives. A backend that takes the place of another whose strategy gives the same may go on with that one's.
    pub credentials: Arc<CredentialCache>,
    /// What becomes of a request when there are no credentials for it.
    pub on_error: OnError,
    /// How long it may be silent before a request fails.
    pub timeout: Duration,
    /// How long one call may take in all.
    pub max_duration: Duration,
    /// How long connecting may take: name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How many requests may be in flight; four times as many may wait.
    pub max_concurrent: u32,
    /// Which era to speak.
    pub protocol_era: ProtocolEra,
    /// The certificate authorities to trust instead of the platform's, as PEM.
    pub ca_bundle: Option<Vec<u8>>,
    /// Whether to speak HTTP/2: with prior knowledge to `http`, if TLS agrees on it to `https`.
    pub http2: bool,
    /// Who lists a legacy backend's catalogue.
    pub list_scope: ListScope,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    impl Observer for Deaf {
        fn list_changed(&self, _: usize, _: ViewScope, _: Option<ListKind>) {}
    }

    #[test]
    fn more_backends_of_one_gateway_have_one_budget_and_ends_of_their_own() {
        let options = || SharedOptions {
            max_response_bytes: 1000,
            response_budget: 1000,
            generation: 0,
            share_anonymous: false,
            client_version: "1".to_owned(),
            watchdog: None,
            observer: Arc::new(Deaf),
        };
        let first = Shared::new(options());
        let more = Shared::beside(&first, options());
        assert!(Arc::ptr_eq(&first.budget, &more.budget));
        more.shutdown().cancel();
        assert!(!first.shutdown().is_cancelled());
    }
}
