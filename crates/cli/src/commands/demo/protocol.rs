//! A small MCP server with one tool, `whoami`, which answers with the headers it received. It speaks both eras, without sessions:
//! 2026-07-28 knows none, and a server of 2025-11-25 may do without (basic/transports, session management).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use vmcp_core::{Era, Revision};

/// The server's own facts.
pub(super) struct Whoami {
    pub(super) name: &'static str,
}

/// What is sent back.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// None to a notification.
    pub(super) message: Option<Value>,
}

/// An error on its way into a message.
struct Refusal {
    status: StatusCode,
    code: i64,
    message: String,
    data: Value,
}

const INVALID_PARAMS: i64 = -32602;
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

impl Refusal {
    fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: Value::Null }
    }
}

impl Whoami {
    /// Answers one message.
    pub(super) fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let Ok(Value::Object(message)) = serde_json::from_slice(body) else {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, -32700, "one JSON object is expected");
            return refused(&Value::Null, refusal);
        };
        let (Some(id), Some(method)) = (message.get("id"), message.get("method").and_then(Value::as_str)) else {
            // A notification: nothing here waits for one.
            return Answer { status: StatusCode::ACCEPTED, message: None };
        };
        let params = message.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        let result = match era(headers, &params) {
            Era::Modern => check(headers, method, &params).and_then(|()| self.modern(headers, method, &params)),
            Era::Legacy => self.legacy(headers, method, &params),
        };
        match result {
            Ok(result) => Answer { status: StatusCode::OK, message: Some(json!({ "jsonrpc": "2.0", "id": id, "result": result })) },
            Err(refusal) => refused(id, refusal),
        }
    }

    fn modern(&self, headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<Value, Refusal> {
        let (mut result, cacheable) = match method {
            "server/discover" => (json!({ "supportedVersions": versions(), "capabilities": { "tools": {} } }), true),
            "tools/list" => (json!({ "tools": [tool()] }), true),
            "tools/call" => (self.call(headers, params)?, false),
            _ => return Err(Refusal::new(StatusCode::NOT_FOUND, -32601, format!("unknown method: {method}"))),
        };
        result["resultType"] = "complete".into();
        result["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": self.info() });
        if cacheable {
            result["ttlMs"] = 60_000.into();
            result["cacheScope"] = "public".into();
        }
        Ok(result)
    }

    fn legacy(&self, headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<Value, Refusal> {
        match method {
            "initialize" => {
                let asked = params.get("protocolVersion").and_then(Value::as_str).and_then(Revision::parse);
                let known = asked.filter(|asked| asked.era() == Era::Legacy && Revision::SERVED.contains(asked));
                let version = known.unwrap_or(Revision::LATEST_LEGACY).as_str();
                Ok(json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": self.info() }))
            }
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({ "tools": [tool()] })),
            "tools/call" => self.call(headers, params),
            _ => Err(Refusal::new(StatusCode::OK, -32601, format!("unknown method: {method}"))),
        }
    }

    fn info(&self) -> Value {
        json!({ "name": format!("vmcp-demo-{}", self.name), "version": env!("CARGO_PKG_VERSION") })
    }

    fn call(&self, headers: &HeaderMap, params: &Map<String, Value>) -> Result<Value, Refusal> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        if name != "whoami" {
            return Err(Refusal::new(StatusCode::OK, INVALID_PARAMS, format!("Unknown tool: {name}")));
        }
        if params.get("arguments").and_then(Value::as_object).is_some_and(|arguments| !arguments.is_empty()) {
            // Wrong arguments are for the model to mend (2025-11-25, server/tools, error handling).
            return Ok(json!({ "content": [{ "type": "text", "text": "whoami takes no arguments" }], "isError": true }));
        }
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        let received = json!({ "server": self.name, "headers": headers.iter().map(line).collect::<Vec<_>>() });
        // The same as text, for clients that read only that (2025-11-25, server/tools, structured content).
        Ok(json!({ "content": [{ "type": "text", "text": received.to_string() }], "structuredContent": received }))
    }
}

fn tool() -> Value {
    json!({
        "name": "whoami",
        "description": "Answers with the headers of the request that this server received.",
        "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
        "outputSchema": {
            "type": "object",
            "properties": {
                "server": { "type": "string" },
                "headers": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["server", "headers"],
        },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    })
}

fn versions() -> Vec<&'static str> {
    Revision::SERVED.iter().map(|revision| revision.as_str()).collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn meta<'a>(params: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    params.get("_meta")?.get(key)
}

/// Modern is who says so: with a version in the request's `_meta`, or one in the header that no older revision has.
fn era(headers: &HeaderMap, params: &Map<String, Value>) -> Era {
    let legacy =
        text(headers, "mcp-protocol-version").is_none_or(|text| Revision::parse(text).is_some_and(|known| known.era() == Era::Legacy));
    if legacy && meta(params, VERSION).is_none() { Era::Legacy } else { Era::Modern }
}

/// What every modern request has to carry (2026-07-28, basic/index and basic/transports/streamable-http).
fn check(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<(), Refusal> {
    let bad = |code, message: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, code, message));
    let Some(version) = meta(params, VERSION).and_then(Value::as_str) else {
        return bad(INVALID_PARAMS, "_meta has no protocolVersion");
    };
    if !meta(params, CAPABILITIES).is_some_and(Value::is_object) {
        return bad(INVALID_PARAMS, "_meta has no clientCapabilities");
    }
    if text(headers, "mcp-protocol-version") != Some(version) {
        return bad(HEADER_MISMATCH, "MCP-Protocol-Version is not what the body says");
    }
    if Revision::parse(version) != Some(Revision::LATEST_MODERN) {
        let mut refusal = Refusal::new(StatusCode::BAD_REQUEST, UNSUPPORTED_VERSION, "this protocol version is not supported");
        refusal.data = json!({ "supported": versions(), "requested": version });
        return Err(refusal);
    }
    if text(headers, "mcp-method") != Some(method) {
        return bad(HEADER_MISMATCH, "Mcp-Method is not the body's method");
    }
    // The one name here is plain, so an encoded one is another name.
    if method == "tools/call" && text(headers, "mcp-name") != params.get("name").and_then(Value::as_str) {
        return bad(HEADER_MISMATCH, "Mcp-Name is not the tool that the body names");
    }
    Ok(())
}

fn refused(id: &Value, refusal: Refusal) -> Answer {
    let Refusal { status, code, message, data } = refusal;
    let mut error = json!({ "code": code, "message": message });
    if !data.is_null() {
        error["data"] = data;
    }
    Answer { status, message: Some(json!({ "jsonrpc": "2.0", "id": id, "error": error })) }
}

#[cfg(test)]
mod tests;
