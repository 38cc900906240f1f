//! The stream on which a legacy backend says what belongs to no request (2025-11-25, basic/transports, listening for messages).
//!
//! A session has at most one: servers send each message on one stream only, and many refuse a second. It is opened with the headers of
//! whoever needs it first, and read by a task that keeps nothing of them.

use super::{Events, Session};
use crate::{Backend, ErrorKind, flight::Flight, http::Reply, outgoing::Audience};
use http::StatusCode;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use vmcp_auth::Identity;

/// Events of this stream may be requests with whole conversations in them.
const MAX_EVENT: usize = 4 << 20;

/// What is known of a session's stream.
#[derive(Default)]
pub(super) struct Stream {
    opening: Flight<Result<(), ErrorKind>>,
    state: Mutex<State>,
    /// The backend has none.
    refused: AtomicBool,
}

/// Whether it is open, and who needs it. Under one lock, so that it does not end for whoever has just been told that it is open.
#[derive(Default)]
struct State {
    open: Option<Open>,
    /// Somebody needs it as long as the session lives.
    kept: bool,
    watchers: u32,
}

struct Open {
    stop: CancellationToken,
    ended: watch::Receiver<bool>,
}

/// Keeps a stream open, unless others do: it ends with the last of these.
pub(crate) struct StreamUse {
    session: Arc<Session>,
    ended: watch::Receiver<bool>,
}

impl Stream {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        self.locked().current().is_some()
    }

    /// From now on it does not end with those who watch it. Whether it is open.
    fn keep(&self) -> bool {
        let mut state = self.locked();
        state.kept = true;
        state.current().is_some()
    }

    /// One more watches it, if it is open.
    fn join(&self) -> Option<watch::Receiver<bool>> {
        let mut state = self.locked();
        let ended = state.current()?;
        state.watchers += 1;
        Some(ended)
    }

    /// One who watched it has gone.
    fn leave(&self) {
        let mut state = self.locked();
        state.watchers -= 1;
        if state.watchers == 0 && !state.kept {
            state.end();
        }
    }

    pub(super) fn end(&self) {
        self.locked().end();
    }
}

impl State {
    fn current(&self) -> Option<watch::Receiver<bool>> {
        self.open.as_ref().filter(|open| !*open.ended.borrow()).map(|open| open.ended.clone())
    }

    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            open.stop.cancel();
        }
    }
}

impl StreamUse {
    /// Waits until the stream has ended.
    pub(crate) async fn ended(&mut self) {
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

impl Drop for StreamUse {
    fn drop(&mut self) {
        self.session.stream.leave();
    }
}

impl Backend {
    /// Opens the session's stream for the rest of its life, for a call during which the backend may ask or tell things. A backend that
    /// has no such stream has none: that is no error.
    pub(crate) async fn keep_stream(self: &Arc<Self>, caller: Option<&Identity>, session: &Arc<Session>) -> Result<(), ErrorKind> {
        let stream = &session.stream;
        if session.pipe.is_some() || stream.refused.load(Ordering::Relaxed) || stream.keep() {
            return Ok(());
        }
        match Box::pin(self.open_stream(Audience::from(caller), session)).await {
            Err(error @ ErrorKind::SessionLost) => Err(error),
            _ => Ok(()),
        }
    }

    /// Opens the session's stream, or joins those who use it.
    pub(crate) async fn use_stream(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>) -> Result<StreamUse, ErrorKind> {
        loop {
            if let Some(ended) = session.stream.join() {
                return Ok(StreamUse { session: Arc::clone(session), ended });
            }
            self.open_stream(audience, session).await?;
        }
    }

    async fn open_stream(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>) -> Result<(), ErrorKind> {
        let open = || async {
            if session.stream.is_open() {
                return Ok(());
            }
            let reply = timeout(self.silence(), self.listen(audience, session, None)).await;
            let reply = reply.unwrap_or(Err(ErrorKind::Timeout(self.silence())));
            if let Err(ErrorKind::Status { status, .. }) = &reply
                && status.is_client_error()
                && *status != StatusCode::TOO_MANY_REQUESTS
            {
                session.stream.refused.store(true, Ordering::Relaxed);
            }
            self.read_stream(session, reply?);
            Ok(())
        };
        session.stream.opening.run(open).await.into_inner()
    }

    /// Reads a stream in a task of its own, until it ends.
    fn read_stream(self: &Arc<Self>, session: &Arc<Session>, reply: Reply) {
        let stop = CancellationToken::new();
        let (ended, told) = watch::channel(false);
        session.stream.locked().open = Some(Open { stop: stop.clone(), ended: told });
        if session.is_gone() {
            session.stream.end();
        }
        let (backend, session) = (Arc::clone(self), Arc::downgrade(session));
        self.shared().spawn(async move {
            let read = async {
                let mut events = Events::new(reply, MAX_EVENT, backend.budget());
                while let Ok(Some(event)) = events.next().await {
                    if !event.is_message || event.data.is_empty() {
                        continue;
                    }
                    let Some(session) = session.upgrade() else { return };
                    let say = |body| backend.send_answer(None, &session, body);
                    session.switch.route(&backend, &event.data, &say);
                    let crowd = session.switch.take_crowd();
                    drop((session, event));
                    if let Some(crowd) = crowd {
                        crowd.wait().await;
                    }
                }
            };
            let stopped = backend.stopping().run_until_cancelled(read);
            let stopped = backend.shared().shutdown().run_until_cancelled(stopped);
            let _ = stop.run_until_cancelled(stopped).await;
            let _ = ended.send(true);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody opened it. What is told when it is stopped, and who says that it has ended.
    fn open(stream: &Stream) -> (CancellationToken, watch::Sender<bool>) {
        let (stop, (ended, told)) = (CancellationToken::new(), watch::channel(false));
        stream.locked().open = Some(Open { stop: stop.clone(), ended: told });
        (stop, ended)
    }

    #[test]
    fn a_stream_ends_with_the_last_who_watches_it_unless_it_is_kept() {
        let stream = Stream::default();
        assert!(stream.join().is_none(), "nobody has opened it");
        let (stop, ended) = open(&stream);
        let (first, second) = (stream.join(), stream.join());
        assert!(first.is_some() && second.is_some());
        stream.leave();
        assert!(!stop.is_cancelled() && stream.is_open(), "one of two has gone");
        stream.leave();
        assert!(stop.is_cancelled() && !stream.is_open());
        drop(ended);

        let (stop, ended) = open(&stream);
        assert!(stream.join().is_some() && stream.keep());
        stream.leave();
        assert!(!stop.is_cancelled() && stream.is_open(), "a call may still be asked on it");
        ended.send_replace(true);
        assert!(stream.join().is_none() && !stream.keep(), "the backend ended it");
        stream.end();
        assert!(stop.is_cancelled());
    }

    #[test]
    fn nobody_who_joined_loses_the_stream_to_another_who_leaves() {
        let stream = Stream::default();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        while stream.join().is_none() {
                            open(&stream);
                        }
                        assert!(stream.is_open(), "it ended for one who had been told that it is open");
                        stream.leave();
                    }
                });
            }
        });
    }
}
