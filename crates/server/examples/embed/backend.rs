//! The other side of the example: a small MCP server (revision 2026-07-28), and what a client sends to the gateway.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use tokio::net::TcpListener;

const VERSION: &str = "2026-07-28";

/// Serves on a free port as long as the runtime lives. Gives the URL.
#[expect(clippy::disallowed_methods, reason = "an MCP server of its own, which no gateway's shutdown waits for")]
pub(crate) async fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    Ok(url)
}

/// Answers one request. Its one tool, `whoami`, tells the `authorization` header.
async fn answer(request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let message: Value = serde_json::from_slice(&body.collect().await.map_err(io::Error::other)?.to_bytes()).unwrap_or_default();
    let seen = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nothing");
    let mut result = match message["method"].as_str() {
        Some("server/discover") => json!({ "supportedVersions": [VERSION], "capabilities": { "tools": {} } }),
        Some("tools/list") => json!({ "tools": [{ "name": "whoami", "inputSchema": { "type": "object" } }] }),
        Some("tools/call") => json!({ "content": [{ "type": "text", "text": format!("I was sent: {seen}") }] }),
        _ => {
            let error = json!({ "code": -32601, "message": "unknown method" });
            return respond(404, &json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }));
        }
    };
    result["resultType"] = "complete".into();
    respond(200, &json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}

fn respond(status: u16, message: &Value) -> io::Result<Response<Full<Bytes>>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(message.to_string().into()).map_err(io::Error::other)
}

/// A client's call of a tool without arguments.
pub(crate) fn request(tool: &str) -> Request<Full<Bytes>> {
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {} });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {}, "_meta": meta } });
    let mut request = Request::new(Full::from(message.to_string()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("http://localhost/mcp");
    let headers = [
        ("host", "localhost"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    let headers = headers.into_iter().filter_map(|(name, value)| Some((http::HeaderName::from_static(name), value.parse().ok()?)));
    request.headers_mut().extend(headers);
    request
}

/// The body of a response.
pub(crate) async fn text(response: Response<vmcp_server::Body>) -> io::Result<String> {
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
