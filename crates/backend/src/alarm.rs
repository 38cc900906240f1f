//! A timer for what mostly does not happen.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    runtime::{Handle, Id},
    time::{Instant, Sleep, sleep_until},
};

/// How many timers a thread keeps for the next alarms.
const SPARES: usize = 64;

thread_local! {
    /// Timers that rang for nobody. They stay in the timer wheel of their runtime, set for a time that has lost its meaning.
    static SPARE: RefCell<Vec<(Id, Pin<Box<Sleep>>)>> = const { RefCell::new(Vec::new()) };
}

/// Rings at a time, unless it is dropped before, which is what nearly always happens: a time limit of a request that ends in time.
///
/// Nothing is set before the first poll, and a timer that did not ring is used again as it is: when it rings too early for the next
/// alarm it is put forward. So a limit of 30 seconds costs one entry in the timer wheel every 30 seconds, and not one for each request.
#[derive(Debug)]
pub struct Alarm {
    at: Instant,
    timer: Option<(Id, Pin<Box<Sleep>>)>,
}

impl Alarm {
    /// An alarm at this time.
    #[must_use]
    pub fn at(at: Instant) -> Self {
        Self { at, timer: None }
    }

    /// Puts the alarm forward or back.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
    }
}

/// A timer of this runtime, set for any time.
fn timer(at: Instant) -> (Id, Pin<Box<Sleep>>) {
    let runtime = Handle::current().id();
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    // One of a runtime that was on this thread before would never ring.
    spare.filter(|(of, _)| *of == runtime).unwrap_or_else(|| (runtime, Box::pin(sleep_until(at))))
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let (_, timer) = self.timer.get_or_insert_with(|| timer(at));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at || Instant::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            // Without a place, as while a thread ends, the timer just goes.
            let _ = SPARE.try_with(|spare| {
                if let Ok(mut spare) = spare.try_borrow_mut()
                    && spare.len() < SPARES
                {
                    spare.push(timer);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, time::Duration};

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_pending(alarm: &mut Alarm) -> bool {
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *alarm).poll(cx).is_pending())).await
    }

    fn spares() -> usize {
        SPARE.with(|spare| spare.borrow().len())
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_at_its_time_whatever_its_timer_was_set_for_before() {
        for first in [1, 10, 100] {
            let mut unheard = Alarm::at(Instant::now() + first * SECOND);
            assert!(is_pending(&mut unheard).await);
            drop(unheard);
            assert_eq!(spares(), 1);
            let start = Instant::now();
            Alarm::at(start + 10 * SECOND).await;
            assert_eq!(start.elapsed(), 10 * SECOND, "after one that was set for {first} s");
            Alarm::at(start + 12 * SECOND).await;
            assert_eq!(start.elapsed(), 12 * SECOND);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_can_be_put_forward_and_back() {
        let start = Instant::now();
        let mut alarm = Alarm::at(start + 10 * SECOND);
        assert!(is_pending(&mut alarm).await);
        alarm.set(start + 3 * SECOND);
        (&mut alarm).await;
        assert_eq!(start.elapsed(), 3 * SECOND);
        alarm.set(start + 20 * SECOND);
        assert!(is_pending(&mut alarm).await);
        alarm.await;
        assert_eq!(start.elapsed(), 20 * SECOND);
    }

    #[test]
    fn a_timer_of_a_runtime_that_is_gone_is_not_used_again() {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let mut unheard = Alarm::at(Instant::now() + SECOND);
                assert!(is_pending(&mut unheard).await);
                drop(unheard);
                Alarm::at(Instant::now() + SECOND).await;
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn spares_are_bounded() {
        let mut alarms: Vec<_> = (0..2 * SPARES).map(|_| Alarm::at(Instant::now() + SECOND)).collect();
        for alarm in &mut alarms {
            assert!(is_pending(alarm).await);
        }
        drop(alarms);
        assert_eq!(spares(), SPARES);
    }
}
