//! Revisions 2025-03-26 to 2025-11-25: sessions, streams that push, and requests that outlive their connection.

mod batch;
mod own;
mod requester;
mod stream;

pub(crate) use batch::serve_batch;
pub(crate) use own::subscribe_again;
pub(crate) use requester::ask;
pub(crate) use stream::{listening, stream};

use super::{
    Body, Reply,
    modern::{result_response, status},
    noted::Once,
    post::{Carrier, Incoming, SESSION_ID},
};
use crate::{
    admission::rights,
    failure::{Failure, code},
    lane::{Caller, Carried, Journal, Load, Requester, list_kind},
    session::{Binding, ClientSession, NoSession, Use},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use requester::Asker;
use smallvec::SmallVec;
use std::sync::Arc;
use vmcp_core::{
    Era, Revision,
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
            messages.iter().for_each(|message| take(incoming, &session, message));
            return status(StatusCode::ACCEPTED);
        }
        reply.outlive_connection();
        let asker = Asker { incoming, session: &session, reply: &reply };
        let answers = tokio::select! {
            biased;
            answers = Box::pin(serve_batch(incoming, &session, messages)) => Some(answers),
            () = asker.stream_when_slow() => None,
        };
        return reply.finish(answers).await;
    }
    match messages.pop() {
        Some(Message::Request(request)) => {
            reply.outlive_connection();
            let asker = Asker { incoming, session: &session, reply: &reply };
            let answer = answer(&asker, &request).await;
            if !reply.can_be_json() && answer.as_ref().is_some_and(|answer| answer.status().is_success()) {
                asker.open_stream();
            }
            reply.finish(answer).await
        }
        Some(message) => {
            take(incoming, &session, &message);
            status(StatusCode::ACCEPTED)
        }
        None => status(StatusCode::ACCEPTED),
    }
}

fn initialize(incoming: &Incoming, request: &Request<'_>) -> Response<Body> {
    let id = request.id.raw();
    let (session, result) = match begin(incoming, request) {
        Ok(begun) => begun,
        Err(failure) => return failure.into_response(Some(id), Era::Legacy),
    };
    let Ok(session_id) = HeaderValue::from_str(&session.id) else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = result_response(id, result);
    response.headers_mut().insert(SESSION_ID, session_id);
    response
}

/// Answers `initialize` and begins the session that it asks for.
pub(super) fn begin(incoming: &Incoming, request: &Request<'_>) -> Result<(Arc<ClientSession>, Bytes), Failure> {
    let oldest = match incoming.carrier {
        Carrier::Http => Revision::V2025_03_26,
        Carrier::Pipe => Revision::V2024_11_05,
    };
    let initialized = incoming.snapshot.initialize(&incoming.identity, request.params.as_ref(), oldest);
    Journal::begin(&request.method).end(&initialized);
    let initialized = initialized?;
    let principal = incoming.identity.principal();
    let created = incoming.inner.sessions.create(
        &incoming.snapshot.endpoint,
        principal,
        initialized.revision,
        initialized.capabilities,
        incoming.counted_peer,
    );
    Ok((created.map_err(no_session)?, initialized.result))
}

/// The session that a request names, marked as in use.
pub(crate) fn find(incoming: &Incoming) -> Result<Use, Failure> {
    let refused = |message| Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
    let id = match &incoming.noted.session {
        Once::One(id) => id,
        Once::Absent => {
            return Err(refused(
                "the header Mcp-Session-Id is missing; send `initialize` first and then its session id with every request",
            ));
        }
        Once::More => return Err(refused("the header Mcp-Session-Id stands twice; send it once")),
    };
    let id = id.to_str().map_err(|_| no_session(NoSession::NotFound))?;
    let (sessions, endpoint) = (&incoming.inner.sessions, &incoming.snapshot.endpoint);
    sessions.find(id, endpoint, incoming.identity.principal(), incoming.counted_peer).map_err(no_session)
}

pub(super) fn no_session(error: NoSession) -> Failure {
    match error {
        NoSession::NotFound => Failure::http(StatusCode::NOT_FOUND, code::INVALID_REQUEST, &error.to_string()),
        NoSession::Full | NoSession::PeerFull | NoSession::NoRandom => Failure::busy(&error.to_string()),
    }
}

/// Answers one request. `None` when the client cancelled it: then nothing is sent.
async fn answer(asker: &Asker<'_>, request: &Request<'_>) -> Option<Response<Body>> {
    let Asker { incoming, session, reply } = *asker;
    let id = request.id.raw();
    let call = session.start_call(id);
    let work = async {
        match result(incoming, session, request, asker).await {
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
        () = asker.stream_when_slow() => None,
    }
}

fn caller(incoming: &Incoming, session: &Use) -> Caller {
    Caller {
        identity: incoming.identity.clone(),
        era: Era::Legacy,
        capabilities: session.capabilities(),
        log_level: session.log_level(),
        session: Some(Arc::clone(session)),
    }
}

/// Which streams a request may go on with. Where not everybody may do everything, a stream's rest is for credentials that allow the same.
pub(super) fn binding(incoming: &Incoming) -> Binding {
    let (snapshot, identity, rights) = (&incoming.snapshot, &incoming.identity, rights_of(incoming));
    Binding::of(snapshot.generation, snapshot.backends.iter().map(|backend| (backend.session_key(identity), rights)))
}

/// What a request's credentials allow. `None` where everybody may see everything.
fn rights_of(incoming: &Incoming) -> Option<[u8; 16]> {
    incoming.snapshot.admission.as_ref().map(|_| rights(&incoming.identity))
}

pub(super) async fn result(
    incoming: &Incoming,
    session: &Use,
    request: &Request<'_>,
    requester: &impl Requester,
) -> Result<Bytes, Failure> {
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
    let caller = || caller(incoming, session);
    if let Some(carried) = Carried::from_method(method) {
        let params = request.params.as_ref().ok_or_else(|| Failure::invalid_params(&format!("`{}` is missing", carried.key())))?;
        // Boxed, since a future is moved once into each of those around it, and this one is large.
        let caller = caller();
        return Box::pin(incoming.snapshot.carry(&Load::new(&caller, carried, params)?, requester, journal)).await;
    }
    if let Some(answer) = own::answer(&caller(), incoming, session, request).await {
        return answer;
    }
    match list_kind(method) {
        Some(kind) => Box::pin(incoming.snapshot.list(&caller(), kind, request.params.as_ref())).await,
        None if method == "initialize" => Err(Failure::new(code::INVALID_REQUEST, "`initialize` cannot be part of a batch")),
        None => Err(Failure::unknown_method(method)),
    }
}

/// Takes a notification or a response.
pub(super) fn take(incoming: &Incoming, session: &Use, message: &Message<'_>) {
    let identity = &incoming.identity;
    let answers = match message {
        Message::Notification(notification) => return own::notified(incoming, session, notification),
        Message::Response(response) => session.answered(response.id.raw(), Ok(response.result), identity),
        Message::Error(Some(id), error) => session.answered(id.raw(), Err(error.object.text()), identity),
        Message::Request(_) | Message::Error(None, _) => false,
    };
    tracing::trace!(answers, "a client answered");
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
