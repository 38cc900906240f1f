//! The accept loop.

use super::{Workers, service::MAX_HEAD, stall::StallGuard};
use crate::gateway::{Gateway, Inner};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioTimer, server::graceful::GracefulShutdown};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// How many header lines one request may have.
const MAX_HEADER_LINES: usize = 256;

/// Accepts connections until shutdown, then lets them end. They are served by the workers, or else in the runtime of whoever calls.
pub(crate) async fn serve(inner: Arc<Inner>, listener: TcpListener, workers: Option<&Workers>) -> io::Result<()> {
    let limits = inner.snapshot().config.limits.clone();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.max_connections as usize));
    loop {
        let place = tokio::select! {
            () = inner.shutdown.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = inner.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let (served, watcher) = (Arc::clone(&inner), graceful.watcher());
        let (read_timeout, write_timeout) = (limits.read_timeout.0, limits.write_timeout.0);
        let serving = move |stream: TcpStream| async move {
            let _place = place;
            let connection = connection(&served, stream, peer, read_timeout, write_timeout);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
        };
        match workers.and_then(Workers::place) {
            None => drop(inner.tracker.spawn(serving(stream))),
            Some((worker, counted)) => {
                let stream = stream.into_std();
                let moved = async move {
                    let _counted = counted;
                    match stream.and_then(TcpStream::from_std) {
                        Ok(stream) => serving(stream).await,
                        Err(error) => tracing::warn!(%error, "cannot hand a connection over to its thread"),
                    }
                };
                inner.tracker.spawn_on(moved, worker);
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

fn connection(
    inner: &Arc<Inner>,
    stream: TcpStream,
    peer: SocketAddr,
    read_timeout: Duration,
    write_timeout: Duration,
) -> http1::Connection<hyper_util::rt::TokioIo<StallGuard>, super::GatewayService> {
    // Without it a response in two writes waits 40 ms for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = Gateway { inner: Arc::clone(inner) }.service(Some(peer));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADER_LINES)
        .serve_connection(StallGuard::new(stream, write_timeout), service)
}

/// Errors of one connection, or of a moment without file descriptors.
fn is_passing(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}
