//! Threads that serve connections, each with a runtime of its own.

use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Threads that share nothing but the gateway: a connection is served by one of them from its first byte to its last, and so are the
/// connections to backends that its calls open. No call wakes another thread.
///
/// Dropping this ends the threads, with whatever still runs on them: shut the gateway down first.
pub struct Workers {
    workers: Vec<Worker>,
    _stop: DropGuard,
}

struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection that counts for its worker until this is dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Workers {
    /// How many threads are mostly right: one for each core, and at least four.
    ///
    /// Where cores are few, clients and backends mostly run on them too. A thread that has to give way to one of those takes its
    /// connections along; with more threads than cores there is nearly always one that can go on.
    #[must_use]
    pub fn usual() -> NonZeroUsize {
        const FOUR: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
        thread::available_parallelism().map_or(FOUR, |cores| cores.max(FOUR))
    }

    /// Starts this many threads.
    ///
    /// # Errors
    /// When the system gives no more threads or descriptors. None of them goes on running then.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let workers = (0..count.get()).map(|number| Worker::start(number, stop.clone())).collect::<io::Result<_>>()?;
        Ok(Self { workers, _stop: guard })
    }

    /// The worker with the fewest connections, with one more of them.
    pub(super) fn place(&self) -> Option<(&Handle, Place)> {
        let worker = self.workers.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some((&worker.runtime, Place(Arc::clone(&worker.connections))))
    }
}

impl Worker {
    fn start(number: usize, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name(format!("vmcp-worker-{number}")).spawn(move || runtime.block_on(stop.cancelled()))?;
        Ok(Self { runtime: handle, connections: Arc::default() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("threads", &self.workers.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_to_whoever_has_the_fewest() {
        let workers = Workers::start(NonZeroUsize::new(3).unwrap()).unwrap();
        let places: Vec<_> = (0..6).map(|_| workers.place().unwrap()).collect();
        let count = || workers.workers.iter().map(|worker| worker.connections.load(Ordering::Relaxed)).collect::<Vec<_>>();
        assert_eq!(count(), [2, 2, 2]);
        let (freed, _rest): (Vec<_>, Vec<_>) = places.into_iter().partition(|(runtime, _)| runtime.id() == workers.workers[1].runtime.id());
        drop(freed);
        assert_eq!(count(), [2, 0, 2]);
        let (runtime, _place) = workers.place().unwrap();
        assert_eq!(runtime.id(), workers.workers[1].runtime.id());
    }

    #[test]
    fn threads_end_with_their_owner() {
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        let (runtime, _place) = workers.place().unwrap();
        let (held, dropped) = std::sync::mpsc::channel::<()>();
        runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(workers);
        assert!(dropped.recv().is_err(), "a task is dropped with its runtime");
    }
}
