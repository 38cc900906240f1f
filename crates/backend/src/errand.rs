//! Small requests that nobody waits for: in tracked tasks, bounded in number and time.

mod drain;
mod ends;
mod latest;
mod streams;

pub(crate) use latest::Latest;

use self::drain::{DRAIN_TIME, drained};
use crate::{
    Backend, ErrorKind,
    outgoing::{Audience, Mirrors, Outgoing, Protocol},
    pipe::Link,
    session::{Lease, Session, Wish},
};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;
use vmcp_auth::Identity;
use vmcp_core::frame::{json_string, notification, request_text};

/// How many of one kind run at once at one backend, and how many may wait.
const AT_ONCE: usize = 16;
const QUEUE: u32 = 4096;
/// How long one takes at most, its wait included.
const LIMIT: Duration = Duration::from_secs(5);
/// A queue for each kind: however many of one there are, those of another do not wait behind them.
pub(crate) struct Errands {
    queues: [Queue; Kind::ALL.len()],
    /// The ends of sessions that are under way. Closing waits for them, since what they need goes with it.
    ends: TaskTracker,
}

struct Queue {
    places: Semaphore,
    waiting: AtomicU32,
}

/// What an errand is.
#[derive(Clone, Copy)]
enum Kind {
    /// The answer to what the backend asked: it waits for that.
    Answer,
    /// Taking back a request: until that is heard the backend works for nobody.
    Cancel,
    /// The end of a session.
    End,
    /// What a session is told beside requests: what its holder follows and wants, and how far it is.
    Tell,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Answer, Self::Cancel, Self::End, Self::Tell];
}

impl Errands {
    pub(crate) fn new() -> Self {
        let queues = Kind::ALL.map(|_| Queue { places: Semaphore::new(AT_ONCE), waiting: AtomicU32::new(0) });
        Self { queues, ends: TaskTracker::new() }
    }

    fn of(&self, kind: Kind) -> &Queue {
        let [answers, cancels, ends, told] = &self.queues;
        match kind {
            Kind::Answer => answers,
            Kind::Cancel => cancels,
            Kind::End => ends,
            Kind::Tell => told,
        }
    }

    /// Waits until the ends of sessions that were begun have been told.
    pub(crate) async fn ended(&self) {
        self.ends.close();
        self.ends.wait().await;
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.queues.iter().all(|queue| queue.waiting.load(Ordering::Relaxed) == 0)
    }
}

impl Backend {
    /// Runs an errand in a tracked task, unless there are too many.
    fn errand<F>(self: &Arc<Self>, kind: Kind, run: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        self.enqueue(kind, move |backend| async move {
            let one = async {
                let _place = backend.errands().of(kind).places.acquire().await;
                run(Arc::clone(&backend)).await;
            };
            let _ = timeout(LIMIT, one).await;
        });
    }

    fn enqueue<F>(self: &Arc<Self>, kind: Kind, work: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let queue = self.errands().of(kind);
        if queue.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::debug!(backend = &**self.name(), "too many small requests at once; one is left out");
            return;
        }
        let backend = Arc::clone(self);
        let end = matches!(kind, Kind::End).then(|| self.errands().ends.token());
        self.shared().spawn(async move {
            let _end = end;
            work(Arc::clone(&backend)).await;
            backend.errands().of(kind).waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Sends the answer to a request of the backend's, with the caller's headers.
    pub(crate) fn send_answer(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>, body: Bytes) {
        let session = Arc::clone(session);
        self.errand(Kind::Answer, move |backend| async move {
            let _ = backend.tell(Audience::from(caller.as_ref()), &session, body).await;
        });
    }

    /// Takes a request in a session back, with the caller's headers.
    pub(crate) fn send_cancel(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>, lease: Option<Lease>, body: Bytes) {
        let session = Arc::clone(session);
        self.errand(Kind::Cancel, move |backend| async move {
            let _ = backend.tell(Audience::from(caller.as_ref()), &session, body).await;
            drop(lease);
        });
    }

    /// Tells a session that its client has other roots now (2025-11-25, client/roots), unless that is on its way already.
    pub(crate) fn send_roots_changed(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>) {
        let Some(mut run) = session.owed.roots.put(caller) else { return };
        let next = move || Some((run.next()?, notification("notifications/roots/list_changed", None).into()));
        self.send_each_beside(session, next);
    }

    /// Sends one message after the other in a session, each with the headers of whoever it is from, until there is no next one. Each waits
    /// for a place of its own, so that one who has much to say holds up nobody.
    pub(crate) fn send_each_beside(
        self: &Arc<Self>,
        session: &Arc<Session>,
        mut next: impl FnMut() -> Option<(Option<Identity>, Bytes)> + Send + 'static,
    ) {
        let session = Arc::clone(session);
        self.enqueue(Kind::Tell, move |backend| async move {
            loop {
                let end = Instant::now() + LIMIT;
                let Ok(_place) = timeout_at(end, backend.errands().of(Kind::Tell).places.acquire()).await else { return };
                let Some((caller, body)) = next() else { return };
                // The next one only when this one has been answered: over connections of their own they would come in any order.
                let _ = timeout_at(end, backend.post(Audience::from(caller.as_ref()), &session, body, LIMIT)).await;
            }
        });
    }

    /// Takes a request over a pipe back.
    pub(crate) fn send_cancel_over(self: &Arc<Self>, caller: Option<Identity>, link: &Link, body: Bytes) {
        self.send_over(Kind::Cancel, caller, link, body);
    }

    /// Sends an answer over a pipe, where no caller is at hand.
    pub(crate) fn send_answer_over(self: &Arc<Self>, link: &Link, body: Bytes) {
        self.send_over(Kind::Answer, None, link, body);
    }

    fn send_over(self: &Arc<Self>, kind: Kind, caller: Option<Identity>, link: &Link, body: Bytes) {
        let pipe = Arc::clone(&link.pipe);
        self.errand(kind, move |_| async move {
            let _ = pipe.send(body, Audience::from(caller.as_ref())).await;
        });
    }

    /// Posts a message whose answer says nothing.
    pub(crate) async fn tell(&self, audience: Audience<'_>, session: &Session, body: Bytes) -> Result<StatusCode, ErrorKind> {
        self.post(audience, session, body, DRAIN_TIME).await
    }

    /// Posts a message, and waits so long for the end of what comes back.
    async fn post(&self, audience: Audience<'_>, session: &Session, body: Bytes, patience: Duration) -> Result<StatusCode, ErrorKind> {
        if let Some(pipe) = &session.pipe {
            return pipe.send(body, audience).await.map(|()| StatusCode::ACCEPTED);
        }
        let outgoing =
            Outgoing { method: Method::POST, audience, protocol: Protocol::Legacy(session), last_event_id: None, body, is_stream: false };
        let (parts, mut reply) = self.transmit(&outgoing).await?;
        let _ = timeout(patience, drained(&mut reply)).await;
        Ok(parts.status)
    }

    /// Tells a session which log messages its holder wants, where its backend has any: the last word is the one that it hears last.
    pub(crate) fn send_level(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>) {
        if !session.offers.logs() {
            return;
        }
        let Some(mut run) = session.owed.level.put(caller) else { return };
        let (backend, holder) = (Arc::clone(self), Arc::clone(session.holder()));
        self.send_each_beside(session, move || {
            let (caller, level) = (run.next()?, holder.level()?);
            let params = format!("{{\"level\":\"{level}\"}}");
            Some((caller, request_text(&backend.next_id().to_string(), "logging/setLevel", Some(&params)).into()))
        });
    }

    /// Tells a new session what its holder told the one before: the log level, and the resources that it subscribed to.
    pub(crate) fn tell_wishes(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>) {
        let caller = || match audience {
            Audience::Caller(caller) => Some(caller.clone()),
            Audience::Gateway => None,
        };
        if session.holder().level().is_some() {
            self.send_level(caller(), session);
        }
        for wish in session.holder().wishes(self.id()) {
            let Wish::Resource(uri) = wish else { continue };
            let mut params = b"{\"uri\":".to_vec();
            json_string(&uri, &mut params);
            params.push(b'}');
            let params = String::from_utf8_lossy(&params);
            let body = request_text(&self.next_id().to_string(), "resources/subscribe", Some(&params));
            let (caller, session) = (caller(), Arc::clone(session));
            self.errand(Kind::Tell, move |backend| async move {
                let _ = backend.tell(Audience::from(caller.as_ref()), &session, body.into()).await;
            });
        }
    }

    /// Finds out whether the backend still knows a session, after an answer that leaves it open. Some servers say 400 where the
    /// specification wants 404.
    pub(crate) fn doubt_session(self: &Arc<Self>, caller: Option<Identity>, session: &Arc<Session>) {
        if !session.doubt() {
            return;
        }
        let session = Arc::clone(session);
        self.errand(Kind::Tell, move |backend| async move {
            let ping = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#, backend.next_id());
            match backend.tell(Audience::from(caller.as_ref()), &session, ping.into()).await {
                Ok(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) => session.lose(),
                Ok(_) | Err(_) => session.trust(),
            }
        });
    }
}

/// What a request without parts to repeat repeats: its method.
pub(crate) fn method_only(method: &str) -> Mirrors<'_> {
    Mirrors { method, name: None, params: &[], arguments: None }
}
