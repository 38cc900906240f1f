//! The one table from what went wrong to what a caller is told: JSON-RPC code and HTTP status for each era.

use crate::edge::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use vmcp_core::{
    Era, Retry,
    frame::{Edit, FrameError, RawObject, error_object, error_response, json_string},
};

/// JSON-RPC codes (JSON-RPC 2.0 section 5.1; MCP 2025-11-25, server/resources; 2026-07-28, basic/index).
pub(crate) mod code {
    pub(crate) const INVALID_REQUEST: i64 = -32600;
    pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
    pub(crate) const INVALID_PARAMS: i64 = -32602;
    pub(crate) const INTERNAL: i64 = -32603;
    /// Legacy only.
    pub(crate) const RESOURCE_NOT_FOUND: i64 = -32002;
    /// Legacy only.
    pub(crate) const URL_ELICITATION_REQUIRED: i64 = -32042;
    pub(crate) const HEADER_MISMATCH: i64 = -32020;
    pub(crate) const MISSING_CAPABILITY: i64 = -32021;
    pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;
    /// Outside every reserved range: the caller cancelled the request itself.
    pub(crate) const CANCELLED: i64 = -31800;
    /// Outside every reserved range: an interceptor refused the call or its result.
    pub(crate) const REFUSED: i64 = -31801;
}

/// A failure on its way to a caller. Boxed, since it travels through results whose good side is small.
#[derive(Debug)]
pub(crate) struct Failure(Box<Told>);

#[derive(Debug)]
struct Told {
    code: i64,
    /// The error object's JSON text.
    object: Bytes,
    status: Status,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Copy, Debug)]
enum Status {
    /// A JSON-RPC failure of a request that arrived well: the era decides.
    ByEra,
    /// A failure of HTTP itself.
    Http(StatusCode),
}

impl Failure {
    pub(crate) fn new(code: i64, message: &str) -> Self {
        Self::with_data(code, message, None)
    }

    fn with_data(code: i64, message: &str, data: Option<&str>) -> Self {
        Self::told(code, error_object(code, message, data).into())
    }

    fn told(code: i64, object: Bytes) -> Self {
        Self(Box::new(Told { code, object, status: Status::ByEra, header: None }))
    }

    /// A failure of HTTP itself, before a request could be understood.
    pub(crate) fn http(status: StatusCode, code: i64, message: &str) -> Self {
        let mut failure = Self::new(code, message);
        failure.0.status = Status::Http(status);
        failure
    }

    /// A failure with one more header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Bytes that are no message.
    pub(crate) fn frame(error: FrameError) -> Self {
        Self::http(StatusCode::BAD_REQUEST, i64::from(error.code()), &error.to_string())
    }

    pub(crate) fn invalid_params(message: &str) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// A modern request whose `_meta` lacks what every request has to carry.
    pub(crate) fn invalid_meta(message: &str) -> Self {
        Self::http(StatusCode::BAD_REQUEST, code::INVALID_PARAMS, message)
    }

    pub(crate) fn header_mismatch(message: &str) -> Self {
        Self::new(code::HEADER_MISMATCH, message)
    }

    /// `supported` and `requested` are JSON text.
    pub(crate) fn unsupported_version(supported: &str, requested: &str) -> Self {
        let data = format!("{{\"supported\":{supported},\"requested\":{requested}}}");
        Self::with_data(code::UNSUPPORTED_VERSION, "this protocol version is not supported", Some(&data))
    }

    pub(crate) fn unknown_method(method: &str) -> Self {
        Self::new(code::METHOD_NOT_FOUND, &format!("unknown method: {method}"))
    }

    /// A tool or prompt that does not exist, or that this caller may not see: the two look alike.
    pub(crate) fn unknown(what: &str, name: &str) -> Self {
        Self::new(code::INVALID_PARAMS, &format!("Unknown {what}: {name}"))
    }

    pub(crate) fn unknown_resource(uri: &str, era: Era) -> Self {
        let code = if era == Era::Modern { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND };
        Self::with_data(code, "Resource not found", Some(&uri_data(uri)))
    }

    /// The error with which a client answered what was asked of it: ends the call that asked.
    pub(crate) fn of_client(object: &Bytes) -> Self {
        let code = parsed(object).and_then(|object| object.get("code")?.parse().ok());
        code.map_or_else(
            || Self::new(code::INTERNAL, "the client answered with an error that cannot be read"),
            |code| Self::told(code, object.clone()),
        )
    }

    /// An interceptor's own words.
    pub(crate) fn refused(why: &str) -> Self {
        Self::new(code::REFUSED, why)
    }

    pub(crate) fn internal(message: &str) -> Self {
        Self::new(code::INTERNAL, message)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(code::CANCELLED, "the request was cancelled")
    }

    /// A backend's own JSON-RPC error, which passes as it is except for codes that mean something else, or nothing, in the caller's era.
    /// `uri` is the resource that was asked for, if one was.
    pub(crate) fn passed(code: i64, object: Bytes, caller: Era, backend: Era, uri: Option<&str>) -> Self {
        match (caller, backend, code) {
            (Era::Legacy, Era::Legacy, _) => Self::told(code, object),
            // These two are about vmcp's own request to the backend, not about the caller's.
            (_, _, code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION) => {
                Self::new(code::INTERNAL, "the backend refused the headers or the protocol version of the forwarded request")
            }
            // A modern miss has no code of its own; what it has is the URI in its data (2026-07-28, server/resources).
            (Era::Legacy, Era::Modern, code::INVALID_PARAMS) if uri.is_some_and(|uri| is_about(&object, uri)) => {
                Self::recoded(&object, code::RESOURCE_NOT_FOUND)
            }
            (Era::Modern, _, code::RESOURCE_NOT_FOUND) => match uri {
                Some(uri) => Self::unknown_resource(uri, caller),
                None => Self::recoded(&object, code::INVALID_PARAMS),
            },
            (Era::Modern, _, code::URL_ELICITATION_REQUIRED) => {
                Self::missing_capability("the backend asks for URL elicitation", r#"{"elicitation":{"url":{}}}"#)
            }
            // What servers of earlier revisions chose for themselves lies where 2026-07-28 wants no new codes (basic/index, error codes).
            (Era::Modern, Era::Legacy, -32019..=-32000) => Self::recoded(&object, code::INTERNAL),
            _ => Self::told(code, object),
        }
    }

    /// The request declares too little for what it leads to (2026-07-28, basic/index, error codes). `required` is the JSON text of a
    /// `ClientCapabilities` object.
    pub(crate) fn missing_capability(why: &str, required: &str) -> Self {
        let message = format!("{why}, which this request did not declare in `clientCapabilities`");
        Self::with_data(code::MISSING_CAPABILITY, &message, Some(&format!("{{\"requiredCapabilities\":{required}}}")))
    }

    /// An error under another code, with everything else as it was.
    fn recoded(object: &Bytes, code: i64) -> Self {
        let number = code.to_string();
        let mut recoded = Vec::with_capacity(object.len() + 8);
        match parsed(object) {
            Some(object) => object.write(&[Edit::Set("code", &number)], &mut recoded),
            None => recoded.extend_from_slice(object),
        }
        Self::told(code, recoded.into())
    }

    /// A backend that did not answer, or not in a way that can be passed on.
    pub(crate) fn backend(error: &vmcp_backend::Error) -> Self {
        let retry = match error.retry() {
            Retry::Safe => "safe",
            Retry::Unsafe => "unsafe",
            Retry::Useless => "useless",
        };
        let mut data = b"{\"backend\":".to_vec();
        json_string(error.backend(), &mut data);
        data.extend_from_slice(b",\"phase\":");
        json_string(&error.phase().to_string(), &mut data);
        data.extend_from_slice(format!(",\"retry\":\"{retry}\"}}").as_bytes());
        let code = if matches!(error.kind(), vmcp_backend::ErrorKind::MissingHeader(_)) { code::INVALID_PARAMS } else { code::INTERNAL };
        Self::with_data(code, &error.to_string(), std::str::from_utf8(&data).ok())
    }

    pub(crate) fn code(&self) -> i64 {
        self.0.code
    }

    /// The error object's JSON text.
    pub(crate) fn object(&self) -> &Bytes {
        &self.0.object
    }

    /// 2026-07-28, basic/transports/streamable-http: protocol errors have a status, others are a 200. Legacy: always 200.
    fn status(&self, era: Era) -> StatusCode {
        match (self.0.status, era, self.0.code) {
            (Status::Http(status), ..) => status,
            (_, Era::Modern, code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION) => StatusCode::BAD_REQUEST,
            (_, Era::Modern, code::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        }
    }

    /// The whole JSON-RPC message. `id` is JSON text.
    pub(crate) fn message(&self, id: Option<&str>) -> Vec<u8> {
        error_response(id, &self.0.object)
    }

    pub(crate) fn into_response(self, id: Option<&str>, era: Era) -> Response<Body> {
        let mut response = Response::new(Body::full(self.message(id)));
        *response.status_mut() = self.status(era);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = self.0.header {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The caller has used up a share of its own (RFC 6585 §4).
    pub(crate) fn too_many(message: &str) -> Self {
        Self::http(StatusCode::TOO_MANY_REQUESTS, code::INTERNAL, message).with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The gateway has no room for this request now.
    pub(crate) fn busy(message: &str) -> Self {
        Self::http(StatusCode::SERVICE_UNAVAILABLE, code::INTERNAL, message).with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

fn parsed(object: &Bytes) -> Option<RawObject<'_>> {
    std::str::from_utf8(object).ok().and_then(|text| RawObject::parse(text).ok())
}

/// Whether an error says in its data that it is about this resource.
fn is_about(object: &Bytes, uri: &str) -> bool {
    parsed(object).and_then(|object| object.get_object("data")?.get_str("uri")).is_some_and(|about| about == uri)
}

fn uri_data(uri: &str) -> String {
    let mut data = b"{\"uri\":".to_vec();
    json_string(uri, &mut data);
    data.push(b'}');
    String::from_utf8(data).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests;
