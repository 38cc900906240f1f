//! Small requests that nobody waits for: in tracked tasks, bounded in number and time.

use crate::{
    Backend, ErrorKind,
    content::Content,
    http::Reply,
    outgoing::{Audience, Mirrors, Outgoing, Protocol},
    pipe::Link,
    session::{Lease, PoolKey, Session, Wish},
};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{sleep, sleep_until, timeout},
};
use vmcp_auth::Identity;
use vmcp_core::{
    LoggingLevel,
    frame::{json_string, request_text},
};

/// How many run at once at one backend, and how many may wait.
const AT_ONCE: usize = 16;
const QUEUE: u32 = 4096;
/// How long one takes at most, its wait included.
const LIMIT: Duration = Duration::from_secs(5);
/// What is read of a stream behind its answer.
const DRAIN_TIME: Duration = Duration::from_millis(50);
const DRAIN_BYTES: usize = 64 * 1024;
/// How long to wait before taking a stream up again where the server does not say.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Errands {
    places: Semaphore,
    waiting: AtomicU32,
}

impl Errands {
    pub(crate) fn new() -> Self {
        Self { places: Semaphore::new(AT_ONCE), waiting: AtomicU32::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

impl Backend {
    /// Runs an errand in a tracked task, unless there are too many.
    fn errand<F>(self: &Arc<Self>, run: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        if self.errands().waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.errands().waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::debug!(backend = &**self.name(), "too many small requests at once; one is left out");
            return;
        }
        let backend = Arc::clone(self);
        self.shared().spawn(async move {
            let errands = Arc::clone(&backend);
            let _ = timeout(LIMIT, async {
                let _place = errands.errands().places.acquire().await;
                run(backend).await;
            })
            .await;
            errands.errands().waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Sends a notification or a response in a session, with the caller's headers.
    pub(crate) fn send_beside(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>, lease: Option<Lease>, body: Bytes) {
        let session = Arc::clone(session);
        self.errand(move |backend| async move {
            let _ = backend.tell(Audience::from(caller.as_ref()), &session, body).await;
            drop(lease);
        });
    }

    /// Sends a notification or a response over a pipe.
    pub(crate) fn send_over(self: &Arc<Self>, caller: Option<Identity>, link: &Link, body: Bytes) {
        let pipe = Arc::clone(&link.pipe);
        self.errand(move |_| async move {
            let _ = pipe.send(body, Audience::from(caller.as_ref())).await;
        });
    }

    /// Posts a message that has no answer.
    pub(crate) async fn tell(&self, audience: Audience<'_>, session: &Session, body: Bytes) -> Result<StatusCode, ErrorKind> {
        if let Some(pipe) = &session.pipe {
            return pipe.send(body, audience).await.map(|()| StatusCode::ACCEPTED);
        }
        let outgoing =
            Outgoing { method: Method::POST, audience, protocol: Protocol::Legacy(session), last_event_id: None, body, is_stream: false };
        let (parts, mut reply) = self.transmit(&outgoing).await?;
        let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
        Ok(parts.status)
    }

    /// Tells a session which log messages are wanted in it, where its backend has any.
    pub(crate) fn send_level(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>, level: LoggingLevel) {
        if session.offers.logs() {
            session.level.store(level.number(), Ordering::Relaxed);
            let params = format!("{{\"level\":\"{level}\"}}");
            self.send_beside(caller, session, None, request_text(&self.next_id().to_string(), "logging/setLevel", Some(&params)).into());
        }
    }

    /// Tells a new session what its holder told the one before: the log level, and the resources that it subscribed to.
    pub(crate) fn tell_wishes(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>) {
        let caller = || match audience {
            Audience::Caller(caller) => Some(caller.clone()),
            Audience::Gateway => None,
        };
        if let Some(level) = session.holder().level() {
            self.send_level(caller(), session, level);
        }
        for wish in session.holder().wishes(self.id()) {
            let Wish::Resource(uri) = wish else { continue };
            let mut params = b"{\"uri\":".to_vec();
            json_string(&uri, &mut params);
            params.push(b'}');
            let params = String::from_utf8_lossy(&params);
            let body = request_text(&self.next_id().to_string(), "resources/subscribe", Some(&params));
            self.send_beside(caller(), session, None, body.into());
        }
    }

    /// Ends a session, with static and service credentials only: its caller's are gone.
    pub(crate) fn close_session(self: &Arc<Self>, session: Arc<Session>) {
        self.close_session_of(None, session);
    }

    /// Ends a session on behalf of its caller, where a request of theirs asks for it.
    pub(crate) fn close_session_of(self: &Arc<Self>, caller: Option<Identity>, session: Arc<Session>) {
        if let Some(pipe) = &session.pipe {
            session.lose();
            return pipe.close();
        }
        if session.is_gone() || session.id.is_none() {
            return;
        }
        self.errand(move |backend| async move { backend.delete(Audience::from(caller.as_ref()), &session).await });
    }

    pub(crate) async fn delete(&self, audience: Audience<'_>, session: &Session) {
        if let Some(pipe) = &session.pipe {
            session.lose();
            return pipe.close();
        }
        if session.is_gone() || session.id.is_none() {
            return;
        }
        session.lose();
        let outgoing = Outgoing {
            method: Method::DELETE,
            audience,
            protocol: Protocol::Legacy(session),
            last_event_id: None,
            body: Bytes::new(),
            is_stream: false,
        };
        if let Ok((_, mut reply)) = self.transmit(&outgoing).await {
            let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
        }
        tracing::debug!(backend = &**self.name(), "closed a session");
    }

    /// Puts a session of a modern caller aside for its next call.
    pub(crate) fn pool_session(self: &Arc<Self>, key: PoolKey, session: Arc<Session>) {
        if self.is_stopping() {
            return self.close_session(session);
        }
        let put = self.pool().put(key, session);
        if let Some(evicted) = put.evicted {
            self.close_session(evicted);
        }
        if put.sweep {
            let backend = Arc::clone(self);
            self.shared().spawn(async move { backend.sweep_sessions().await });
        }
    }

    async fn sweep_sessions(self: Arc<Self>) {
        loop {
            let (expired, next) = self.pool().expired();
            for session in expired {
                self.close_session(session);
            }
            let Some(next) = next else { return };
            if self.stopping().run_until_cancelled(sleep_until(next)).await.is_none() {
                return;
            }
        }
    }

    /// Reads what is left behind an answer, so that its connection can be used again: at once where it is there already.
    pub(crate) fn drain(self: &Arc<Self>, mut reply: Reply, cx: &mut Context<'_>) {
        let mut left = DRAIN_BYTES;
        loop {
            match reply.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.len() <= left => left -= piece.len(),
                Poll::Ready(_) => return,
                Poll::Pending => break,
            }
        }
        self.shared().spawn(async move {
            let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
        });
    }

    /// Reads what is left of an answer that nobody needs, in a task.
    pub(crate) fn drain_later(self: &Arc<Self>, mut reply: Reply) {
        if !reply.is_ended() {
            self.shared().spawn(async move {
                let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
            });
        }
    }

    /// Takes up a stream that broke off, after the pause that the server asked for.
    pub(crate) fn resume_stream(
        self: &Arc<Self>,
        caller: Option<Identity>,
        session: &Arc<Session>,
        last_event_id: Bytes,
        retry: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, ErrorKind>> + Send>> {
        let (backend, session) = (Arc::clone(self), Arc::clone(session));
        Box::pin(async move {
            sleep(retry.unwrap_or(RETRY)).await;
            backend.listen(Audience::from(caller.as_ref()), &session, Some(&last_event_id)).await
        })
    }

    /// Opens a stream in a session.
    pub(crate) async fn listen(
        &self,
        audience: Audience<'_>,
        session: &Session,
        last_event_id: Option<&Bytes>,
    ) -> Result<Reply, ErrorKind> {
        let outgoing = Outgoing {
            method: Method::GET,
            audience,
            protocol: Protocol::Legacy(session),
            last_event_id,
            body: Bytes::new(),
            is_stream: true,
        };
        let (parts, reply) = self.transmit(&outgoing).await?;
        if parts.status == StatusCode::NOT_FOUND && session.id.is_some() {
            return Err(ErrorKind::SessionLost);
        }
        if parts.status != StatusCode::OK {
            return Err(ErrorKind::Status { status: parts.status, retry_after: None });
        }
        match Content::of(&parts.headers) {
            Content::Events => Ok(reply),
            Content::Json | Content::Other => Err(ErrorKind::Malformed("it is not an event stream".into())),
        }
    }

    /// Finds out whether the backend still knows a session, after an answer that leaves it open. Some servers say 400 where the
    /// specification wants 404.
    pub(crate) fn doubt_session(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>) {
        if !session.doubt() {
            return;
        }
        let session = Arc::clone(session);
        self.errand(move |backend| async move {
            let ping = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#, backend.next_id());
            match backend.tell(Audience::from(caller.as_ref()), &session, ping.into()).await {
                Ok(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) => session.lose(),
                Ok(_) | Err(_) => session.trust(),
            }
        });
    }
}

/// Reads a reply to its end, or to the point where closing the connection is cheaper.
async fn drained(reply: &mut Reply) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(piece)) = reply.data().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// What a request without parts to repeat repeats: its method.
pub(crate) fn method_only(method: &str) -> Mirrors<'_> {
    Mirrors { method, name: None, params: &[], arguments: None }
}
