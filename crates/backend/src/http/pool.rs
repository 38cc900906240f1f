//! Connections that wait for their next request.

use super::line::Line;
use std::{
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::{Handle, Id},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a connection waits. Node and uvicorn close theirs after 5 s: one second less, and no request is written into a
/// connection that is being closed.
const KEEP: Duration = Duration::from_secs(4);

/// The idle connections to one backend, the last used first.
///
/// A connection's bytes are moved by the runtime that opened it, so only calls in that runtime get it: where every thread has a runtime
/// of its own, no call waits for another thread.
pub(super) struct Pool {
    shelves: [Mutex<Shelf>; SHELVES],
    limit: usize,
    tracker: TaskTracker,
    closing: CancellationToken,
}

/// So many threads do not wait for each other's lock.
const SHELVES: usize = 16;

/// The connections of some of the runtimes.
#[derive(Default)]
struct Shelf {
    /// In the order in which they became idle.
    idle: Vec<Idle>,
    /// Whether a task looks after those that nobody takes.
    swept: bool,
}

struct Idle {
    line: Line,
    since: Instant,
}

impl Pool {
    /// At most `limit` connections are kept for each runtime that uses them.
    pub(super) fn new(limit: usize, tracker: TaskTracker, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self { shelves: Default::default(), limit, tracker, closing })
    }

    fn shelf(&self, runtime: Id) -> &Mutex<Shelf> {
        let mut number = Number(0);
        runtime.hash(&mut number);
        &self.shelves[(number.0 % SHELVES as u64) as usize]
    }

    /// A connection that could be used when it was put here. One that has ended since gives a request back unsent.
    pub(super) fn take(&self) -> Option<Line> {
        let runtime = Handle::current().id();
        loop {
            let mut idle = {
                let mut shelf = self.shelf(runtime).lock().unwrap_or_else(PoisonError::into_inner);
                let last = shelf.idle.iter().rposition(|idle| idle.line.runtime() == runtime)?;
                shelf.idle.remove(last)
            };
            if idle.since.elapsed() < KEEP && (idle.line.is_settled() || idle.line.is_free()) {
                return Some(idle.line);
            }
        }
    }

    /// Takes a connection back.
    pub(super) fn put(self: &Arc<Self>, line: Line) {
        if self.closing.is_cancelled() {
            return;
        }
        let runtime = line.runtime();
        let sweep = {
            let mut shelf = self.shelf(runtime).lock().unwrap_or_else(PoisonError::into_inner);
            if shelf.idle.iter().filter(|idle| idle.line.runtime() == runtime).count() >= self.limit {
                return;
            }
            shelf.idle.push(Idle { line, since: Instant::now() });
            !std::mem::replace(&mut shelf.swept, true)
        };
        if sweep {
            self.tracker.spawn(Arc::clone(self).sweep(runtime));
        }
    }

    /// Closes what nobody took from the shelf of this runtime, until nothing is left.
    async fn sweep(self: Arc<Self>, runtime: Id) {
        loop {
            let closing = self.closing.run_until_cancelled(sleep(KEEP / 2)).await.is_none();
            let old: Vec<_> = {
                let mut shelf = self.shelf(runtime).lock().unwrap_or_else(PoisonError::into_inner);
                let fresh = shelf.idle.iter().position(|idle| !closing && idle.since.elapsed() < KEEP).unwrap_or(shelf.idle.len());
                let old = shelf.idle.drain(..fresh).collect();
                shelf.swept = !shelf.idle.is_empty();
                if !shelf.swept {
                    drop(shelf);
                    return;
                }
                old
            };
            drop(old);
        }
    }
}

/// The number behind an id, which shows it to hashers alone.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
