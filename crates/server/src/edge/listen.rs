//! `subscriptions/listen`: a modern client's stream of what has changed.

use super::{Body, post::Incoming, sse};
use crate::{
    failure::{Failure, code},
    lane::{Caller, Owned, TaskRoute},
    views::{Finished, Heard, Inbox, Listening, Wanted},
};
use http::{Response, StatusCode};
use std::{borrow::Cow, collections::HashSet, sync::Arc};
use vmcp_auth::Identity;
use vmcp_backend::{Backend, CallerSessions, Unheard, WatchGuard};
use vmcp_core::{
    CapabilitySet, Era,
    frame::{RawObject, decode_string, elements},
};

/// How many resources and how many tasks one subscription may name; those beyond are not heard of.
const MAX_NAMED: usize = 512;

/// The longest id of such a request, as JSON text: it is kept as long as the subscription, and stands in each of its messages.
const MAX_ID: usize = 1024;

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
    let until = incoming.identity.remaining();
    Ok(sse::response(sse::Messages(messages), until, guard))
}

/// Opens a subscription. What is not heard of in the end is left out of the acknowledgement. It ends when the guard is dropped; when its
/// messages end, it has ended.
pub(super) async fn open(
    incoming: &Incoming,
    id: &str,
    params: &RawObject<'_>,
    capabilities: CapabilitySet,
) -> Result<(Inbox, Guard), Failure> {
    if id.len() > MAX_ID {
        let message = "the id of a subscription may have no more than 1024 bytes; send a shorter one";
        return Err(Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message));
    }
    let asked = params.get_object("notifications");
    let asked = asked.ok_or_else(|| Failure::invalid_params("`notifications` has to be an object"))?;
    let wants = |key: &str| asked.get(key) == Some("true");
    let wanted =
        Wanted { tools: wants("toolsListChanged"), prompts: wants("promptsListChanged"), resources: wants("resourcesListChanged") };
    let (uris, ids) = (named(&asked, "resourceSubscriptions")?, named(&asked, "taskIds")?);
    let snapshot = &incoming.snapshot;
    let caller = Caller { identity: incoming.identity.clone(), era: Era::Modern, capabilities, log_level: None, session: None };
    let viewer = caller.viewer();
    let key = snapshot.view(&viewer);
    if wanted.any() {
        // Changes are heard of lists that are there.
        snapshot.views.gather(&viewer, &key, |_| true).await;
    }
    // What nobody has is not heard of, nor what this caller was not given.
    let mut heard = Heard::by(snapshot.views.audience(key.clone()));
    let mut followed = Followed::default();
    for uri in &uris {
        if let Ok(owned) = snapshot.owner(&caller, uri).await {
            heard.resource(&owned);
            followed.resources.push(owned);
        }
    }
    for id in ids.iter().filter(|_| capabilities.contains(CapabilitySet::TASKS)) {
        if let Some(TaskRoute { backend, original, began }) = snapshot.own_task(&caller, id) {
            heard.task(backend, &original, id, began);
            followed.tasks.push((backend, original));
        }
    }
    let finished = Finished { interceptors: Arc::clone(&snapshot.interceptors), caller: caller.identity.clone() };
    let (listening, messages) = snapshot.views.listen(key, wanted, heard, finished, id);
    let sessions = CallerSessions::new(CapabilitySet::NONE, Some(listening.ear()));
    // Of lists that are the same for all the gateway hears once, for all.
    let needs_own = |backend: &&Arc<Backend>| (wanted.any() && !backend.is_shared()) || followed.is_about(backend.index());
    let watches = snapshot.shown().filter(needs_own).map(|backend| backend.watch_for(caller.identity.clone(), &sessions)).collect();
    let guard = Guard { listening, _watches: watches, sessions, backends: snapshot.backends.clone(), caller: caller.identity.clone() };
    guard.follow(incoming, &caller, &followed).await;
    guard.listening.begin();
    Ok((messages, guard))
}

/// The single resources and tasks of a subscription.
#[derive(Default)]
struct Followed {
    resources: Vec<Owned>,
    /// Each the place of a backend and the id there.
    tasks: Vec<(usize, String)>,
}

impl Followed {
    fn is_about(&self, backend: usize) -> bool {
        self.resources.iter().any(|owned| owned.backend.index() == backend) || self.tasks.iter().any(|(of, _)| *of == backend)
    }
}

impl Guard {
    /// Has backends tell of single resources and tasks, and waits until they do.
    async fn follow(&self, incoming: &Incoming, caller: &Caller, followed: &Followed) {
        let snapshot = &incoming.snapshot;
        let owners: Vec<&Arc<Backend>> = snapshot.shown().filter(|backend| followed.is_about(backend.index())).collect();
        // First, since this waits for nothing: what is asked for at once is one stream at a backend.
        for backend in &owners {
            let own = followed.tasks.iter().filter(|(of, _)| *of == backend.index());
            backend.follow_tasks(&self.sessions, own.map(|(_, id)| id.clone()));
        }
        let is_heard = snapshot.subscribe_all(caller, &self.sessions, &followed.resources).await;
        for (owned, _) in followed.resources.iter().zip(is_heard).filter(|(_, is_heard)| !is_heard) {
            self.listening.heard(|heard| heard.remove(owned.backend.index(), &Unheard::Resource((*owned.theirs).into())));
        }
        for backend in owners {
            for unheard in backend.heard(&self.sessions).await {
                self.listening.heard(|heard| heard.remove(backend.index(), &unheard));
            }
        }
    }
}

/// The strings of a list, each once.
fn named(asked: &RawObject<'_>, member: &str) -> Result<Vec<String>, Failure> {
    let Some(list) = asked.get(member) else { return Ok(Vec::new()) };
    let texts = elements(list).ok().and_then(|all| all.into_iter().take(MAX_NAMED).map(decode_string).collect::<Option<Vec<_>>>());
    let texts = texts.ok_or_else(|| Failure::invalid_params(&format!("`{member}` has to be an array of strings")))?;
    let mut seen = HashSet::new();
    Ok(texts.into_iter().map(Cow::into_owned).filter(|text| seen.insert(text.clone())).collect())
}
