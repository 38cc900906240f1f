//! A port with a service of HTTP/1.1 behind it, which can be closed as by a crash and opened again.

use anyhow::{Context, Result};
use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

/// What answers the requests of one connection. An error closes the connection without an answer.
pub(crate) trait Answers:
    Service<Request<Incoming>, Response = Response<Self::Answer>, Error = io::Error, Future: Send> + Send + 'static
{
    /// The body of an answer.
    type Answer: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Answers for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = io::Error, Future: Send> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Answer = B;
}

/// The port. Dropping it closes it.
pub(crate) struct Port {
    addr: SocketAddr,
    /// Begins to accept connections.
    begin: Box<dyn Fn(TcpListener) -> JoinHandle<()> + Send + Sync>,
    /// What accepts them, or did.
    accept: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.close();
    }
}

impl Port {
    /// Serves each connection with what `connected` gives for it.
    pub(crate) fn serve<S: Answers>(listener: TcpListener, connected: impl Fn() -> S + Clone + Send + Sync + 'static) -> Result<Self> {
        let addr = listener.local_addr()?;
        let begin = Box::new(move |listener| tokio::spawn(accept(listener, connected.clone())));
        let accept = Mutex::new(Some(begin(listener)));
        Ok(Self { addr, begin, accept })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the port and cuts every connection.
    pub(crate) fn close(&self) {
        if let Some(accept) = &*self.accept.lock().unwrap_or_else(PoisonError::into_inner) {
            accept.abort();
        }
    }

    /// Closes it, and listens at the same port again.
    ///
    /// # Errors
    /// When it has been taken meanwhile.
    pub(crate) async fn reopen(&self) -> Result<()> {
        self.close();
        let accept = self.accept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(accept) = accept {
            // The aborted task lets go of the port when it is dropped, which is soon but not now. An error says that it was aborted.
            let _ = accept.await;
        }
        let listener = TcpListener::bind(self.addr).await.context("binding a port again")?;
        *self.accept.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.begin)(listener));
        Ok(())
    }
}

async fn accept<S: Answers>(listener: TcpListener, connected: impl Fn() -> S) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            Some(_) = connections.join_next() => continue,
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let service = connected();
        connections.spawn(async move {
            // How a connection ends is the peer's business, and is seen there.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
