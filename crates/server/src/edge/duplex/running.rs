//! The requests of one client that run.

use smallvec::SmallVec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many requests of one client run at once, subscriptions among them.
const MAX_RUNNING: usize = 1024;

/// The requests of one client that run.
#[derive(Default)]
pub(super) struct Running {
    requests: Mutex<Vec<Request>>,
    ended: Notify,
}

struct Request {
    /// The client's id, as JSON text.
    id: SmallVec<[u8; 24]>,
    cancelled: CancellationToken,
    number: u64,
}

/// One request's place among those that run; given back when dropped.
pub(super) struct Place {
    running: Arc<Running>,
    cancelled: CancellationToken,
    number: u64,
}

impl Running {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a request with this id (JSON text). `None` when too many run.
    pub(super) fn begin(self: &Arc<Self>, id: &str) -> Option<Place> {
        let mut requests = self.requests();
        if requests.len() >= MAX_RUNNING {
            return None;
        }
        let (number, cancelled) = (requests.last().map_or(0, |last| last.number + 1), CancellationToken::new());
        requests.push(Request { id: SmallVec::from_slice(id.as_bytes()), cancelled: cancelled.clone(), number });
        Some(Place { running: Arc::clone(self), cancelled, number })
    }

    /// Cancels the requests with this id (JSON text). An unknown one is ignored: the request may just have ended.
    pub(super) fn cancel(&self, id: &str) {
        self.requests().iter().filter(|request| *request.id == *id.as_bytes()).for_each(|request| request.cancelled.cancel());
    }

    pub(super) fn cancel_all(&self) {
        self.requests().iter().for_each(|request| request.cancelled.cancel());
    }

    /// Waits until nothing runs.
    pub(super) async fn idle(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // Listening from before the look, so that no end goes unheard in between.
            ended.as_mut().enable();
            if self.requests().is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Place {
    /// Waits until the request is cancelled.
    pub(super) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut requests = self.running.requests();
        // In order of their numbers, so the last one's is the highest.
        if let Ok(at) = requests.binary_search_by_key(&self.number, |request| request.number) {
            requests.remove(at);
        }
        if requests.is_empty() {
            requests.shrink_to(4);
            self.running.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancel_reaches_the_requests_with_its_id_and_no_other() {
        let running = Arc::new(Running::default());
        let (first, other, text) = (running.begin("1").unwrap(), running.begin("2").unwrap(), running.begin("\"1\"").unwrap());
        running.cancel("1");
        running.cancel("3");
        assert!(first.cancelled.is_cancelled() && !other.cancelled.is_cancelled() && !text.cancelled.is_cancelled());
        drop(first);
        let next = running.begin("1").unwrap();
        assert!(!next.cancelled.is_cancelled(), "an id can be used again");
        running.cancel_all();
        assert!([&next, &other, &text].iter().all(|place| place.cancelled.is_cancelled()));
        drop((next, other, text));
        running.idle().await;
    }

    #[test]
    fn so_many_requests_run_and_no_more() {
        let running = Arc::new(Running::default());
        let mut places: Vec<_> = (0..MAX_RUNNING).map(|_| running.begin("1").unwrap()).collect();
        assert!(running.begin("1").is_none());
        places.swap_remove(7);
        assert!(running.begin("1").is_some());
    }
}
