//! One gets credentials, the others wait.

use super::{CredentialCache, Key, Outcome, slot::Flight};
use std::{fmt, sync::Arc, time::SystemTime};
use tokio::sync::watch;
use vmcp_core::plugin::{Credentials, StrategyError};

/// The right, and the duty, to get credentials for one caller: nobody else does meanwhile. Dropping it passes it on.
pub struct Turn {
    cache: Arc<CredentialCache>,
    key: Key,
    limit: Option<SystemTime>,
    sender: Option<watch::Sender<Option<Outcome>>>,
}

/// Waits for what somebody else gets.
pub struct Waiting(Flight);

impl Turn {
    pub(super) fn new(cache: Arc<CredentialCache>, key: Key, limit: Option<SystemTime>) -> (Self, Flight) {
        let (sender, flight) = watch::channel(None);
        (Self { cache, key, limit, sender: Some(sender) }, flight)
    }

    /// Says what the strategy gave. All who wait get it.
    pub fn settle(mut self, result: Result<Credentials, StrategyError>) {
        let outcome = self.cache.settle(&self, result);
        if let Some(sender) = self.sender.take() {
            // Nobody may be waiting.
            let _ = sender.send(Some(outcome));
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// When the caller's own credential is over.
    pub(super) fn limit(&self) -> Option<SystemTime> {
        self.limit
    }

    /// Whether this is where its outcome will be.
    pub(super) fn is_of(&self, flight: &Flight) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.subscribe().same_channel(flight))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.sender.is_some() {
            self.cache.release(self);
        }
    }
}

impl Waiting {
    pub(super) fn new(flight: Flight) -> Self {
        Self(flight)
    }

    /// The outcome; `None` when whoever had the turn gave it up.
    pub async fn outcome(mut self) -> Option<Outcome> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}
