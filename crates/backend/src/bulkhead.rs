//! How many requests may be in flight at one backend, so that a slow one costs the others nothing.

use crate::ErrorKind;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How many may wait for each one that runs.
const QUEUE: u32 = 4;
/// How long they wait at most.
const WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Bulkhead {
    permits: Arc<Semaphore>,
    limit: u32,
    waiting: AtomicU32,
    wait: Duration,
}

impl Bulkhead {
    pub(crate) fn new(limit: u32, silence: Duration) -> Self {
        let limit = limit.max(1);
        Self { permits: Arc::new(Semaphore::new(limit as usize)), limit, waiting: AtomicU32::new(0), wait: silence.min(WAIT) }
    }

    /// How many are in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.limit - u32::try_from(self.permits.available_permits()).unwrap_or(self.limit).min(self.limit)
    }

    /// How many wait for a place.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place, at once where one is free.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`] when too many wait already or the wait was too long.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, ErrorKind> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => Box::pin(self.queue()).await,
        }
    }

    async fn queue(&self) -> Result<OwnedSemaphorePermit, ErrorKind> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limit.saturating_mul(QUEUE) {
            return Err(ErrorKind::Overloaded);
        }
        let permit = timeout(self.wait, Arc::clone(&self.permits).acquire_owned()).await;
        drop(place);
        permit.ok().and_then(Result::ok).ok_or(ErrorKind::Overloaded)
    }
}

struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    #[tokio::test(start_paused = true)]
    async fn those_over_the_limit_wait_their_turn_and_not_for_ever() {
        let bulkhead = Bulkhead::new(1, Duration::from_secs(120));
        let first = bulkhead.enter().await.unwrap();
        assert_eq!(bulkhead.in_flight(), 1);
        let (second, ()) = tokio::join!(bulkhead.enter(), async {
            yield_now().await;
            drop(first);
        });
        let second = second.unwrap();
        assert!(matches!(bulkhead.enter().await, Err(ErrorKind::Overloaded)));
        drop(second);
        assert_eq!(bulkhead.in_flight(), 0);
        assert!(bulkhead.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_an_end() {
        let bulkhead = Bulkhead::new(1, Duration::from_secs(120));
        let _first = bulkhead.enter().await.unwrap();
        let mut waiting: Vec<_> = (0..QUEUE).map(|_| Box::pin(bulkhead.enter())).collect();
        for wait in &mut waiting {
            tokio::select! { biased; _ = wait => panic!("must wait"), () = yield_now() => {} }
        }
        let start = tokio::time::Instant::now();
        assert!(matches!(bulkhead.enter().await, Err(ErrorKind::Overloaded)));
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(waiting);
        assert_eq!(bulkhead.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_ten_seconds_or_than_the_backend_may_be_silent() {
        for (silence, wait) in [(120, 10), (3, 3)].map(|(silence, wait)| (Duration::from_secs(silence), Duration::from_secs(wait))) {
            let bulkhead = Bulkhead::new(1, silence);
            let _first = bulkhead.enter().await.unwrap();
            let start = tokio::time::Instant::now();
            assert!(matches!(bulkhead.enter().await, Err(ErrorKind::Overloaded)));
            // A timer rings at the millisecond after its time.
            assert_eq!(start.elapsed().as_secs(), wait.as_secs());
        }
    }
}
