//! How long a backend may be silent, and how long the whole may take.

use crate::{Alarm, ErrorKind};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// Two limits behind one alarm.
pub(crate) struct Deadline {
    alarm: Alarm,
    /// Something was heard since the last wait began: the silence is counted from the next one. Between the two is only work of our own.
    heard: bool,
    /// Silence is no sign of anything: only the whole counts.
    resting: bool,
    silence: Duration,
    ends: Instant,
    whole: Duration,
}

/// A time in the future that cannot overflow.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
    start + wait.min(FAR)
}

impl Deadline {
    pub(crate) fn new(silence: Duration, whole: Duration) -> Self {
        let now = Instant::now();
        let ends = after(now, whole);
        Self { alarm: Alarm::at(after(now, silence).min(ends)), heard: false, resting: false, silence, ends, whole }
    }

    /// The backend gave a sign of life.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// Whether silence counts from now on.
    pub(crate) fn rest(&mut self, resting: bool) {
        self.resting = resting;
        self.heard = true;
    }

    /// Ready when a limit has passed. To be asked whenever a wait begins.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        if std::mem::take(&mut self.heard) {
            let silence = if self.resting { self.ends } else { after(Instant::now(), self.silence) };
            self.alarm.set(silence.min(self.ends));
        }
        ready!(Pin::new(&mut self.alarm).poll(cx));
        // Where the two limits are one, it is silence that people think of.
        let whole = (self.resting || self.silence != self.whole) && Instant::now() >= self.ends;
        Poll::Ready(if whole { ErrorKind::MaxDuration(self.whole) } else { ErrorKind::Timeout(self.silence) })
    }

    /// Waits for `future` within the limits.
    ///
    /// The future comes pinned: taken by value it would be kept twice.
    pub(crate) async fn hold<F: Future>(&mut self, mut future: Pin<&mut F>) -> Result<F::Output, ErrorKind> {
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::pending, pin::pin};
    use tokio::time::advance;

    const SILENCE: Duration = Duration::from_secs(10);
    const WHOLE: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait() {
        let mut deadline = Deadline::new(SILENCE, WHOLE);
        assert!(matches!(deadline.hold(pin!(pending::<()>())).await, Err(ErrorKind::Timeout(SILENCE))));
    }

    #[tokio::test(start_paused = true)]
    async fn two_limits_that_are_one_are_told_as_silence() {
        let mut deadline = Deadline::new(SILENCE, SILENCE);
        deadline.heard();
        assert!(matches!(deadline.hold(pin!(pending::<()>())).await, Err(ErrorKind::Timeout(SILENCE))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_starts_the_silence_anew_until_the_whole_is_over() {
        let start = Instant::now();
        let mut deadline = Deadline::new(SILENCE, WHOLE);
        for _ in 0..2 {
            let waited = poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await;
            assert!(waited);
            advance(Duration::from_secs(8)).await;
            deadline.heard();
        }
        assert!(matches!(deadline.hold(pin!(pending::<()>())).await, Err(ErrorKind::MaxDuration(WHOLE))));
        assert_eq!(start.elapsed().as_secs(), 25);
    }

    #[tokio::test(start_paused = true)]
    async fn endless_limits_do_not_overflow() {
        let mut deadline = Deadline::new(Duration::MAX, Duration::MAX);
        assert!(deadline.hold(pin!(async {})).await.is_ok());
    }
}
