//! Streams on which backends tell that their lists changed.

mod hearing;
mod subscription;
mod unlistened;

pub(crate) use self::unlistened::Unlistened;
use crate::{
    Backend, CallerSessions, ErrorKind, Speaks, ViewScope,
    call::Seat,
    outgoing::Audience,
    session::{Lease, Listened},
};
use http::StatusCode;
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    frame::{error_object, error_response, response_head},
};

/// How long to leave a backend alone that has no such stream, unless something is learned about it.
const QUIET: Duration = Duration::from_secs(300);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A stream that lived this long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// Events of these streams are short.
const MAX_EVENT: usize = 1 << 20;

/// Stops its stream when dropped.
#[must_use]
#[derive(Debug)]
pub struct WatchGuard {
    _stop: DropGuard,
    _listened: Option<Listened>,
}

/// What became of a stream.
enum End {
    /// There is none to be had now.
    None,
    /// There is none, or nothing to ask for, unless other things are wanted.
    Refused,
    /// It failed before it began.
    Failed,
    /// Other things are to be heard of now.
    Changed,
    /// It ended after a while.
    Ended(Instant),
}

/// One stream, kept open.
struct Watch {
    backend: Arc<Backend>,
    caller: Option<Identity>,
    sessions: Option<Arc<CallerSessions>>,
    /// Whether a stream was open before: what was said in between is lost.
    was_open: bool,
}

impl Backend {
    /// Starts, once, to hear for all callers when the backend's lists change: over the stream of the gateway's own session, or over
    /// `subscriptions/listen`. Does nothing where lists depend on the caller, a required header being one way to.
    pub fn watch(self: &Arc<Self>) {
        if !self.is_shared() || self.watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let watch = Watch { backend: Arc::clone(self), caller: None, sessions: None, was_open: false };
        self.shared().spawn(watch.run());
    }

    /// Hears for one caller, with the headers of the request that `caller` comes from, until the guard is dropped. Does nothing where
    /// that request lacks a header that the backend requires: it is left out for this caller.
    pub fn watch_for(self: &Arc<Self>, caller: Identity, sessions: &Arc<CallerSessions>) -> WatchGuard {
        let stop = CancellationToken::new();
        if self.missing_required(&caller).is_some() {
            return WatchGuard { _stop: stop.drop_guard(), _listened: None };
        }
        let listened = sessions.holder().listen(self.id());
        let watch = Watch { backend: Arc::clone(self), caller: Some(caller), sessions: Some(Arc::clone(sessions)), was_open: false };
        let stopped = stop.clone();
        self.shared().spawn(async move {
            stopped.run_until_cancelled(watch.run()).await;
        });
        WatchGuard { _stop: stop.drop_guard(), _listened: Some(listened) }
    }
}

impl Watch {
    async fn run(self) {
        let backend = Arc::clone(&self.backend);
        let running = backend.shared().shutdown().run_until_cancelled(Box::pin(self.keep_open()));
        backend.stopping().run_until_cancelled(running).await;
    }

    async fn keep_open(mut self) {
        let mut pause = SHORTEST;
        let backend = Arc::clone(&self.backend);
        loop {
            // Listening from before the look, so that nothing is learned unheard in between.
            let mut learned = pin!(backend.learned().notified());
            learned.as_mut().enable();
            match self.open_once().await {
                End::None => {
                    pause = SHORTEST;
                    let _ = timeout(QUIET, learned).await;
                    continue;
                }
                End::Refused => {
                    pause = SHORTEST;
                    tokio::select! {
                        () = learned => {}
                        () = self.wants_more() => {}
                        () = sleep(QUIET) => {}
                    }
                    continue;
                }
                End::Changed => continue,
                End::Ended(start) if start.elapsed() >= GOOD => pause = SHORTEST,
                End::Ended(_) | End::Failed => {}
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    fn audience(&self) -> Audience<'_> {
        Audience::from(self.caller.as_ref())
    }

    async fn open_once(&mut self) -> End {
        let caller_era =
            if self.caller.is_some() || self.backend.eras().speaks(Era::Modern) != Speaks::Yes { Era::Legacy } else { Era::Modern };
        // Nobody is asked for its era only for this: what is known to be spoken will do.
        let eras = self.backend.eras();
        match eras.choose(caller_era).or_else(|| eras.choose(caller_era.other())) {
            None => End::None,
            Some(Era::Modern) => self.subscribe().await,
            Some(Era::Legacy) => self.listen(caller_era).await,
        }
    }

    async fn listen(&mut self, era: Era) -> End {
        let backend = Arc::clone(&self.backend);
        let capabilities = self.sessions.as_ref().map_or(CapabilitySet::NONE, |sessions| sessions.holder().capabilities);
        let seat = Seat { audience: self.audience(), era, sessions: self.sessions.as_ref(), capabilities };
        let Ok(mut lease) = Lease::get(&backend, backend.wanted(&seat), seat.audience).await else { return End::Failed };
        let session = Arc::clone(lease.session());
        if !session.offers.announces_any() && self.sessions.is_none() {
            return End::None;
        }
        if session.pipe.is_some() {
            // What is said comes through the pipe, as long as the session is kept.
            self.comes_back();
            self.hears_all();
            session.switch.ended().await;
            return End::Ended(Instant::now());
        }
        let mut used = match backend.use_stream(self.audience(), &session).await {
            Ok(used) => used,
            Err(ErrorKind::SessionLost) => {
                let renewed = lease.renew(self.audience()).await;
                self.was_open |= renewed.is_ok();
                return End::Failed;
            }
            // Most servers without such a stream say 405; whatever else is refused will be refused again.
            Err(ErrorKind::Status { status, .. }) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                self.hears_all();
                return End::None;
            }
            Err(_) => return End::Failed,
        };
        let start = Instant::now();
        self.comes_back();
        self.hears_all();
        used.ended().await;
        End::Ended(start)
    }

    /// On the stream of a legacy session comes whatever the session follows, now and later.
    fn hears_all(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.holder().take_up(self.backend.id(), u64::MAX, Vec::new());
        }
    }

    /// Between two streams something may have been said that nobody heard.
    fn comes_back(&mut self) {
        if std::mem::replace(&mut self.was_open, true) {
            let scope = self.scope();
            self.backend.shared().options.observer.list_changed(self.backend.index(), scope, None);
        }
    }

    fn scope(&self) -> ViewScope {
        self.caller.as_ref().map_or(ViewScope::Shared, |caller| self.backend.scope(caller))
    }
}

/// The answer to what a backend asks: `ping` gets one, everything else is not offered. `id` is JSON text.
pub(crate) fn answer_to(method: &str, id: &str) -> Vec<u8> {
    const METHOD_NOT_FOUND: i64 = -32601;
    if method != "ping" {
        return error_response(Some(id), &error_object(METHOD_NOT_FOUND, "vmcp does not offer this method to backends", None));
    }
    let mut body = response_head(id, 3);
    body.extend_from_slice(b"{}}");
    body
}

/// Between half of a pause and all of it, so that many do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_jittered_within_their_half() {
        for _ in 0..100 {
            let pause = jittered(LONGEST);
            assert!((LONGEST / 2..=LONGEST).contains(&pause));
        }
    }
}
