//! Hearing of changes of single resources.

use super::{Caller, carried::Subject, pages::error_under_our_uri, route::Sought};
use crate::{admission::Asks, failure::Failure, gateway::Snapshot};
use futures_util::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_backend::{Backend, CallerSessions, Subscribed, Subscription};
use vmcp_core::Era;

/// How many resources of one subscription are asked for at the same time, and how long one may take.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

/// A resource at its owner.
pub(crate) struct Owned {
    pub(crate) backend: Arc<Backend>,
    /// The URI there.
    pub(crate) theirs: Arc<str>,
    /// The URI as the caller knows it.
    pub(crate) ours: String,
}

impl Snapshot {
    /// Begins or ends to hear of a resource at the backend that owns it, through `sessions`.
    pub(crate) async fn subscribe(&self, caller: &Caller, sessions: &Arc<CallerSessions>, owned: &Owned, on: bool) -> Result<(), Failure> {
        let Owned { backend, theirs, ours, .. } = owned;
        let subscription = Subscription { caller: &caller.identity, caller_era: caller.era, sessions, uri: theirs, on };
        match backend.subscribe(subscription).await.map_err(|error| Failure::backend(&error))? {
            Subscribed::Done => Ok(()),
            Subscribed::Unheard => Err(Failure::unknown_resource(ours, caller.era)),
            Subscribed::Refused { code, object } => {
                let object = error_under_our_uri(object, theirs, ours);
                Err(Failure::passed(code, object, caller.era, Era::Legacy, Some(ours)))
            }
        }
    }

    /// Begins to hear of resources, each at its owner, through `sessions`. Says of each whether it is heard of.
    pub(crate) async fn subscribe_all(&self, caller: &Caller, sessions: &Arc<CallerSessions>, owned: &[Owned]) -> Vec<bool> {
        let mut heard = Vec::with_capacity(owned.len());
        for some in owned.chunks(AT_ONCE) {
            let asked = some.iter().map(|Owned { backend, theirs, .. }| {
                let subscription = Subscription { caller: &caller.identity, caller_era: caller.era, sessions, uri: theirs, on: true };
                let told = timeout(PATIENCE, backend.subscribe(subscription));
                async move { matches!(told.await, Ok(Ok(Subscribed::Done))) }
            });
            heard.extend(join_all(asked).await);
        }
        heard
    }

    /// Whose a resource is.
    pub(crate) async fn owner(&self, caller: &Caller, uri: &str) -> Result<Owned, Failure> {
        let key = self.key(&caller.viewer());
        let sought = Sought { caller, key: &key, subject: Subject::Resource, name: uri, asks: Asks::Call(None) };
        let route = self.route(&sought).await?;
        let backend = self.backends.get(route.backend).ok_or_else(|| Failure::unknown_resource(uri, caller.era))?;
        Ok(Owned { backend: Arc::clone(backend), theirs: route.original.unwrap_or_else(|| uri.into()), ours: uri.to_owned() })
    }
}
