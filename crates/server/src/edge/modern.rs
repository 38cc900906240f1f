//! Revision 2026-07-28: no session, everything that matters is in the request.

use super::{
    Body, Reply,
    listen::listen,
    mirror::{check_mirrored, check_repeated},
    post::{Carrier, Incoming},
};
use crate::{
    failure::{Failure, code},
    lane::{Caller, Carried, Journal, Load, Requester, is_task_method, list_kind},
};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;
use vmcp_backend::Alarm;
use vmcp_core::{
    CapabilitySet, Era, LoggingLevel, Revision,
    catalogue::ParamHeader,
    frame::{Message, RawObject, Request, decode_string, response_head},
};

/// `_meta` keys of every request (2026-07-28, basic/index).
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// Serves one message of a modern client.
pub(crate) async fn serve(incoming: &Incoming, message: Message<'_>, reply: &Reply) -> Response<Body> {
    let request = match message {
        Message::Request(request) => request,
        // `notifications/cancelled` is for stdio: over HTTP the closed stream is the cancel.
        Message::Notification(_) => return status(StatusCode::ACCEPTED),
        Message::Response(_) | Message::Error(..) => {
            let failure = Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, "clients of this revision send no responses");
            return failure.into_response(None, Era::Modern);
        }
    };
    let id = request.id.raw();
    let mut journal = Journal::begin(&request.method);
    if request.method == "subscriptions/listen" {
        let opened = match check(incoming, &request) {
            Ok((params, capabilities)) => Box::pin(listen(incoming, id, params, capabilities)).await,
            Err(failure) => Err(failure),
        };
        journal.end(&opened);
        return opened.unwrap_or_else(|failure| failure.into_response(Some(id), Era::Modern));
    }
    let work = async {
        let requester = Modern { reply, headers: &incoming.headers };
        let outcome = answer(incoming, &request, &requester, &mut journal).await;
        journal.end(&outcome);
        match outcome {
            Ok(result) => result_response(id, result),
            Err(failure) => failure.into_response(Some(id), Era::Modern),
        }
    };
    let response = tokio::select! {
        biased;
        response = work => response,
        // Only a stream that was opened can be closed; without one the connection drops this future.
        () = closed(reply) => return Response::new(Body::empty()),
    };
    reply.finish(Some(response)).await
}

/// Opens a stream when the answer takes long, and waits for the client to close it, whenever it was opened.
async fn closed(reply: &Reply) {
    let slow = async {
        if reply.can_stream() {
            Alarm::at(Instant::now() + super::sse::KEEP_ALIVE).await;
            reply.open_stream();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = slow => {}
        () = reply.closed() => {}
    }
}

/// What one request is answered, if it is no subscription.
pub(super) async fn answer(
    incoming: &Incoming,
    request: &Request<'_>,
    requester: &impl Requester,
    journal: &mut Journal,
) -> Result<Bytes, Failure> {
    let method = &*request.method;
    let (carried, list) = (Carried::from_method(method), list_kind(method));
    let is_task = is_task_method(method);
    if carried.is_none() && list.is_none() && !is_task && method != "server/discover" {
        return Err(Failure::unknown_method(method));
    }
    let (params, capabilities) = check(incoming, request)?;
    let log_level = log_level(params)?;
    let caller = Caller { identity: incoming.identity.clone(), era: Era::Modern, capabilities, log_level, session: None };
    match (carried, list) {
        (Some(carried), _) => {
            // Boxed, since a future is moved once into each of those around it, and this one is large.
            Box::pin(incoming.snapshot.carry(&Load::new(&caller, carried, params)?, requester, journal)).await
        }
        (None, Some(kind)) => Box::pin(incoming.snapshot.list(&caller, kind, Some(params))).await,
        (None, None) if is_task => Box::pin(incoming.snapshot.carry_task(&caller, method, params, requester)).await,
        (None, None) => incoming.snapshot.discover(&incoming.identity),
    }
}

/// Checks what every request has to carry: `_meta`, a version that is spoken here, and over HTTP headers that say the same.
pub(super) fn check<'r, 'a>(incoming: &Incoming, request: &'r Request<'a>) -> Result<(&'r RawObject<'a>, CapabilitySet), Failure> {
    let missing = |what: &str| Failure::invalid_meta(&format!("every request has to carry `{what}` (2026-07-28, basic/index)"));
    let params = request.params.as_ref().ok_or_else(|| missing("params._meta"))?;
    let meta = params.meta().ok_or_else(|| missing("params._meta"))?;
    let version = meta.get_str(META_VERSION).ok_or_else(|| missing(META_VERSION))?;
    let capabilities = meta.get(META_CAPABILITIES).and_then(CapabilitySet::parse).ok_or_else(|| missing(META_CAPABILITIES))?;
    match incoming.version()? {
        _ if incoming.carrier == Carrier::Pipe => {}
        Some(header) if header == version => {}
        Some(_) => return Err(Failure::header_mismatch("MCP-Protocol-Version differs from the version in `_meta`")),
        None => return Err(Failure::header_mismatch("the header MCP-Protocol-Version is missing")),
    }
    if Revision::parse(&version).is_none_or(|revision| revision.era() == Era::Legacy) {
        let supported = Revision::SERVED.map(|revision| format!("\"{revision}\"")).join(",");
        let requested = meta.get(META_VERSION).unwrap_or("null");
        return Err(Failure::unsupported_version(&format!("[{supported}]"), requested));
    }
    if incoming.carrier == Carrier::Http {
        check_mirrored(&incoming.noted, &request.method, params)?;
    }
    Ok((params, capabilities))
}

/// From which level on this request is told log messages (2026-07-28, server/utilities/logging).
fn log_level(params: &RawObject<'_>) -> Result<Option<LoggingLevel>, Failure> {
    let Some(said) = params.meta().and_then(|meta| meta.get(META_LOG_LEVEL)) else { return Ok(None) };
    let level = decode_string(said).and_then(|name| LoggingLevel::parse(&name));
    let wrong = || {
        let levels = LoggingLevel::ALL.map(LoggingLevel::as_str).join(", ");
        Failure::invalid_params(&format!("`{META_LOG_LEVEL}` has to be one of {levels}"))
    };
    level.map(Some).ok_or_else(wrong)
}

/// A modern caller: what it is told goes on its stream, and its headers repeat its arguments.
struct Modern<'a> {
    reply: &'a Reply,
    headers: &'a HeaderMap,
}

impl Requester for Modern<'_> {
    async fn notified(&self, message: Bytes) {
        self.reply.notify(message).await;
    }

    fn check_mirrored(&self, params: &RawObject<'_>, repeated: &[ParamHeader]) -> Result<(), Failure> {
        check_repeated(self.headers, params, repeated)
    }
}

/// A result in its envelope. `id` is JSON text. The service gives it its `Content-Type`.
pub(crate) fn result_response(id: &str, result: Bytes) -> Response<Body> {
    Response::new(Body::json(|rest| response_head(id, rest), result, b"}"))
}

/// A response without a body.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{ReplySlot, negotiate::Accepts, sse::KEEP_ALIVE};
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_opened_early_is_seen_to_close_at_once() {
        let slot = Arc::new(ReplySlot::default());
        let reply = Reply::new(Arc::clone(&slot), Accepts { json: true, events: true });
        let start = Instant::now();
        let client = async {
            reply.notify(Bytes::from_static(b"{}")).await;
            drop(slot.take_early());
        };
        tokio::join!(closed(&reply), client);
        assert!(start.elapsed() < KEEP_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_long_in_coming_is_a_stream_where_that_is_accepted() {
        for events in [true, false] {
            let slot = Arc::new(ReplySlot::default());
            let reply = Reply::new(Arc::clone(&slot), Accepts { json: true, events });
            let mut waiting = std::pin::pin!(closed(&reply));
            let second = std::time::Duration::from_secs(1);
            assert!(tokio::time::timeout(KEEP_ALIVE - second, &mut waiting).await.is_err());
            assert!(slot.take_early().is_none(), "a quick answer needs no stream");
            assert!(tokio::time::timeout(2 * second, &mut waiting).await.is_err());
            assert_eq!(slot.take_early().is_some(), events);
        }
    }
}
