//! The gateway as a tower service.

use super::{
    Attended, Attending, Body, Peer, ReplySlot, admin, cors, duplex,
    identify::{address, identify},
    legacy,
    modern::status,
    noted::{Look, Noted, Once},
    post::{Carrier, Incoming, post},
    public,
    reply::PostFuture,
    unread::pass_over,
};
use crate::{
    failure::{Failure, code},
    gateway::{Found, Inner, Snapshot},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts};
use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::Service;
use vmcp_core::Era;

/// The longest request head. The connection's buffer has the same size, and may take in a little more at once.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// The gateway for the requests of one connection. Never fails: whatever goes wrong is a response.
#[derive(Clone)]
pub struct GatewayService {
    inner: Arc<Inner>,
    peer: Peer,
    /// Whom to tell of requests.
    attending: Option<Attending>,
}

impl GatewayService {
    pub(crate) fn new(inner: Arc<Inner>, peer: Peer) -> Self {
        Self { inner, peer, attending: None }
    }

    pub(super) fn reporting(self, attending: Attending) -> Self {
        Self { attending: Some(attending), ..self }
    }

    fn respond<B>(&self, request: Request<B>) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let slot = Arc::new(ReplySlot::default());
        let (inner, peer) = (Arc::clone(&self.inner), self.peer.clone());
        let tracker = inner.tracker.clone();
        let response = PostFuture::new(respond(inner, peer, request, Arc::clone(&slot)), slot, tracker);
        Answering { response, attended: self.attending.as_ref().map(Attending::begin) }
    }
}

impl<B> Service<Request<B>> for GatewayService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        self.respond(request)
    }
}

impl<B> hyper::service::Service<Request<B>> for GatewayService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        self.respond(request)
    }
}

/// The future of a response.
pub struct Answering {
    response: PostFuture,
    attended: Option<Attended>,
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.response).poll(cx));
        Poll::Ready(Ok(match self.attended.take() {
            Some(attended) => response.map(|body| body.attended(attended)),
            None => response,
        }))
    }
}

async fn respond<B>(inner: Arc<Inner>, peer: Peer, request: Request<B>, slot: Arc<ReplySlot>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let (snapshot, place) = match inner.find(head.uri.path()) {
        Found::Endpoint(snapshot) => (snapshot, Place::Endpoint),
        Found::NoBackend(snapshot) => (snapshot, Place::NoBackend),
        Found::Events(snapshot) => (snapshot, Place::Events),
        Found::Elsewhere(snapshot) => {
            // Boxed: the requests of other places must not become larger.
            return match Box::pin(public::respond(&inner, &snapshot, &peer, &head, body)).await {
                Some(response) => response,
                None => admin::respond(inner, snapshot, peer, head).await,
            };
        }
    };
    let look = Look::at(&head.headers);
    let mut origin = if let Once::One(origin) = look.origin { Some(origin.clone()) } else { None };
    let mut response = match guarded(&snapshot, &head.uri, look) {
        Ok(noted) => endpoint(inner, snapshot, place, peer, Arrived { head, noted }, body, slot).await,
        Err(failure) => {
            // A page that is not let in reads nothing, not even why.
            origin = None;
            failure.into_response(None, Era::Legacy)
        }
    };
    if response.body().is_json() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(origin) = origin {
        cors::allow(&mut response, origin);
    }
    response
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Endpoint,
    /// Where one would be if there were such a backend.
    NoBackend,
    /// The event streams of old clients.
    Events,
}

/// What the gateway is told by the headers of a request that may come in.
fn guarded(snapshot: &Snapshot, uri: &Uri, look: Look<'_>) -> Result<Noted, Failure> {
    if let Err(refused) = snapshot.guard.check(uri, &look) {
        return Err(Failure::http(StatusCode::FORBIDDEN, code::INVALID_REQUEST, &refused.to_string()));
    }
    if look.length > MAX_HEAD {
        let message = "the request's headers are longer than 64 KiB";
        return Err(Failure::http(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, code::INVALID_REQUEST, message));
    }
    Ok(look.noted)
}

/// A request that has passed the guard.
struct Arrived {
    head: Parts,
    noted: Noted,
}

/// Answers at an endpoint, or at another place that is as well guarded.
async fn endpoint<B>(
    inner: Arc<Inner>,
    snapshot: Arc<Snapshot>,
    place: Place,
    peer: Peer,
    arrived: Arrived,
    body: B,
    slot: Arc<ReplySlot>,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Arrived { head, noted } = arrived;
    if head.method == Method::OPTIONS {
        return cors::preflight(&head.headers);
    }
    let Some(in_flight) = inner.enter(snapshot.limits.max_in_flight) else {
        return Failure::busy("too many requests in flight (limits.maxRequestsInFlight); try again").into_response(None, Era::Legacy);
    };
    let identity = match identify(&snapshot, head.uri.path(), &head, &peer).await {
        Ok(identity) => identity,
        // Boxed: who is let in does not pay for it. And who is not takes no room from others while the body comes.
        Err(failure) => {
            drop(in_flight);
            return Box::pin(pass_over(body, failure.into_response(None, Era::Legacy))).await;
        }
    };
    if place == Place::NoBackend {
        let message = "no backend of this gateway has this name";
        let failure = Failure::http(StatusCode::NOT_FOUND, code::INVALID_REQUEST, message);
        return Box::pin(pass_over(body, failure.into_response(None, Era::Legacy))).await;
    }
    // Callers that are told apart need no cap by address, and on loopback everybody has the same one.
    let counted_peer =
        if snapshot.authenticator.is_anonymous() { address(&snapshot, &head.headers, &peer).and_then(counted) } else { None };
    let mut incoming = Incoming { inner, snapshot, carrier: Carrier::Http, headers: head.headers, noted, identity, counted_peer };
    if place == Place::Events {
        let outcome = match head.method {
            // Boxed: the requests of other places must not become larger.
            Method::POST => Box::pin(duplex::post(incoming, head.uri.query(), body)).await,
            Method::GET => duplex::open(incoming),
            _ => Ok(duplex::not_allowed()),
        };
        return outcome.unwrap_or_else(|failure| failure.into_response(None, Era::Legacy));
    }
    let outcome = match head.method {
        Method::POST => {
            let response = post(&incoming, body, slot).await;
            return in_place_of(std::mem::take(&mut incoming.headers), response);
        }
        Method::GET if legacy::names_session(&incoming.headers) => legacy::stream(&incoming),
        Method::DELETE if legacy::names_session(&incoming.headers) => legacy::delete(&incoming),
        _ => Ok(not_allowed()),
    };
    outcome.unwrap_or_else(|failure| failure.into_response(None, Era::Legacy))
}

/// Under which address somebody's sessions are counted; `None` on loopback. One who has an IPv6 address mostly has a whole /64 of them
/// (RFC 6177), and an IPv4 address may come dressed as IPv6 (RFC 4291 §2.5.5.2).
fn counted(ip: IpAddr) -> Option<IpAddr> {
    const NETWORK: u128 = !(u64::MAX as u128);
    let ip = ip.to_canonical();
    (!ip.is_loopback()).then(|| match ip {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & NETWORK).into()),
        ip @ IpAddr::V4(_) => ip,
    })
}

/// The response with its headers in the map of the request's: the connection uses that map again for the next request, which finds
/// room for all its headers.
fn in_place_of(mut request: HeaderMap, mut response: Response<Body>) -> Response<Body> {
    request.clear();
    request.extend(response.headers_mut().drain());
    *response.headers_mut() = request;
    response
}

fn not_allowed() -> Response<Body> {
    let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn sessions_are_counted_by_who_can_have_the_address() {
        let same = |a: &str, b: &str| counted(a.parse().unwrap()) == counted(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:2") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert!(["127.0.0.2", "::1", "::ffff:127.0.0.1"].iter().all(|ip| counted(ip.parse().unwrap()).is_none()));
    }
}
