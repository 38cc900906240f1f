//! GET: the stream on which a session is told what belongs to no request, or one that goes on where its connection broke.

use super::{binding, check_version, find, own};
use crate::{
    edge::{Body, negotiate, post::Incoming, sse},
    failure::{Failure, code},
    session::{Binding, ClientSession, EventStream, Purpose, Reader, Use},
    views::{Audience, Viewer, ViewerKey},
};
use http::{HeaderName, Response, StatusCode};
use std::sync::Arc;
use tokio_util::sync::DropGuard;
use vmcp_auth::Identity;
use vmcp_backend::WatchGuard;
use vmcp_core::Era;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What lives as long as the connection of a GET stream.
struct Guard {
    _session: Use,
    _watches: Vec<WatchGuard>,
    /// Of what the client follows again under another configuration.
    _again: Option<DropGuard>,
}

/// GET: with the id of an event of this session, that event's stream from there on. Without one, or with one of which nothing is kept
/// for the credentials that this request brings, a new stream.
pub(crate) fn stream(incoming: &Incoming) -> Result<Response<Body>, Failure> {
    check_version(incoming)?;
    if !negotiate::accepts(&incoming.headers).events {
        let message = "a GET has to accept text/event-stream";
        return Err(Failure::http(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message));
    }
    let session = find(incoming)?;
    let (binding, view) = (binding(incoming), view(incoming, &session));
    let resumed = resumed(incoming, &session, binding, &view);
    let until = incoming.identity.remaining();
    let resumed = match resumed {
        // The rest of one call, and nothing else.
        Some((stream, reader)) if stream.purpose() == Purpose::Call => {
            tracing::debug!("a client came back for the rest of a call");
            return Ok(sse::response(reader, until, session));
        }
        resumed => resumed,
    };
    looks(incoming, &session, &view);
    let (stream, reader) = resumed.unwrap_or_else(|| session.open_stream(binding, incoming.snapshot.views.audience(view)));
    tracing::debug!("a client listens for changes");
    if incoming.snapshot.generation != incoming.inner.snapshot().generation {
        // The configuration changed just now. What ended the other streams may have come too early for this one.
        stream.close();
    }
    incoming.snapshot.views.tell(&session);
    let again = own::subscribe_again(incoming, &session);
    let watches = incoming.snapshot.shown();
    let watches = watches.map(|backend| backend.watch_for(incoming.identity.clone(), &session.backends)).collect();
    Ok(sse::response(reader, until, Guard { _session: session, _watches: watches, _again: again }))
}

/// Who listens on a stream that belongs to this request. `None` where everybody may see everything.
pub(super) fn audience(incoming: &Incoming, session: &Arc<ClientSession>) -> Option<Audience> {
    let snapshot = &incoming.snapshot;
    snapshot.admission.as_ref()?;
    snapshot.views.audience(view(incoming, session))
}

/// The same of a stream for what belongs to no request, which is about to open.
pub(crate) fn listening(incoming: &Incoming, session: &Arc<ClientSession>) -> Option<Audience> {
    let view = view(incoming, session);
    looks(incoming, session, &view);
    incoming.snapshot.views.audience(view)
}

/// Whoever opens a stream for what belongs to no request is told from now on of changes of this view. Whom it may hear follows from its
/// lists, for which its client may not have asked yet: they are fetched, and nobody waits for them.
fn looks(incoming: &Incoming, session: &Arc<ClientSession>, view: &ViewerKey) {
    let snapshot = &incoming.snapshot;
    session.looks_as(view, snapshot.generation);
    if snapshot.admission.is_some() {
        snapshot.views.begin_to_gather(&viewer(&incoming.identity, session), view, |_| true);
    }
}

/// What a request's credentials show in this session.
fn view(incoming: &Incoming, session: &Arc<ClientSession>) -> ViewerKey {
    incoming.snapshot.view(&viewer(&incoming.identity, session))
}

fn viewer<'v>(caller: &'v Identity, session: &'v Arc<ClientSession>) -> Viewer<'v> {
    Viewer { caller, era: Era::Legacy, capabilities: session.capabilities(), session: Some(session) }
}

fn resumed(incoming: &Incoming, session: &Use, binding: Binding, view: &ViewerKey) -> Option<(Arc<EventStream>, Reader)> {
    let mut ids = incoming.headers.get_all(LAST_EVENT_ID).iter();
    let id = ids.next().filter(|_| ids.next().is_none())?;
    session.resume(id.to_str().ok()?.trim(), binding, || incoming.snapshot.views.audience(view.clone()))
}
