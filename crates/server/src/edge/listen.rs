//! `subscriptions/listen`: a modern client's stream of changed lists.

use super::{Body, post::Incoming, sse};
use crate::{
    failure::{Failure, code},
    views::{Listening, Viewer, Wanted},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use std::{sync::Arc, time::SystemTime};
use tokio::sync::mpsc;
use vmcp_auth::Identity;
use vmcp_backend::{Backend, CallerSessions, WatchGuard};
use vmcp_core::{CapabilitySet, Era, frame::RawObject};

/// What lives as long as a subscription.
pub(super) struct Guard {
    listening: Listening,
    _watches: Vec<WatchGuard>,
    /// Sessions at legacy backends, of this subscription alone.
    sessions: Arc<CallerSessions>,
    backends: Vec<Arc<Backend>>,
    caller: Identity,
}

impl Guard {
    /// Ends the subscription in order: with the request's result as its last message.
    pub(super) fn end(&self) {
        self.listening.end();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.sessions.end_as(&self.backends, &self.caller);
    }
}

/// Opens a subscription whose messages are the events of a stream.
pub(crate) async fn listen(
    incoming: &Incoming,
    id: &str,
    params: &RawObject<'_>,
    capabilities: CapabilitySet,
) -> Result<Response<Body>, Failure> {
    if !super::negotiate::accepts(&incoming.headers).events {
        let message = "a subscription has to accept text/event-stream";
        return Err(Failure::http(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message));
    }
    let (messages, guard) = open(incoming, id, params, capabilities).await?;
    let until = incoming.identity.expires_at().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    Ok(sse::response(sse::Messages(messages), until, guard))
}

/// Opens a subscription. Honoured are changes of lists; what else is asked for is left out of the acknowledgement. It ends when the guard
/// is dropped; when its messages end, it has ended.
pub(super) async fn open(
    incoming: &Incoming,
    id: &str,
    params: &RawObject<'_>,
    capabilities: CapabilitySet,
) -> Result<(mpsc::Receiver<Bytes>, Guard), Failure> {
    let asked = params.get_object("notifications");
    let asked = asked.ok_or_else(|| Failure::invalid_params("`notifications` has to be an object"))?;
    let wants = |key: &str| asked.get(key) == Some("true");
    let wanted =
        Wanted { tools: wants("toolsListChanged"), prompts: wants("promptsListChanged"), resources: wants("resourcesListChanged") };
    let snapshot = &incoming.snapshot;
    let viewer = Viewer { caller: &incoming.identity, era: Era::Modern, capabilities, session: None };
    let key = snapshot.key(&viewer);
    // Changes are heard of lists that are there.
    snapshot.views.gather(&viewer, &key, |_| true).await;
    let sessions = CallerSessions::new(CapabilitySet::NONE, None);
    let watches = snapshot.shown().map(|backend| backend.watch_for(incoming.identity.clone(), &sessions)).collect();
    let (listening, messages) = snapshot.views.listen(key, wanted, id);
    let (backends, caller) = (snapshot.backends.clone(), incoming.identity.clone());
    let guard = Guard { listening, _watches: watches, sessions, backends, caller };
    Ok((messages, guard))
}
