//! Sending a request over a connection that is there, or a new one.

use super::{
    Connector, Reply, Target,
    connect::{is_http2, reason},
    line::{Line, SendError},
    pool::Pool,
};
use crate::{ErrorKind, flight::Flight};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Response, Uri, header::HOST, response::Parts};
use http_body::Body as _;
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2};
use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A request's body: always whole, so that it can be sent again to where a redirect leads.
pub(crate) type Body = Full<Bytes>;

/// How often a request that an HTTP/2 connection did not take is offered to another one.
const ATTEMPTS: u32 = 3;

type Multiplexed = http2::SendRequest<Body>;

/// The connections to one origin.
pub(crate) struct Client {
    connector: Connector,
    target: Target,
    connect_timeout: Duration,
    pool: Arc<Pool>,
    http2: Option<Http2>,
    tracker: TaskTracker,
    closing: CancellationToken,
}

/// What a client is made of.
pub(crate) struct ClientOptions {
    pub(crate) connector: Connector,
    pub(crate) target: Target,
    pub(crate) connect_timeout: Duration,
    /// How many idle connections are kept for each runtime.
    pub(crate) keep: usize,
    pub(crate) http2: bool,
    pub(crate) tracker: TaskTracker,
    /// Ends every connection that is not in use.
    pub(crate) closing: CancellationToken,
}

/// One connection for all requests, and who opens it.
#[derive(Default)]
struct Http2 {
    shared: ArcSwapOption<Multiplexed>,
    opening: Flight<Result<(), ErrorKind>>,
}

/// A way to send one request.
enum Way {
    /// A connection from the pool, which the server may have begun to close.
    Used(Line),
    Fresh(Line),
    Multiplexed(Multiplexed),
}

impl Client {
    pub(crate) fn new(options: ClientOptions) -> Self {
        let ClientOptions { connector, target, connect_timeout, keep, http2, tracker, closing } = options;
        let pool = Pool::new(keep, tracker.clone(), closing.clone());
        Self { connector, target, connect_timeout, pool, http2: http2.then(Http2::default), tracker, closing }
    }

    /// Sends a request whose URI is a path, and waits for the answer's head. A request of which nothing was written is sent again
    /// over another connection; no other is.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<(Parts, Reply), ErrorKind> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let pooled = if self.http2.is_some() { None } else { self.pool.take() };
            let way = match pooled {
                Some(line) => Way::Used(line),
                None => Box::pin(self.way()).await?,
            };
            let (mut line, fresh) = match way {
                Way::Used(line) => (line, false),
                Way::Fresh(line) => (line, true),
                Way::Multiplexed(sender) => match Box::pin(self.send_multiplexed(sender, request)).await {
                    Ok(answer) => {
                        let (parts, body) = answer.into_parts();
                        let reply = Reply::new(&parts, body, None);
                        return Ok((parts, reply));
                    }
                    Err(SendError { unsent: Some(unsent), .. }) if attempts < ATTEMPTS => {
                        request = unsent;
                        continue;
                    }
                    Err(failed) => return Err(lost(&failed)),
                },
            };
            if self.http2.is_some() {
                request.headers_mut().insert(HOST, self.target.host().clone());
            }
            match line.send(request).await {
                Ok(answer) => {
                    let (parts, body) = answer.into_parts();
                    if !body.is_end_stream() {
                        let reply = Reply::new(&parts, body, Some((line, Arc::clone(&self.pool))));
                        return Ok((parts, reply));
                    }
                    if line.is_free() {
                        self.pool.put(line);
                    }
                    let reply = Reply::new(&parts, body, None);
                    return Ok((parts, reply));
                }
                Err(SendError { unsent: Some(unsent), .. }) if !fresh => request = unsent,
                Err(failed) => return Err(lost(&failed)),
            }
        }
    }

    /// A way where no connection waits.
    async fn way(&self) -> Result<Way, ErrorKind> {
        match &self.http2 {
            Some(http2) => self.way_http2(http2).await,
            None => self.open().await.map(Way::Fresh),
        }
    }

    async fn connect(&self) -> Result<super::connect::Io, ErrorKind> {
        self.connector.connect(self.target.origin().clone(), self.connect_timeout).await
    }

    async fn open(&self) -> Result<Line, ErrorKind> {
        Line::open(self.connect().await?).await.map_err(|error| ErrorKind::Connect(reason(&error)))
    }

    async fn way_http2(&self, http2: &Http2) -> Result<Way, ErrorKind> {
        loop {
            if let Some(sender) = http2.shared.load_full().filter(|sender| !sender.is_closed()) {
                return Ok(Way::Multiplexed(Multiplexed::clone(&sender)));
            }
            // A server that only speaks HTTP/1.1 after all: its connections are used as such.
            if let Some(line) = self.pool.take() {
                return Ok(Way::Used(line));
            }
            http2.opening.run(|| self.open_http2(http2)).await.into_inner()?;
        }
    }

    async fn open_http2(&self, http2: &Http2) -> Result<(), ErrorKind> {
        let io = self.connect().await?;
        let failed = |error: hyper::Error| ErrorKind::Connect(reason(&error));
        if self.target.is_https() && !is_http2(&io) {
            let mut line = Line::open(io).await.map_err(failed)?;
            if line.is_free() {
                self.pool.put(line);
            }
            return Ok(());
        }
        let (sender, connection) = http2::Builder::new(Spawn(self.tracker.clone())).handshake(io).await.map_err(failed)?;
        let closing = self.closing.clone();
        self.tracker.spawn(async move {
            closing.run_until_cancelled(connection).await;
        });
        http2.shared.store(Some(Arc::new(sender)));
        Ok(())
    }

    async fn send_multiplexed(&self, mut sender: Multiplexed, mut request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        if let Err(error) = sender.ready().await {
            if let Some(http2) = &self.http2 {
                http2.shared.store(None);
            }
            return Err(SendError { unsent: Some(request), error });
        }
        let path = request.uri().clone();
        let absolute: Uri = self.target.absolute(&path);
        *request.uri_mut() = absolute;
        request.headers_mut().remove(HOST);
        sender.try_send_request(request).await.map_err(|failed| {
            let mut failed = SendError::from(failed);
            if let Some(unsent) = &mut failed.unsent {
                *unsent.uri_mut() = path;
            }
            failed
        })
    }
}

fn lost(failed: &SendError) -> ErrorKind {
    if failed.unsent.is_some() {
        return ErrorKind::Connect(reason(&failed.error));
    }
    ErrorKind::Lost(if failed.error.is_incomplete_message() || failed.error.is_canceled() {
        "the connection was closed before an answer".to_owned()
    } else if failed.error.is_parse() {
        "the answer is not HTTP".to_owned()
    } else {
        reason(&failed.error)
    })
}

/// Runs hyper's HTTP/2 tasks where all tasks are tracked.
#[derive(Clone)]
struct Spawn(TaskTracker);

impl<F> hyper::rt::Executor<F> for Spawn
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.0.spawn(async move {
            task.await;
        });
    }
}
