//! Hearing of changes of single resources.

use super::{Caller, carried::Subject};
use crate::{failure::Failure, gateway::Snapshot};
use std::sync::Arc;
use vmcp_backend::{CallerSessions, Subscribed, Subscription};
use vmcp_core::Era;

impl Snapshot {
    /// Begins or ends to hear of a resource at the backend that owns it, through `sessions`.
    pub(crate) async fn subscribe(&self, caller: &Caller, sessions: &Arc<CallerSessions>, uri: &str, on: bool) -> Result<(), Failure> {
        let viewer = caller.viewer();
        let route = self.route(&viewer, &self.key(&viewer), Subject::Resource, uri).await?;
        let Some(backend) = self.backends.get(route.backend) else { return Err(Failure::unknown_resource(uri, caller.era)) };
        let theirs = route.original.as_deref().unwrap_or(uri);
        let subscription = Subscription { caller: &caller.identity, caller_era: caller.era, sessions, uri: theirs, on };
        match backend.subscribe(subscription).await.map_err(|error| Failure::backend(&error))? {
            Subscribed::Done => Ok(()),
            Subscribed::Refused { code, object } => Err(Failure::passed(code, object, caller.era, Era::Legacy, Some(uri))),
        }
    }
}
