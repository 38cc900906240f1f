//! HTTP around one small MCP server on a loopback port.

use super::protocol::{Answer, Whoami};
use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// A server that runs until it is dropped.
pub(super) struct Server {
    pub(super) name: &'static str,
    /// Its endpoint.
    pub(super) url: String,
    _serving: JoinSet<()>,
}

/// The longest request that is read.
const MAX_BODY: usize = 1024 * 1024;
/// How many connections there may be at once.
const MAX_CONNECTIONS: usize = 256;
const PATH: &str = "/mcp";

impl Server {
    /// Starts a server on a free port.
    pub(super) async fn start(name: &'static str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("the demo's servers need a free port on 127.0.0.1")?;
        let url = format!("http://{}{PATH}", listener.local_addr().context("cannot tell the listener's address")?);
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::new(Whoami { name })));
        Ok(Self { name, url, _serving: serving })
    }
}

async fn accept(listener: TcpListener, whoami: Arc<Whoami>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        let Ok((stream, _)) = listener.accept().await else {
            // One connection's failure, or no file descriptor just now.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let whoami = Arc::clone(&whoami);
        let service = service_fn(move |request| {
            let whoami = Arc::clone(&whoami);
            async move { Ok::<_, Infallible>(respond(&whoami, request).await) }
        });
        connections.spawn(async move {
            // A connection that breaks is its client's business.
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(whoami: &Whoami, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() != PATH {
        return plain(StatusCode::NOT_FOUND);
    }
    // A page in a browser on this machine is not who this is for (2025-11-25, basic/transports, security warning).
    if parts.headers.contains_key(header::ORIGIN) {
        return plain(StatusCode::FORBIDDEN);
    }
    if parts.method != Method::POST {
        // No sessions to end and nothing to listen to.
        return plain(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    json(whoami.answer(&parts.headers, &body.to_bytes()))
}

fn json(answer: Answer) -> Response<Full<Bytes>> {
    let Some(message) = answer.message else { return plain(answer.status) };
    let mut response = Response::new(Full::new(Bytes::from(message.to_string())));
    *response.status_mut() = answer.status;
    *response.headers_mut() = HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]);
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
