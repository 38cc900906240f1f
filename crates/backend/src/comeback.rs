//! Telling that a backend is back: what it lists may be something else now.

use crate::{Shared, ViewScope};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Duration, Instant, sleep_until};

/// How often that is told of one backend. One that fails every now and then, under load say, is no new one each time.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells the observer that a backend came back: at once, or as soon as the last time is long enough ago.
pub(crate) struct Comebacks {
    shared: Arc<Shared>,
    backend: usize,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    /// It is going to be told.
    soon: bool,
}

impl Comebacks {
    pub(crate) fn new(shared: &Arc<Shared>, backend: usize) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(shared), backend, told: Mutex::default() })
    }

    /// It came back.
    pub(crate) fn tell(self: &Arc<Self>) {
        let later = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let later = told.last.map(|last| last + PAUSE).filter(|at| *at > Instant::now());
            if told.soon {
                return;
            }
            (told.soon, told.last) = (later.is_some(), later.or_else(|| Some(Instant::now())));
            later
        };
        let Some(at) = later else { return self.tell_now() };
        let this = Arc::clone(self);
        self.shared.spawn(async move {
            if this.shared.shutdown().run_until_cancelled(sleep_until(at)).await.is_some() {
                this.told.lock().unwrap_or_else(PoisonError::into_inner).soon = false;
                this.tell_now();
            }
        });
    }

    fn tell_now(&self) {
        self.shared.options.observer.list_changed(self.backend, ViewScope::Shared, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Setup;
    use tokio::{task::yield_now, time::advance};

    #[tokio::test(start_paused = true)]
    async fn it_is_told_at_once_and_then_at_most_every_ten_seconds_and_never_forgotten() {
        let setup = Setup::new();
        let heard = Arc::clone(&setup.heard);
        let count = || heard.0.lock().unwrap().len();
        let comebacks = Comebacks::new(&Shared::new(setup.options), 3);
        for _ in 0..5 {
            comebacks.tell();
        }
        yield_now().await;
        assert_eq!(count(), 1);
        advance(PAUSE).await;
        yield_now().await;
        assert_eq!(count(), 2, "what was held back is told");
        advance(PAUSE).await;
        yield_now().await;
        assert_eq!(count(), 2);
        comebacks.tell();
        assert_eq!(count(), 3);
        assert!(heard.0.lock().unwrap().iter().all(|heard| *heard == (ViewScope::Shared, None)));
    }
}
