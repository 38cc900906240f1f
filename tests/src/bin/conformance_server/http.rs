//! The server over HTTP: the SDK's service on a loopback listener.
//!
//! The SDK cannot end the stream of a running call from inside the tool that it runs. So the end of `test_reconnection`'s stream is made
//! here: the connection's side of it goes, the session keeps what comes later, and a GET with `Last-Event-ID` finds it (SEP-1699).

use crate::handler::{Handler, Shared};
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::local::{LocalSessionManager, SessionConfig},
};
use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tokio::{net::TcpListener, time::Sleep};

type Service = StreamableHttpService<Handler, LocalSessionManager>;
type Answer = BoxBody<Bytes, Infallible>;

/// How long the stream of `test_reconnection` lives.
pub(crate) const STREAM: Duration = Duration::from_millis(100);

/// When a client that lost its stream shall come back. Short, because tests wait for it.
const RETRY: Duration = Duration::from_millis(200);

/// Prints the URL and serves until the process ends.
///
/// # Errors
/// When `addr` cannot be listened on.
pub(crate) async fn serve(addr: &str, shared: Arc<Shared>) -> Result<()> {
    let listener = TcpListener::bind(addr).await.with_context(|| format!("listening on {addr}"))?;
    let service = service(shared);
    writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(service.clone(), request));
            // How a connection ends is seen by its peer.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn service(shared: Arc<Shared>) -> Service {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.sse_retry = Some(RETRY);
    sessions.session_config.keep_alive = Some(SessionConfig::DEFAULT_KEEP_ALIVE);
    // Host is checked against loopback names by default; a page of somebody else's is not let in either.
    let config = StreamableHttpServerConfig::default().with_sse_retry(Some(RETRY)).with_allowed_origins([
        "http://localhost",
        "http://127.0.0.1",
        "http://[::1]",
    ]);
    StreamableHttpService::new(move || Ok(Handler::new(shared.clone())), Arc::new(sessions), config)
}

async fn answer(service: Service, request: Request<Incoming>) -> Result<Response<Answer>, hyper::Error> {
    let (head, body) = request.into_parts();
    if head.uri.path() != "/mcp" {
        let mut nothing = Response::new(Full::new(Bytes::new()).boxed());
        *nothing.status_mut() = hyper::StatusCode::NOT_FOUND;
        return Ok(nothing);
    }
    let body = body.collect().await?.to_bytes();
    let name = br#""test_reconnection""#;
    let short = head.headers.contains_key("mcp-session-id") && body.windows(name.len()).any(|part| part == name);
    let response = service.handle(Request::from_parts(head, Full::new(body))).await;
    Ok(if short { response.map(|body| Short { body, end: Box::pin(tokio::time::sleep(STREAM)) }.boxed()) } else { response })
}

/// A stream that ends early.
struct Short {
    body: Answer,
    end: Pin<Box<Sleep>>,
}

impl Body for Short {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
