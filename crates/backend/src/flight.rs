//! Many wait, one works.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};
use tokio::sync::watch;

/// Runs one piece of work at a time; those who come meanwhile get its outcome.
///
/// When the one who works is dropped, one of those who wait works in its place.
pub(crate) struct Flight<T>(Mutex<Option<watch::Receiver<Option<T>>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// An outcome, and who produced it.
pub(crate) enum Outcome<T> {
    /// This caller's own work did.
    Own(T),
    /// Somebody else's.
    Shared(T),
}

impl<T: Clone> Flight<T> {
    pub(crate) async fn run<F: Future<Output = T>>(&self, work: impl FnOnce() -> F) -> Outcome<T> {
        let sender = loop {
            let mut receiver = {
                let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                match slot.as_ref().filter(|running| running.has_changed().is_ok()) {
                    Some(running) => running.clone(),
                    None => {
                        let (sender, receiver) = watch::channel(None);
                        *slot = Some(receiver);
                        break sender;
                    }
                }
            };
            // An error means that whoever worked is gone.
            if let Ok(outcome) = receiver.wait_for(Option::is_some).await
                && let Some(outcome) = outcome.as_ref()
            {
                return Outcome::Shared(outcome.clone());
            }
        };
        let outcome = work().await;
        // Who comes from now on starts anew.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = sender.send(Some(outcome.clone()));
        Outcome::Own(outcome)
    }
}

impl<T> Outcome<T> {
    pub(crate) fn into_inner(self) -> T {
        match self {
            Self::Own(outcome) | Self::Shared(outcome) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use tokio::{sync::Notify, task::yield_now};

    #[tokio::test]
    async fn those_who_wait_share_the_outcome_of_one() {
        let flight = Flight::default();
        let runs = AtomicU32::new(0);
        let work = || async {
            yield_now().await;
            runs.fetch_add(1, Ordering::Relaxed)
        };
        let (a, b, c) = tokio::join!(flight.run(work), flight.run(work), flight.run(work));
        assert_eq!([a.into_inner(), b.into_inner(), c.into_inner()], [0, 0, 0]);
        assert!(matches!(flight.run(work).await, Outcome::Own(1)));
    }

    #[tokio::test]
    async fn when_the_worker_is_dropped_another_takes_over() {
        let flight = Arc::new(Flight::default());
        let started = Notify::new();
        let mut first = Box::pin(flight.run(|| async {
            started.notify_one();
            std::future::pending::<u32>().await
        }));
        tokio::select! { _ = &mut first => unreachable!(), () = started.notified() => {} }
        let mut second = Box::pin(flight.run(|| async { 7 }));
        tokio::select! { biased; _ = &mut second => panic!("must wait"), () = yield_now() => {} }
        drop(first);
        assert_eq!(second.await.into_inner(), 7);
    }
}
