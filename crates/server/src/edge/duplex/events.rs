//! HTTP+SSE (2024-11-05, basic/transports): a pipe whose one half is an event stream and whose other half are POSTs.
//!
//! A GET opens the stream, whose first event says where to POST: the same path, with an id that nobody can guess. Only who opened a stream
//! finds it by its id. The headers of each POST are those of its message; the stream's end is the session's.
//!
//! A stream outlives a reload of the configuration unless that changes who is let in, or where the streams are: then it ends in order. Its
//! client cannot come back for its session, so it does not end for less, as the streams of GETs do whose sessions stay.

use super::{Opener, Peer};
use crate::{
    edge::{
        Body,
        modern::status,
        negotiate::{accepts, check_content_type},
        post::Incoming,
        read::read_body,
        room::Room,
        sse::{self, Source},
    },
    failure::{Failure, code},
    session::random,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use std::{
    collections::HashMap,
    error::Error,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use vmcp_core::config::Sessions;

/// What stands before a stream's id in the query of a POST's target.
const PARAMETER: &str = "sessionId=";

/// A stream's id: 128 random bits.
type Id = u128;

/// The streams that are open. There are no more than there may be sessions, in all and of one address (`sessions.max`,
/// `sessions.maxPerPeer`).
#[derive(Default)]
pub(crate) struct Pipes {
    open: Mutex<HashMap<Id, Listed>>,
}

struct Listed {
    peer: Weak<Peer>,
    /// Set where sessions are counted by address.
    counted_peer: Option<IpAddr>,
}

impl Pipes {
    fn open(&self) -> MutexGuard<'_, HashMap<Id, Listed>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: Id) -> Option<Arc<Peer>> {
        self.open().get(&id)?.peer.upgrade().filter(|peer| !peer.is_silent())
    }

    /// Ends every stream in order: who may have one, or where they are, has changed.
    pub(crate) fn dismiss(&self) {
        self.open().values().filter_map(|listed| listed.peer.upgrade()).for_each(|peer| peer.dismiss());
    }
}

/// What lives as long as a stream.
struct Open {
    id: Id,
    peer: Arc<Peer>,
}

impl Open {
    fn new(peer: Arc<Peer>, counted_peer: Option<IpAddr>, limits: &Sessions) -> Result<Self, Failure> {
        let id = Id::from_ne_bytes(random().map_err(|_| Failure::busy("no random bytes from the operating system"))?);
        let mut open = peer.inner.pipes.open();
        if open.len() >= limits.max as usize {
            return Err(Failure::busy("too many event streams are open (sessions.max); try again"));
        }
        let is_rival = |listed: &&Listed| counted_peer.is_some() && listed.counted_peer == counted_peer;
        if open.values().filter(is_rival).count() >= limits.max_per_peer as usize {
            return Err(Failure::busy("too many event streams are open from this address (sessions.maxPerPeer); close one"));
        }
        open.insert(id, Listed { peer: Arc::downgrade(&peer), counted_peer });
        drop(open);
        Ok(Self { id, peer })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.peer.inner.pipes.open().remove(&self.id);
        self.peer.abandon();
        tracing::debug!("an event stream of an old client ended");
    }
}

/// GET: opens a stream.
///
/// # Errors
/// When the client reads no events, or too many streams are open.
pub(crate) fn open(mut incoming: Incoming) -> Result<Response<Body>, Failure> {
    if !accepts(&incoming.headers).events {
        let message = "a GET has to accept text/event-stream";
        return Err(Failure::http(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message));
    }
    let until = incoming.identity.remaining();
    let opener = Opener::of(&mut incoming);
    let config = &incoming.snapshot.config;
    let (peer, messages) = Peer::new(&incoming.inner, opener);
    let open = Open::new(Arc::clone(&peer), incoming.counted_peer, &config.sessions)?;
    let path = config.sse_path.as_deref().unwrap_or_default();
    let opening = format!("event: endpoint\ndata: {path}?{PARAMETER}{:032x}\n\n", open.id);
    let now = incoming.inner.snapshot();
    if !peer.opener.stays(&now) || now.config.sse_path != config.sse_path {
        // The configuration changed just now. What ended the other streams may have come too early for this one.
        peer.dismiss();
    }
    let all_said = CancellationToken::new();
    let ended = Box::pin(all_said.clone().cancelled_owned());
    incoming.inner.tracker.spawn(end_in_order(peer, all_said));
    tracing::debug!("an old client opened its event stream");
    Ok(sse::response(Events { opening: Some(opening.into()), messages, ended: Some(ended) }, until, open))
}

/// Waits for the stream's end, or ends it in order when the gateway stops, or when its client may not be here any more. Requests in flight
/// get the same time in both cases (`limits.shutdownTimeout`).
async fn end_in_order(peer: Arc<Peer>, all_said: CancellationToken) {
    tokio::select! {
        () = peer.silent() => return,
        () = peer.inner.shutdown.cancelled() => {}
        () = peer.dismissed() => {}
    }
    let time = peer.inner.snapshot().config.limits.shutdown_timeout.0;
    // What is left of the time is for the last answers and for the sessions at the backends.
    peer.end(Instant::now() + time - time * 2 / 5).await;
    all_said.cancel();
}

/// The events of one stream: where to POST, then messages, until all was said.
struct Events {
    opening: Option<Bytes>,
    messages: mpsc::Receiver<Bytes>,
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Source for Events {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(opening));
        }
        if self.ended.as_mut().is_some_and(|ended| ended.as_mut().poll(cx).is_ready()) {
            self.ended = None;
            self.messages.close();
        }
        self.messages.poll_recv(cx).map(|message| message.map(sse::event))
    }
}

/// POST: takes a message of the client that a stream is for. Answers come on the stream.
///
/// # Errors
/// When there is no such stream of this caller's, or what came is no message.
pub(crate) async fn post<B>(mut incoming: Incoming, query: Option<&str>, body: B) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(id) = query.and_then(|query| query.split('&').find_map(|part| part.strip_prefix(PARAMETER))) else {
        // A client that tries streamable HTTP first learns from this that it has to open a stream (2025-03-26, basic/transports).
        return Ok(not_allowed());
    };
    check_content_type(incoming.noted.json)?;
    let gone = || {
        let message = "there is no event stream with this id; open one with a GET and send its messages where its first event says";
        Failure::http(StatusCode::NOT_FOUND, code::INVALID_REQUEST, message)
    };
    let peer = Id::from_str_radix(id, 16).ok().and_then(|id| incoming.inner.pipes.find(id));
    let peer = peer.filter(|peer| peer.opener.principal() == incoming.identity.principal()).ok_or_else(gone)?;
    let limits = &incoming.snapshot.limits;
    let mut room = Room::new(&incoming.inner.bodies, limits.request_budget);
    let text = read_body(body, limits.max_request_bytes, limits.read_timeout, &mut room).await?;
    let sender = Arc::new(Opener::of(&mut incoming));
    tokio::select! {
        biased;
        // Nobody reads what would be said.
        () = peer.silent() => return Err(gone()),
        taken = peer.receive(text, incoming, &sender) => taken?,
    }
    Ok(status(StatusCode::ACCEPTED))
}

/// Any other method, or a POST for no stream.
pub(crate) fn not_allowed() -> Response<Body> {
    let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}
