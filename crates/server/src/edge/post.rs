//! POST: read the body, tell the eras apart, hand over.

use super::{
    legacy, modern,
    negotiate::{Accepts, check_content_type},
    noted::{Noted, Once, version},
    read::read_body,
    reply::{Reply, ReplySlot},
    room::Room,
};
use crate::{
    edge::Body,
    failure::{Failure, code},
    gateway::{Inner, Snapshot},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response};
use std::{error::Error, net::IpAddr, sync::Arc};
use vmcp_auth::Identity;
use vmcp_core::{
    Era, Revision,
    frame::{FrameError, Message, RawObject},
};

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// How many messages a batch of revision 2025-03-26 may have.
pub(super) const MAX_BATCH: usize = 64;

/// How messages come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Each request of the client's is an HTTP request with headers of its own.
    Http,
    /// One pipe takes the messages of both directions, and no header comes with them.
    Pipe,
}

/// One request that has passed the guard and authentication.
pub(crate) struct Incoming {
    pub(crate) inner: Arc<Inner>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) carrier: Carrier,
    pub(crate) headers: HeaderMap,
    /// What these say to the gateway itself.
    pub(crate) noted: Noted,
    pub(crate) identity: Identity,
    /// Set where sessions are counted by address.
    pub(crate) counted_peer: Option<IpAddr>,
}

impl Incoming {
    /// The version header: absent, one value, or several that contradict each other.
    pub(crate) fn version(&self) -> Result<Option<&str>, Failure> {
        match &self.noted.version {
            Once::Absent => Ok(None),
            Once::One(value) => Ok(Some(version(value))),
            Once::More => {
                Err(Failure::http(http::StatusCode::BAD_REQUEST, code::INVALID_REQUEST, "two MCP-Protocol-Version headers that differ"))
            }
        }
    }
}

/// Serves one POST.
pub(crate) async fn post<B>(incoming: &Incoming, body: B, slot: Arc<ReplySlot>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let early = |failure: Failure| failure.into_response(None, Era::Legacy);
    if let Err(failure) = check_content_type(incoming.noted.json) {
        return early(failure);
    }
    let limits = &incoming.snapshot.limits;
    // Kept until the request has been served: its body is borrowed as long.
    let mut room = Room::new(&incoming.inner.bodies, limits.request_budget);
    let body = match read_body(body, limits.max_request_bytes, limits.read_timeout, &mut room).await {
        Ok(body) => body,
        Err(failure) => return early(failure),
    };
    let version = match incoming.version() {
        Ok(version) => version,
        Err(failure) => return early(failure),
    };
    let names_modern = version.is_some_and(|version| Revision::parse(version).is_none_or(|revision| revision.era() == Era::Modern));
    let accepts = incoming.noted.accepts.unwrap_or(Accepts::ALL);
    if !accepts.json && !accepts.events {
        let message = "the client has to accept application/json and text/event-stream";
        return early(Failure::http(http::StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message));
    }
    let reply = Reply::new(slot, accepts).until(incoming.identity.good_until());
    match Message::parse_batch(&body, MAX_BATCH) {
        Err(error) => early(Failure::frame(error)),
        Ok((mut messages, batch)) => {
            if names_modern || messages.iter().any(has_modern_meta) {
                return match messages.pop() {
                    Some(message) if !batch => modern::serve(incoming, message, &reply).await,
                    _ => early(Failure::frame(FrameError::Batch)),
                };
            }
            legacy::serve(incoming, messages, batch, reply).await
        }
    }
}

/// A message that says its version itself is modern, whatever the header says (2026-07-28, basic/versioning).
pub(super) fn has_modern_meta(message: &Message<'_>) -> bool {
    let params = match message {
        Message::Request(request) => request.params.as_ref(),
        Message::Notification(notification) => notification.params.as_ref(),
        Message::Response(_) | Message::Error(..) => None,
    };
    params.and_then(RawObject::meta).is_some_and(|meta| meta.get(modern::META_VERSION).is_some())
}
