//! Something that is asked of the issuer once and kept, and asked again when it is old or does not do.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};

/// After a failure nobody asks again for so long, so that an outage costs the issuer and the callers little.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// The issuer cannot be asked. Why was written to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable {
    /// When it makes sense to come again.
    pub(super) retry_after: Duration,
}

type Round<T> = Arc<OnceCell<Result<Arc<T>, Unavailable>>>;

/// The last answer, and the round of asking that is under way.
///
/// Many wait, one asks; when whoever asks goes away, one of those who wait asks in its place. An answer stays when asking for another fails.
pub(super) struct Kept<T> {
    state: Mutex<State<T>>,
    round: Mutex<Round<T>>,
}

struct State<T> {
    value: Option<(Arc<T>, Instant)>,
    failed: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { value: None, failed: None }), round: Mutex::default() }
    }
}

impl<T> Kept<T> {
    /// The last answer and how old it is.
    pub(super) fn last(&self) -> Option<(Arc<T>, Duration)> {
        lock(&self.state).value.as_ref().map(|(value, since)| (Arc::clone(value), since.elapsed()))
    }

    /// Whether asking failed less than `pause` ago.
    pub(super) fn failed_within(&self, pause: Duration) -> bool {
        lock(&self.state).failed.is_some_and(|failed| failed.elapsed() < pause)
    }

    /// Notes that asking took too long, for whoever does not need the answer.
    pub(super) fn gave_up(&self) {
        lock(&self.state).failed = Some(Instant::now());
    }

    /// Asks anew, unless that failed just now. `ask` writes to the log why it fails.
    pub(super) async fn renew<F: Future<Output = Result<T, Unavailable>>>(&self, ask: impl FnOnce() -> F) -> Result<Arc<T>, Unavailable> {
        if self.failed_within(PAUSE) {
            return Err(Unavailable { retry_after: PAUSE });
        }
        let round = Arc::clone(&lock(&self.round));
        let outcome = round.get_or_init(|| self.asked(ask())).await.clone();
        // Who comes from now on starts anew.
        let mut current = lock(&self.round);
        if Arc::ptr_eq(&current, &round) {
            *current = Arc::default();
        }
        outcome
    }

    async fn asked(&self, asking: impl Future<Output = Result<T, Unavailable>>) -> Result<Arc<T>, Unavailable> {
        let outcome = asking.await.map(Arc::new);
        let mut state = lock(&self.state);
        match &outcome {
            Ok(value) => *state = State { value: Some((Arc::clone(value), Instant::now())), failed: None },
            Err(_) => state.failed = Some(Instant::now()),
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::{sync::Notify, task::yield_now};

    const DOWN: Unavailable = Unavailable { retry_after: PAUSE };

    #[tokio::test]
    async fn many_wait_and_one_asks() {
        let kept = Kept::default();
        let asked = AtomicU32::new(0);
        let ask = || async {
            yield_now().await;
            Ok(asked.fetch_add(1, Ordering::Relaxed))
        };
        let (a, b, c) = tokio::join!(kept.renew(ask), kept.renew(ask), kept.renew(ask));
        assert_eq!([*a.unwrap(), *b.unwrap(), *c.unwrap()], [0, 0, 0]);
        assert_eq!(*kept.renew(ask).await.unwrap(), 1);
        assert_eq!(*kept.last().unwrap().0, 1);
    }

    #[tokio::test]
    async fn when_whoever_asks_goes_away_another_asks() {
        let kept = Arc::new(Kept::default());
        let started = Notify::new();
        let mut first = Box::pin(kept.renew(|| async {
            started.notify_one();
            std::future::pending::<Result<u32, Unavailable>>().await
        }));
        tokio::select! { _ = &mut first => unreachable!(), () = started.notified() => {} }
        let mut second = Box::pin(kept.renew(|| async { Ok(7) }));
        tokio::select! { biased; _ = &mut second => panic!("must wait"), () = yield_now() => {} }
        drop(first);
        assert_eq!(*second.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_failure_keeps_what_is_there_and_is_not_repeated_at_once() {
        let kept = Kept::default();
        kept.renew(|| async { Ok(1) }).await.unwrap();
        assert_eq!(kept.renew(|| async { Err(DOWN) }).await, Err(DOWN));
        assert_eq!(*kept.last().unwrap().0, 1);
        assert!(kept.failed_within(Duration::from_secs(60)));
        assert_eq!(kept.renew(|| async { panic!("asked again at once") }).await, Err(DOWN));
    }
}
