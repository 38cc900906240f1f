//! The stream on which a legacy backend says what belongs to no request (2025-11-25, basic/transports, listening for messages).
//!
//! A session has at most one: servers send each message on one stream only, and many refuse a second. It is opened with the headers of
//! whoever needs it first, and read by a task that keeps nothing of them.

use super::{Events, Session};
use crate::{Backend, ErrorKind, flight::Flight, http::Reply, outgoing::Audience};
use http::StatusCode;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
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
    open: Mutex<Option<Open>>,
    /// The backend has none.
    refused: AtomicBool,
    /// Somebody needs it as long as the session lives.
    kept: AtomicBool,
    watchers: AtomicU32,
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
    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<watch::Receiver<bool>> {
        current(&self.locked())
    }

    /// From now on it does not end with those who watch it. Whether it is open.
    fn keep(&self) -> bool {
        let open = self.locked();
        self.kept.store(true, Ordering::Release);
        current(&open).is_some()
    }

    /// The last watcher has gone.
    fn unwatched(&self) {
        let mut open = self.locked();
        // Under the lock, so that it does not end for whoever has just been told that it is open.
        if !self.kept.load(Ordering::Acquire)
            && let Some(open) = open.take()
        {
            open.stop.cancel();
        }
    }

    pub(super) fn end(&self) {
        if let Some(open) = self.locked().take() {
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
        let stream = &self.session.stream;
        if stream.watchers.fetch_sub(1, Ordering::AcqRel) == 1 {
            stream.unwatched();
        }
    }
}

fn current(open: &Option<Open>) -> Option<watch::Receiver<bool>> {
    open.as_ref().filter(|open| !*open.ended.borrow()).map(|open| open.ended.clone())
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
            if let Some(ended) = session.stream.current() {
                session.stream.watchers.fetch_add(1, Ordering::AcqRel);
                return Ok(StreamUse { session: Arc::clone(session), ended });
            }
            self.open_stream(audience, session).await?;
        }
    }

    async fn open_stream(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>) -> Result<(), ErrorKind> {
        let open = || async {
            if session.stream.current().is_some() {
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
        *session.stream.locked() = Some(Open { stop: stop.clone(), ended: told });
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
