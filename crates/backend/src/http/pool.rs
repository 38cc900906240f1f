//! Connections that wait for their next request.

use super::line::Line;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a connection waits. Node and uvicorn close theirs after 5 s: one second less, and no request is written into a
/// connection that is being closed.
const KEEP: Duration = Duration::from_secs(4);

/// The idle connections to one backend, the last used first.
pub(super) struct Pool {
    idle: Mutex<Idle>,
    limit: usize,
    tracker: TaskTracker,
    closing: CancellationToken,
}

#[derive(Default)]
struct Idle {
    /// In the order in which they became idle.
    lines: Vec<(Line, Instant)>,
    /// Whether a task looks after those that nobody takes.
    swept: bool,
}

impl Pool {
    pub(super) fn new(limit: usize, tracker: TaskTracker, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), limit, tracker, closing })
    }

    /// A connection that can be used.
    pub(super) async fn take(&self) -> Option<Line> {
        loop {
            let (mut line, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).lines.pop()?;
            if since.elapsed() < KEEP && line.free().await {
                return Some(line);
            }
        }
    }

    /// Takes a connection back.
    pub(super) fn put(self: Arc<Self>, line: Line) {
        if self.closing.is_cancelled() {
            return;
        }
        let sweep = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.lines.len() >= self.limit {
                return;
            }
            idle.lines.push((line, Instant::now()));
            !std::mem::replace(&mut idle.swept, true)
        };
        if sweep {
            let tracker = self.tracker.clone();
            tracker.spawn(self.sweep());
        }
    }

    /// Closes what nobody took, until nothing is left.
    async fn sweep(self: Arc<Self>) {
        loop {
            let closing = self.closing.run_until_cancelled(sleep(KEEP / 2)).await.is_none();
            let old: Vec<_> = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let fresh = idle.lines.iter().position(|(_, since)| !closing && since.elapsed() < KEEP).unwrap_or(idle.lines.len());
                let old = idle.lines.drain(..fresh).collect();
                idle.swept = !idle.lines.is_empty();
                if !idle.swept {
                    drop(idle);
                    return;
                }
                old
            };
            drop(old);
        }
    }
}
