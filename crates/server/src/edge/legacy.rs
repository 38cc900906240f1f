//! Revisions 2025-03-26 to 2025-11-25: sessions, streams that push, and requests that outlive their connection.

use super::{
    Body, Reply,
    modern::{result_response, status},
    post::{Incoming, SESSION_ID},
    sse::{self, KEEP_ALIVE},
};
use crate::{
    failure::{Failure, code},
    lane::{Caller, Carried, Journal, Requester, list_kind},
    session::{ClientSession, NoSession, StreamHandle, Use},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use smallvec::SmallVec;
use std::{sync::Arc, time::SystemTime};
use tokio::time::Instant;
use vmcp_backend::{Alarm, WatchGuard};
use vmcp_core::{
    CapabilitySet, Era, Revision,
    frame::{FrameError, Message, Request},
};

/// Serves what one POST of a legacy client carries.
pub(crate) async fn serve(incoming: &Incoming, mut messages: SmallVec<[Message<'_>; 1]>, batch: bool, reply: Reply) -> Response<Body> {
    if let ([Message::Request(request)], false) = (messages.as_slice(), batch)
        && request.method == "initialize"
    {
        return initialize(incoming, request);
    }
    let session = match find(incoming) {
        Ok(session) => session,
        Err(failure) => return failure.into_response(None, Era::Legacy),
    };
    if batch {
        if !session.revision.has_batches() {
            return Failure::frame(FrameError::Batch).into_response(None, Era::Legacy);
        }
        if !messages.iter().any(|message| matches!(message, Message::Request(_))) {
            messages.iter().for_each(|message| take(&session, message));
            return status(StatusCode::ACCEPTED);
        }
        reply.outlive_connection();
        let answers = tokio::select! {
            biased;
            answers = serve_batch(incoming, &session, messages) => Some(answers),
            () = stream_when_slow(&reply) => None,
        };
        return reply.finish(answers).await;
    }
    match messages.pop() {
        Some(Message::Request(request)) => {
            reply.outlive_connection();
            let answer = answer(incoming, &session, &request, &reply).await;
            reply.finish(answer).await
        }
        Some(message) => {
            take(&session, &message);
            status(StatusCode::ACCEPTED)
        }
        None => status(StatusCode::ACCEPTED),
    }
}

fn initialize(incoming: &Incoming, request: &Request<'_>) -> Response<Body> {
    let id = request.id.raw();
    let initialized = incoming.snapshot.initialize(request.params.as_ref());
    Journal::begin(&request.method).end(&initialized);
    let initialized = match initialized {
        Ok(initialized) => initialized,
        Err(failure) => return failure.into_response(Some(id), Era::Legacy),
    };
    let principal = incoming.identity.principal();
    let created = incoming.inner.sessions.create(principal, initialized.revision, initialized.capabilities, incoming.counted_peer);
    let session = match created {
        Ok(session) => session,
        Err(error) => return no_session(error).into_response(Some(id), Era::Legacy),
    };
    let Ok(session_id) = HeaderValue::from_str(&session.id) else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = result_response(id, initialized.result);
    response.headers_mut().insert(SESSION_ID, session_id);
    response
}

/// The session that a request names, marked as in use.
pub(crate) fn find(incoming: &Incoming) -> Result<Use, Failure> {
    let refused = |message| Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
    let mut ids = incoming.headers.get_all(SESSION_ID).iter();
    let id = ids.next().ok_or_else(|| {
        refused("the header Mcp-Session-Id is missing; send `initialize` first and then its session id with every request")
    })?;
    if ids.next().is_some() {
        return Err(refused("the header Mcp-Session-Id stands twice; send it once"));
    }
    let id = id.to_str().map_err(|_| no_session(NoSession::NotFound))?;
    incoming.inner.sessions.find(id, incoming.identity.principal(), incoming.counted_peer).map_err(no_session)
}

fn no_session(error: NoSession) -> Failure {
    match error {
        NoSession::NotFound => Failure::http(StatusCode::NOT_FOUND, code::INVALID_REQUEST, &error.to_string()),
        NoSession::Full | NoSession::PeerFull | NoSession::NoRandom => Failure::busy(&error.to_string()),
    }
}

/// Answers one request. `None` when the client cancelled it: then nothing is sent.
async fn answer(incoming: &Incoming, session: &Use, request: &Request<'_>, reply: &Reply) -> Option<Response<Body>> {
    let id = request.id.raw();
    let call = session.start_call(id);
    let work = async {
        match result(incoming, session, request, reply).await {
            Ok(result) => result_response(id, result),
            Err(failure) => failure.into_response(Some(id), Era::Legacy),
        }
    };
    tokio::select! {
        biased;
        response = work => Some(response),
        () = call.call().cancelled() => {
            if reply.can_stream() { None } else { Some(Failure::cancelled().into_response(Some(id), Era::Legacy)) }
        }
        () = stream_when_slow(reply) => None,
    }
}

/// Never ends: opens the stream once the answer takes so long that something between might take the connection for dead.
async fn stream_when_slow(reply: &Reply) {
    if reply.can_stream() {
        Alarm::at(Instant::now() + KEEP_ALIVE).await;
        reply.open_stream();
    }
    std::future::pending::<()>().await;
}

async fn result(incoming: &Incoming, session: &Use, request: &Request<'_>, requester: &impl Requester) -> Result<Bytes, Failure> {
    let mut journal = Journal::begin(&request.method);
    let outcome = outcome(incoming, session, request, requester, &mut journal).await;
    journal.end(&outcome);
    outcome
}

async fn outcome(
    incoming: &Incoming,
    session: &Use,
    request: &Request<'_>,
    requester: &impl Requester,
    journal: &mut Journal,
) -> Result<Bytes, Failure> {
    let method = &*request.method;
    if method == "ping" {
        return Ok(Bytes::from_static(b"{}"));
    }
    let caller = || Caller {
        identity: incoming.identity.clone(),
        era: Era::Legacy,
        capabilities: CapabilitySet::NONE,
        log_level: None,
        session: Some(Arc::clone(session)),
    };
    if let Some(carried) = Carried::from_method(method) {
        let params = request.params.as_ref().ok_or_else(|| Failure::invalid_params(&format!("`{}` is missing", carried.key())))?;
        // Boxed, since a future is moved once into each of those around it, and this one is large.
        return Box::pin(incoming.snapshot.carry(&caller(), carried, params, requester, journal)).await;
    }
    match list_kind(method) {
        Some(kind) => Box::pin(incoming.snapshot.list(&caller(), kind, request.params.as_ref())).await,
        None if method == "initialize" => Err(Failure::new(code::INVALID_REQUEST, "`initialize` cannot be part of a batch")),
        None => Err(Failure::unknown_method(method)),
    }
}

/// Takes a notification or a response.
fn take(session: &ClientSession, message: &Message<'_>) {
    if let Message::Notification(notification) = message
        && notification.method == "notifications/cancelled"
        && let Some(id) = notification.params.as_ref().and_then(|params| params.get("requestId"))
    {
        session.cancel(id);
    }
    // Nothing is asked of clients yet, so a response answers nothing.
}

impl Requester for Reply {
    async fn notified(&self, message: Bytes) {
        self.notify(message).await;
    }
}

/// Nobody to notify: a batch is answered as one array.
struct Unheard;

impl Requester for Unheard {
    async fn notified(&self, _message: Bytes) {}
}

/// Serves a batch (2025-03-26, basic/transports): the responses come as one array, in order. All of them together are no longer than
/// one may be: what does not fit is answered with an error, and nothing more is run then.
async fn serve_batch(incoming: &Incoming, session: &Use, messages: SmallVec<[Message<'_>; 1]>) -> Response<Body> {
    let limit = incoming.snapshot.config.limits.max_response_bytes.0;
    // All of them can be cancelled from the start, also those whose turn has not come.
    let calls: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let call = if let Message::Request(request) = &message { Some(session.start_call(request.id.raw())) } else { None };
            (message, call)
        })
        .collect();
    let (mut array, mut is_full) = (vec![b'['], false);
    for (message, call) in calls {
        let (Message::Request(request), Some(call)) = (&message, &call) else {
            take(session, &message);
            continue;
        };
        let id = request.id.raw();
        let too_long = || Failure::new(code::INTERNAL, "the answers of this batch are too long together; send fewer requests at once");
        let outcome = if is_full {
            Err(too_long())
        } else {
            tokio::select! {
                biased;
                () = call.call().cancelled() => Err(Failure::cancelled()),
                outcome = result(incoming, session, request, &Unheard) => outcome,
            }
        };
        let response = match outcome {
            Ok(result) if array.len() + result.len() > limit => {
                is_full = true;
                too_long().into_response(Some(id), Era::Legacy)
            }
            Ok(result) => result_response(id, result),
            Err(failure) => failure.into_response(Some(id), Era::Legacy),
        };
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(&response.into_body().collect().await);
    }
    array.push(b']');
    let mut response = Response::new(Body::full(array));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What lives as long as a GET stream.
struct StreamGuard {
    _stream: StreamHandle,
    _watches: Vec<WatchGuard>,
}

/// A request without a body says its revision in the header alone: one that does not exist is refused (2025-06-18,
/// basic/transports, protocol version header). Another one than the session's is tolerated.
fn check_version(incoming: &Incoming) -> Result<(), Failure> {
    if incoming.version()?.is_none_or(|version| Revision::parse(version).is_some()) {
        return Ok(());
    }
    let message = "MCP-Protocol-Version names no revision that exists; send the one that `initialize` agreed on";
    Err(Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message))
}

/// GET: the stream on which a session is told of changes.
pub(crate) fn stream(incoming: &Incoming) -> Result<Response<Body>, Failure> {
    check_version(incoming)?;
    if !super::negotiate::accepts(&incoming.headers).events {
        let message = "a GET has to accept text/event-stream";
        return Err(Failure::http(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message));
    }
    let session = find(incoming)?;
    let (number, events) = session.open_stream();
    tracing::debug!("a client listens for changes");
    if !Arc::ptr_eq(&incoming.snapshot, &incoming.inner.snapshot()) {
        // The configuration changed just now. What ended the other streams may have come too early for this one.
        session.close_stream(number);
    }
    incoming.snapshot.views.tell(&session);
    let watches = incoming.snapshot.backends.iter();
    let watches = watches.map(|backend| backend.watch_for(incoming.identity.clone(), &session.backends)).collect();
    let until = incoming.identity.expires_at().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    let guard = StreamGuard { _stream: StreamHandle { session, number }, _watches: watches };
    Ok(sse::response(events, until, guard))
}

/// DELETE: ends a session, here and at the backends.
pub(crate) fn delete(incoming: &Incoming) -> Result<Response<Body>, Failure> {
    check_version(incoming)?;
    let session = find(incoming)?;
    if let Some(session) = incoming.inner.sessions.remove(&session.id) {
        tracing::debug!("a client ended its session");
        session.cancel_all();
        incoming.inner.end_as(&session, &incoming.identity);
    }
    Ok(status(StatusCode::NO_CONTENT))
}

/// Whether a request without a body belongs to a legacy session.
pub(crate) fn names_session(headers: &HeaderMap) -> bool {
    headers.contains_key(SESSION_ID)
}

#[cfg(test)]
mod tests;
