//! From an HTTP request to an HTTP response.

use super::{
    Asked, Endpoint, Outage, grants, pages,
    state::{State, lock},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, LOCATION},
};
use serde_json::Value;
use std::{collections::HashMap, io, sync::Arc};

/// Answers one request. An error closes the connection without an answer.
pub(super) async fn handle(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let endpoint = endpoint(&state, head.uri.path());
    let fields =
        if head.method == Method::POST { std::str::from_utf8(&body).unwrap_or_default() } else { head.uri.query().unwrap_or_default() };
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let asked = Asked { endpoint, target: head.uri.to_string(), headers: headers.collect(), form: form(fields) };
    state.note(asked.clone());
    let outage = lock(&state.outages).get(&endpoint).cloned();
    match outage {
        None => {}
        Some(Outage::Slow(late)) => tokio::time::sleep(late).await,
        Some(Outage::Status(status)) => return said((status, serde_json::json!({ "error": "outage" }))),
        Some(Outage::Body(text)) => return json(200, text),
        Some(Outage::Redirect(to)) => return redirect(&to),
        Some(Outage::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Outage::Hang) => {
            let mut changed = state.changed.subscribe();
            while lock(&state.outages).contains_key(&endpoint) {
                if changed.changed().await.is_err() {
                    break;
                }
            }
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    let is_post = head.method == Method::POST;
    match endpoint {
        Endpoint::OpenId | Endpoint::OAuth => said((200, pages::metadata(&state))),
        Endpoint::Keys => said((200, pages::keys(&state))),
        Endpoint::Authorize => match grants::authorize(&state, &asked) {
            Ok(to) => redirect(&to),
            Err(refusal) => said(refusal),
        },
        Endpoint::Token if is_post => said(grants::token(&state, &asked)),
        Endpoint::Introspect if is_post => said(grants::introspect(&state, &asked)),
        Endpoint::Register if is_post => said(grants::register(&state, &serde_json::from_slice(&body).unwrap_or(Value::Null))),
        _ => said((404, serde_json::json!({ "error": "not_found" }))),
    }
}

/// Which one a path is. Metadata stands before the issuer's path (RFC 8414 §3.1) and, for OpenID Connect, behind it.
fn endpoint(state: &State, path: &str) -> Endpoint {
    let own = &state.spec.path;
    let openid = "/.well-known/openid-configuration";
    if state.spec.openid && (path == format!("{own}{openid}") || path == format!("{openid}{own}")) {
        return Endpoint::OpenId;
    }
    if state.spec.oauth && path == format!("/.well-known/oauth-authorization-server{own}") {
        return Endpoint::OAuth;
    }
    match path.strip_prefix(own.as_str()) {
        Some("/jwks") => Endpoint::Keys,
        Some("/authorize") => Endpoint::Authorize,
        Some("/token") => Endpoint::Token,
        Some("/introspect") => Endpoint::Introspect,
        Some("/register") => Endpoint::Register,
        _ => Endpoint::Unknown,
    }
}

fn said((status, body): grants::Said) -> io::Result<Response<Full<Bytes>>> {
    json(status, body.to_string())
}

fn json(status: u16, body: String) -> io::Result<Response<Full<Bytes>>> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    response.body(Full::new(body.into())).map_err(io::Error::other)
}

fn redirect(to: &str) -> io::Result<Response<Full<Bytes>>> {
    Response::builder().status(302).header(LOCATION, to).body(Full::default()).map_err(io::Error::other)
}

/// The fields of `application/x-www-form-urlencoded`.
fn form(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (unescaped(name), unescaped(value))).collect()
}

/// Takes percent-encoding and `+` back.
pub(super) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let hex = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, tail.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 (§2.3).
#[must_use]
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut done, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            done.push(byte.into());
        } else {
            done.push_str(&format!("%{byte:02X}"));
        }
        done
    })
}
