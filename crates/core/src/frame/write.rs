//! Envelopes around raw JSON.

use super::scan::plain;
use bytes::Bytes;
use memchr::memchr2;

/// Appends `text` as a JSON string literal.
pub fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (itself, special) = rest.split_at(plain(rest));
        out.extend_from_slice(itself);
        let Some((byte, behind)) = special.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = behind;
    }
    out.push(b'"');
}

/// Appends a number in decimal digits.
fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Appends a request up to its `params`: the caller appends their JSON text and a closing brace.
pub fn request(id: u64, method: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    number(id, out);
    out.extend_from_slice(b",\"method\":");
    json_string(method, out);
    out.extend_from_slice(b",\"params\":");
}

/// A whole request; `id` and `params` are JSON text.
#[must_use]
pub fn request_text(id: &str, method: &str, params: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + id.len() + params.map_or(0, str::len));
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"method\":");
    json_string(method, &mut out);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params.as_bytes());
    }
    out.push(b'}');
    out
}

/// A whole notification; `params` is JSON text.
#[must_use]
pub fn notification(method: &str, params: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + params.map_or(0, str::len));
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":");
    json_string(method, &mut out);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params.as_bytes());
    }
    out.push(b'}');
    out
}

/// A response up to its result: the caller appends the result's JSON text and a closing brace, for which there is room for `rest` bytes.
/// `id` is JSON text.
#[must_use]
pub fn response_head(id: &str, rest: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(40 + id.len() + rest);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":");
    out
}

/// A JSON-RPC error object; `data` is JSON text.
#[must_use]
pub fn error_object(code: i64, message: &str, data: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(48 + message.len() + data.map_or(0, str::len));
    out.extend_from_slice(b"{\"code\":");
    out.extend_from_slice(code.to_string().as_bytes());
    out.extend_from_slice(b",\"message\":");
    json_string(message, &mut out);
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
    out
}

/// A whole error response. `id` and `error` are JSON text; without an id it is `null` (JSON-RPC 2.0, section 5).
#[must_use]
pub fn error_response(id: Option<&str>, error: &[u8]) -> Vec<u8> {
    let id = id.unwrap_or("null");
    let mut out = Vec::with_capacity(40 + id.len() + error.len());
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(error);
    out.push(b'}');
    out
}

/// The same JSON on one line, for framings that end at a line end (SSE `data:`, stdio).
///
/// Inside strings JSON has no raw line ends, so every one found stands between tokens and may be a space. Without any, the bytes
/// are returned as they are.
#[must_use]
pub fn single_line(json: Bytes) -> Bytes {
    if memchr2(b'\r', b'\n', &json).is_none() {
        return json;
    }
    json.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b }).collect::<Vec<u8>>().into()
}
