//! Content negotiation: what a client sends and what it reads.

use super::noted::Once;
use crate::failure::{Failure, code};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// What a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepts {
    pub(crate) json: bool,
    pub(crate) events: bool,
}

/// What clients send, the specification's own example.
const USUAL: &str = "application/json, text/event-stream";

/// Reads `Accept`. Absent means everything (RFC 9110, section 12.5.1).
pub(crate) fn accepts(headers: &HeaderMap) -> Accepts {
    let mut found = None;
    headers.get_all(header::ACCEPT).iter().for_each(|value| Accepts::add(&mut found, value));
    found.unwrap_or(Accepts::ALL)
}

impl Accepts {
    /// What who says nothing reads.
    pub(crate) const ALL: Self = Self { json: true, events: true };

    /// Takes in one more `Accept`.
    pub(super) fn add(so_far: &mut Option<Self>, value: &HeaderValue) {
        let found = so_far.get_or_insert(Self { json: false, events: false });
        if value == USUAL {
            *found = Self::ALL;
            return;
        }
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';');
            let media = parts.next().unwrap_or_default().trim();
            if parts.any(|part| matches!(part.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")) {
                continue;
            }
            match media.to_ascii_lowercase().as_str() {
                "*/*" => *found = Self::ALL,
                "application/json" | "application/*" => found.json = true,
                "text/event-stream" | "text/*" => found.events = true,
                _ => {}
            }
        }
    }
}

/// Whether a `Content-Type` is that of JSON, whatever its parameters.
pub(super) fn is_json(value: &HeaderValue) -> bool {
    const JSON: &str = "application/json";
    let is_json = |value: &str| value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(JSON));
    value == JSON || value.to_str().is_ok_and(is_json)
}

/// A body has to be JSON (basic/transports, sending messages).
pub(crate) fn check_content_type(json: Once<bool>) -> Result<(), Failure> {
    if let Once::One(true) = json {
        return Ok(());
    }
    Err(Failure::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code::INVALID_REQUEST,
        "the body has to be sent as `content-type: application/json`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accept(values: &[&'static str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        let accepts = accepts(&headers);
        (accepts.json, accepts.events)
    }

    #[test]
    fn accept_is_read_as_clients_write_it() {
        assert_eq!(accept(&[]), (true, true));
        assert_eq!(accept(&["application/json, text/event-stream"]), (true, true));
        assert_eq!(accept(&["Application/JSON;q=0.9", "text/event-stream"]), (true, true));
        assert_eq!(accept(&["*/*"]), (true, true));
        assert_eq!(accept(&["application/json"]), (true, false));
        assert_eq!(accept(&["text/event-stream"]), (false, true));
        assert_eq!(accept(&["text/html, application/json;q=0"]), (false, false));
    }

    #[test]
    fn only_json_is_taken() {
        let check = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            }
            check_content_type(crate::edge::noted::Noted::of(&headers).json).is_ok()
        };
        assert!(check(Some("application/json")) && check(Some("Application/Json; charset=utf-8")));
        assert!(!check(None) && !check(Some("text/plain")) && !check(Some("application/jsonp")));
    }
}
