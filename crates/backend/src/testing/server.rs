//! A small server for tests: it takes down what it receives and answers by a script.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::yield_now, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use vmcp_core::frame::Message;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn rpc(&self) -> String {
        match Message::parse(self.body.as_bytes()) {
            Ok(Message::Request(request)) => request.method.into_owned(),
            Ok(Message::Notification(notification)) => notification.method.into_owned(),
            _ => String::new(),
        }
    }

    pub(crate) fn id(&self) -> String {
        match Message::parse(self.body.as_bytes()) {
            Ok(Message::Request(request)) => request.id.raw().to_owned(),
            _ => "null".to_owned(),
        }
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.header("mcp-session-id")
    }
}

/// A part of an answer's body.
pub(crate) enum Step {
    Data(String),
    /// Nothing more, and no end.
    Hang,
    /// The connection breaks.
    Break,
    /// What a test sends.
    Feed(mpsc::UnboundedReceiver<String>),
}

pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    steps: VecDeque<Step>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), steps: VecDeque::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    /// A step before all others.
    pub(crate) fn first(mut self, step: Step) -> Self {
        self.steps.push_front(step);
        self
    }

    pub(crate) fn data(self, data: impl Into<String>) -> Self {
        self.step(Step::Data(data.into()))
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::json_status(200, body)
    }

    pub(crate) fn json_status(status: u16, body: impl Into<String>) -> Self {
        Self::status(status).with("content-type", "application/json").data(body)
    }

    pub(crate) fn result(seen: &Seen, result: &str) -> Self {
        Self::json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.id()))
    }

    pub(crate) fn error(status: u16, id: &str, code: i64) -> Self {
        Self::json_status(status, format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"}}}}"#))
    }

    pub(crate) fn events() -> Self {
        Self::status(200).with("content-type", "text/event-stream")
    }

    pub(crate) fn event(self, message: &str) -> Self {
        self.data(format!("data: {message}\n\n"))
    }

    /// Does not even send a head.
    pub(crate) fn never() -> Self {
        Self::status(0)
    }
}

struct Script(VecDeque<Step>);

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(step) = self.0.front_mut() else { return Poll::Ready(None) };
        let data = match step {
            Step::Hang => return Poll::Pending,
            Step::Break => return Poll::Ready(Some(Err(io::Error::other("scripted")))),
            Step::Feed(feed) => match feed.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data.into())))),
                Poll::Ready(None) => String::new(),
            },
            Step::Data(data) => std::mem::take(data),
        };
        self.0.pop_front();
        Poll::Ready(Some(Ok(Frame::data(data.into()))))
    }
}

type Serving = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

#[derive(Clone)]
enum Wire {
    Http1,
    Http2,
    Tls(TlsAcceptor),
}

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A server on a port of its own, gone when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicU32>,
    news: mpsc::UnboundedReceiver<Seen>,
    /// Connections that were closed.
    closed: mpsc::UnboundedReceiver<u32>,
    _stop: DropGuard,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(Self::bound().await, Wire::Http1, handler)
    }

    pub(crate) async fn start_http2(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(Self::bound().await, Wire::Http2, handler)
    }

    /// A server in the place of one that was dropped, whose tasks may need a moment to let go of the port.
    pub(crate) async fn again_at(address: SocketAddr, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let free = async {
            loop {
                match TcpListener::bind(address).await {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => yield_now().await,
                    bound => return bound.unwrap(),
                }
            }
        };
        Self::serve(timeout(Duration::from_secs(10), free).await.expect("the port stays taken"), Wire::Http1, handler)
    }

    async fn bound() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
    }

    /// A server with TLS for `localhost`, of either protocol. The second value is its certificate, as PEM.
    pub(crate) async fn start_tls(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Self, Vec<u8>) {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let wire = Wire::Tls(TlsAcceptor::from(Arc::new(config)));
        let server = Self::serve(Self::bound().await, wire, handler);
        (server, cert.pem().into_bytes())
    }

    fn serve(listener: TcpListener, wire: Wire, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicU32>::default());
        let ((news_sender, news), (closed_sender, closed)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let stop = CancellationToken::new();
        let handler: Arc<Handler> = Arc::new(handler);
        let (tracker, stopped, log, counter) = (TaskTracker::new(), stop.clone(), Arc::clone(&seen), Arc::clone(&connections));
        tracker.clone().spawn(async move {
            while let Some(accepted) = stopped.run_until_cancelled(listener.accept()).await {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                let connection = counter.fetch_add(1, Ordering::SeqCst);
                let (handler, log, news, closed) = (Arc::clone(&handler), Arc::clone(&log), news_sender.clone(), closed_sender.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (handler, log, news) = (Arc::clone(&handler), Arc::clone(&log), news.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                        let seen = Seen { method: parts.method, path: parts.uri.to_string(), headers: parts.headers, body };
                        log.lock().unwrap().push(seen.clone());
                        let answer = handler(&seen);
                        let _ = news.send(seen);
                        if answer.status == 0 {
                            std::future::pending::<()>().await;
                        }
                        let mut response = Response::new(Script(answer.steps));
                        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
                        for (name, value) in answer.headers {
                            response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
                        }
                        Ok::<_, Infallible>(response)
                    }
                });
                let (wire, stopped) = (wire.clone(), stopped.clone());
                tracker.spawn(async move {
                    let serving: Serving = match wire {
                        Wire::Http1 => Box::pin(http1::Builder::new().serve_connection(TokioIo::new(stream), service)),
                        Wire::Http2 => Box::pin(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service)),
                        Wire::Tls(acceptor) => match acceptor.accept(stream).await {
                            Err(_) => Box::pin(async { Ok(()) }),
                            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                                Box::pin(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service))
                            }
                            Ok(stream) => Box::pin(http1::Builder::new().serve_connection(TokioIo::new(stream), service)),
                        },
                    };
                    let _ = stopped.run_until_cancelled(serving).await;
                    let _ = closed.send(connection);
                });
            }
        });
        Self { address, seen, connections, news, closed, _stop: stop.drop_guard() }
    }

    /// Everything received so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The methods of everything received so far, HTTP's where there is no message.
    pub(crate) fn methods(&self) -> Vec<String> {
        let name = |seen: &Seen| if seen.body.is_empty() { seen.method.to_string() } else { seen.rpc() };
        self.seen().iter().map(name).collect()
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        self.methods().iter().filter(|seen| *seen == method).count()
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits for the next request of a method.
    pub(crate) async fn wait_for(&mut self, method: &str) -> Seen {
        let wait = async {
            loop {
                let seen = self.news.recv().await.unwrap();
                if seen.rpc() == method || seen.body.is_empty() && seen.method.as_str() == method {
                    return seen;
                }
            }
        };
        timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("no {method} came"))
    }

    pub(crate) async fn wait_closed(&mut self) -> u32 {
        timeout(Duration::from_secs(10), self.closed.recv()).await.expect("no connection was closed").unwrap()
    }
}

/// A legacy server with sessions `s0`, `s1` …; every call is answered with its own `params` as the result.
pub(crate) fn legacy() -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let sessions = AtomicU32::new(0);
    move |seen| match (&seen.method, seen.rpc().as_str()) {
        (&Method::DELETE, _) => Answer::status(200),
        (&Method::GET, _) => Answer::status(405),
        (_, "initialize") => {
            let id = sessions.fetch_add(1, Ordering::SeqCst);
            let result = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}"#;
            Answer::result(seen, result).with("mcp-session-id", format!("s{id}"))
        }
        (_, "server/discover") => Answer::error(400, "null", -32000),
        (_, method) if method.starts_with("notifications/") => Answer::status(202),
        _ if seen.session().is_none() => Answer::error(400, "null", -32000),
        _ => echo(seen),
    }
}

/// A modern server; every call is answered with its own `params` as the result.
pub(crate) fn modern() -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    |seen| match seen.rpc().as_str() {
        "initialize" => Answer::error(400, &seen.id(), -32022),
        "server/discover" => Answer::result(seen, DISCOVERED),
        _ if seen.header("mcp-protocol-version") != Some("2026-07-28") => Answer::error(400, &seen.id(), -32022),
        _ => echo(seen),
    }
}

pub(crate) const DISCOVERED: &str =
    r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"public"}"#;

pub(crate) fn echo(seen: &Seen) -> Answer {
    let Ok(Message::Request(request)) = Message::parse(seen.body.as_bytes()) else { return Answer::status(400) };
    Answer::result(seen, request.params.map_or("{}", |params| params.text()))
}

pub(crate) fn echo_events(seen: &Seen) -> Answer {
    let Ok(Message::Request(request)) = Message::parse(seen.body.as_bytes()) else { return Answer::status(400) };
    let result = request.params.map_or("{}", |params| params.text());
    Answer::events().event(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.id()))
}
