//! The accept loop.

use super::{
    Attending, Listener, Peer, Workers,
    listener::{Accepted, Moving, Socket},
    patient::{Patience, PatientStream},
    service::MAX_HEAD,
};
use crate::gateway::{Gateway, Inner};
use hyper::server::conn::http1;
use hyper_util::server::graceful::GracefulShutdown;
use std::{io, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Accepts connections until shutdown, then lets them end. They are served by the workers, or else in the runtime of whoever calls.
pub(crate) async fn serve(inner: Arc<Inner>, listener: Listener, workers: Option<&Workers>) -> io::Result<()> {
    let limits = inner.snapshot().config.limits.clone();
    let graceful = GracefulShutdown::new();
    let patience = Patience { head: limits.read_timeout.0, idle: limits.keep_alive_timeout.0, write: limits.write_timeout.0 };
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
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let (served, watcher) = (Arc::clone(&inner), graceful.watcher());
        let serving = move |accepted: Accepted| async move {
            let _place = place;
            let opened = tokio::select! {
                () = served.shutdown.cancelled() => return,
                opened = accepted.open(patience.head) => opened,
            };
            let ended = match opened {
                Ok((socket, peer)) => {
                    let connection = connection(&served, socket, peer, patience);
                    watcher.watch(connection).await.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        };
        match workers.and_then(Workers::place) {
            None => drop(inner.tracker.spawn(serving(accepted))),
            Some((worker, counted)) => {
                let leaving = accepted.leave();
                let moved = async move {
                    let _counted = counted;
                    match leaving.and_then(Moving::arrive) {
                        Ok(accepted) => serving(accepted).await,
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
    socket: Socket,
    peer: Peer,
    patience: Patience,
) -> http1::Connection<hyper_util::rt::TokioIo<PatientStream>, super::GatewayService> {
    let attending = Attending::default();
    let service = Gateway { inner: Arc::clone(inner) }.service(peer).reporting(attending.clone());
    http1::Builder::new()
        // The stream itself keeps the time, since it knows a head that does not end from a connection that is not in use.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(PatientStream::new(socket, patience, attending), service)
}

/// Errors of one connection, or of a moment without file descriptors.
fn is_passing(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}
