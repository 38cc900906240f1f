//! What everybody may read: metadata of protected resources (RFC 9728), and pages of the authenticator's such as an OAuth façade's.
//!
//! Without an authenticator that has metadata or pages there is nothing here, and clients take that for "no authorization needed".

use super::{Body, Peer, cors, identify::METADATA, modern::status, noted::Look, origin::origin, read::read_body, room::Room};
use crate::{
    failure::{Failure, code},
    gateway::{Found, Inner, Snapshot},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use serde_json::{Map, Value};
use std::{error::Error, sync::Arc};
use vmcp_core::{
    Era,
    config::ADMIN_PATHS,
    plugin::{Page, PageRequest, ProtectedResource},
};

/// The longest body that such a page takes, in bytes: a client's registration is a few hundred.
const MAX_BODY: usize = 64 * 1024;

/// How long metadata may be kept, in seconds.
const MAX_AGE: u64 = 300;

/// Answers a request for what nobody needs a credential for. `None`: there is no such page.
pub(super) async fn respond<B>(inner: &Arc<Inner>, snapshot: &Snapshot, peer: &Peer, head: &Parts, body: B) -> Option<Response<Body>>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let resource = snapshot.authenticator.resource();
    let path = head.uri.path();
    if ADMIN_PATHS.iter().any(|own| *own != "/.well-known" && path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest == "/")) {
        return None;
    }
    // Every page may read this, so only the name that the gateway is called by matters.
    if let Err(refused) = snapshot.guard.check_host(&head.uri, &Look::at(&head.headers)) {
        let failure = Failure::http(StatusCode::FORBIDDEN, code::INVALID_REQUEST, &refused.to_string());
        return (resource.is_some()).then(|| failure.into_response(None, Era::Legacy));
    }
    let mut response = match (resource, described(inner, snapshot, path)) {
        (Some(_), Some(_)) if head.method == Method::OPTIONS => cors::preflight(&head.headers),
        (Some(resource), Some(described)) if head.method == Method::GET => metadata(resource, &described, &origin(snapshot, head, peer)),
        (Some(_), Some(_)) => not_allowed(),
        _ => page(inner, snapshot, peer, head, body).await?,
    };
    if response.body().is_json() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Some(response)
}

/// The path of the endpoint that a metadata path is about. Where a backend could be, one is described whether it is there or not: who may
/// not call must not learn which there are.
fn described(inner: &Inner, snapshot: &Snapshot, path: &str) -> Option<String> {
    let rest = path.strip_prefix(METADATA)?;
    let main = &snapshot.config.path;
    if rest.is_empty() || (rest == "/" && main != "/") {
        // Those who guess the place begin here when they know no other.
        let first = inner.endpoints().named().first().map(|named| named.config.path.clone());
        return if snapshot.backends.is_empty() { first } else { Some(main.clone()) };
    }
    match inner.find(rest) {
        Found::Elsewhere(_) => None,
        Found::Endpoint(_) | Found::NoBackend(_) | Found::Events(_) => Some(rest.to_owned()),
    }
}

fn metadata(resource: &ProtectedResource, path: &str, origin: &str) -> Response<Body> {
    let own = || format!("{origin}{}", path.strip_suffix('/').unwrap_or(path));
    let servers = &resource.authorization_servers;
    let servers =
        if servers.is_empty() { vec![Value::from(origin)] } else { servers.iter().map(|server| server.as_str().into()).collect() };
    let mut members = Map::new();
    members.insert("resource".to_owned(), resource.resource.clone().unwrap_or_else(own).into());
    members.insert("authorization_servers".to_owned(), Value::Array(servers));
    if !resource.scopes_supported.is_empty() {
        members.insert("scopes_supported".to_owned(), resource.scopes_supported.as_slice().into());
    }
    members.insert("bearer_methods_supported".to_owned(), Value::Array(vec!["header".into()]));
    let mut response = Response::new(Body::full(Value::Object(members).to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, max_age(MAX_AGE));
    headers.insert(header::VARY, HeaderValue::from_static("host"));
    response
}

/// A page of the authenticator's.
async fn page<B>(inner: &Arc<Inner>, snapshot: &Snapshot, peer: &Peer, head: &Parts, body: B) -> Option<Response<Body>>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let origin = origin(snapshot, head, peer);
    let path = head.uri.path();
    let asked = |method| {
        let mut request = PageRequest::new(method, path, &origin);
        request.query = head.uri.query();
        request
    };
    if head.method == Method::OPTIONS {
        let [get, post] = [&Method::GET, &Method::POST].map(asked);
        let is_there = [&get, &post].into_iter().any(|request| snapshot.authenticator.page(request).is_some());
        return is_there.then(|| cors::preflight(&head.headers));
    }
    if !matches!(head.method, Method::GET | Method::POST) {
        return None;
    }
    let mut request = asked(&head.method);
    // Before anything is read: there may be no such page.
    drop(snapshot.authenticator.page(&request)?);
    let early = |failure: Failure| Some(failure.into_response(None, Era::Legacy));
    let Some(_in_flight) = inner.enter(snapshot.limits.max_in_flight) else {
        return early(Failure::busy("too many requests in flight (limits.maxRequestsInFlight); try again"));
    };
    let mut room = Room::new(&inner.bodies, snapshot.limits.request_budget);
    let read = match read_body(body, MAX_BODY.min(snapshot.limits.max_request_bytes), snapshot.limits.read_timeout, &mut room).await {
        Ok(read) => read,
        Err(failure) => return early(failure),
    };
    request.body = &read;
    let page = snapshot.authenticator.page(&request)?.await;
    Some(shown(page))
}

fn shown(page: Page) -> Response<Body> {
    let mut response = Response::new(Body::full(page.body));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(header::CACHE_CONTROL, page.max_age.map_or(HeaderValue::from_static("no-store"), |age| max_age(age.as_secs())));
    headers.insert(header::VARY, HeaderValue::from_static("host"));
    if let Some(location) = page.location.and_then(|url| HeaderValue::from_str(url.as_str()).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

fn max_age(seconds: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("max-age={seconds}")).unwrap_or(HeaderValue::from_static("no-store"))
}

fn not_allowed() -> Response<Body> {
    let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}
