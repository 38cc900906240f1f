//! One request in flight, from its first byte to its answer's last.

mod asked;
mod collect;
mod listening;
mod open;
mod read;
mod side;

pub(crate) use collect::Collect;
pub(crate) use open::{Ask, Opened};
pub(crate) use side::cancelled;

use self::asked::Unanswered;
use crate::{
    Backend, Error, ErrorKind, Event, Phase,
    ask::nobody_answers,
    budget::Reservation,
    deadline::Deadline,
    http::Reply,
    outgoing::{Audience, Mirrors, Protocol},
    pipe::{Link, Pipe},
    session::{Inbox, Lease, Session},
    sse::SseReader,
};
use http::{HeaderValue, StatusCode};
use std::{collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use vmcp_auth::Identity;
use vmcp_core::{Era, Revision, frame::ResultTraits};

/// One request in flight at a backend. It owns its place among the backend's requests, and the session that it uses.
///
/// Dropping it before its answer cancels the request: a legacy backend is sent `notifications/cancelled`, to a modern one the
/// connection is closed (2026-07-28, basic/patterns/cancellation).
pub struct Exchange {
    backend: Arc<Backend>,
    caller: Option<Identity>,
    phase: Phase,
    speech: Speech,
    lease: Option<Lease>,
    permit: Option<OwnedSemaphorePermit>,
    id: u64,
    deadline: Deadline,
    reservation: Reservation,
    state: State,
    /// Told, and not yet taken.
    ready: VecDeque<Event>,
    /// What comes for this request beside its own answer, where anything can.
    inbox: Option<Inbox>,
    /// What the backend asked and was not answered yet.
    asked: Vec<Unanswered>,
    /// Sent, and not answered.
    pending: bool,
    status: StatusCode,
    /// The session id that the answer to `initialize` gave.
    given_session: Option<HeaderValue>,
    traits: ResultTraits,
}

/// How a backend is spoken to.
#[derive(Clone)]
pub(crate) enum Speech {
    /// `initialize`.
    Opening(Option<Link>),
    Legacy(Arc<Session>),
    Modern(Revision, Option<Link>),
}

/// How far the answer has come.
enum State {
    /// No head yet.
    Waiting,
    /// No head yet, and the backend asks something meanwhile.
    Sending(Sending),
    /// Everything comes through the inbox.
    Piped,
    /// What was found out from the head alone.
    Known(Event),
    Json {
        reply: Reply,
        announced: Option<u64>,
        body: Collect,
    },
    Events {
        reply: Reply,
        reader: SseReader,
        tries: u32,
    },
    Resuming {
        stream: Resuming,
        reader: SseReader,
        tries: u32,
    },
    Over,
}

type Sending = Pin<Box<dyn Future<Output = Result<(http::response::Parts, Reply), ErrorKind>> + Send>>;
type Resuming = Pin<Box<dyn Future<Output = Result<Reply, ErrorKind>> + Send>>;

impl Speech {
    pub(crate) fn era(&self) -> Era {
        match self {
            Self::Opening(_) | Self::Legacy(_) => Era::Legacy,
            Self::Modern(..) => Era::Modern,
        }
    }

    pub(crate) fn protocol<'a>(&'a self, mirrors: Mirrors<'a>) -> Protocol<'a> {
        match self {
            Self::Opening(_) => Protocol::Opening,
            Self::Legacy(session) => Protocol::Legacy(session),
            Self::Modern(revision, _) => Protocol::Modern(*revision, mirrors),
        }
    }

    /// The pipe that everything goes over, where there is one.
    pub(crate) fn pipe(&self) -> Option<&Arc<dyn Pipe>> {
        match self {
            Self::Legacy(session) => session.pipe.as_ref(),
            Self::Opening(link) | Self::Modern(_, link) => link.as_ref().map(|link| &link.pipe),
        }
    }
}

impl Exchange {
    /// A request of the gateway's own making, or the first step of a caller's.
    pub(crate) fn new(backend: &Arc<Backend>, audience: Audience<'_>, phase: Phase, speech: Speech, limits: (Duration, Duration)) -> Self {
        let caller = match audience {
            Audience::Caller(caller) => Some(caller.clone()),
            Audience::Gateway => None,
        };
        Self {
            backend: Arc::clone(backend),
            caller,
            phase,
            speech,
            lease: None,
            permit: None,
            id: 0,
            deadline: Deadline::new(limits.0, limits.1),
            reservation: backend.budget().reserve(),
            state: State::Waiting,
            ready: VecDeque::new(),
            inbox: None,
            asked: Vec::new(),
            pending: false,
            status: StatusCode::OK,
            given_session: None,
            traits: ResultTraits::default(),
        }
    }

    /// Takes over what it needs until it ends.
    pub(crate) fn own(&mut self, lease: Option<Lease>, permit: OwnedSemaphorePermit) {
        self.lease = lease;
        self.permit = Some(permit);
    }

    /// Speaks differently from now on.
    pub(crate) fn speak(&mut self, speech: Speech, lease: Option<Lease>) {
        self.speech = speech;
        self.lease = lease;
    }

    /// The era in which the backend was spoken to.
    #[must_use]
    pub fn era(&self) -> Era {
        self.speech.era()
    }

    /// What the result had in it; of meaning after [`Event::Result`].
    #[must_use]
    pub fn result_traits(&self) -> ResultTraits {
        self.traits
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn given_session(&mut self) -> Option<HeaderValue> {
        self.given_session.take()
    }

    /// What the backend says next: notifications, then a result or an error, which is the last. Cancel-safe: a wait that is given up
    /// loses nothing.
    ///
    /// # Errors
    /// When no answer comes, or none that can be passed on. After an error, a result or a JSON-RPC error there is nothing more to wait
    /// for.
    pub async fn next(&mut self) -> Result<Event, Error> {
        let event = poll_fn(|cx| self.poll_event(cx)).await;
        match event {
            Ok(event) => {
                if event.is_final() {
                    self.finish();
                }
                Ok(event)
            }
            Err(kind) => Err(self.fail(kind)),
        }
    }

    /// The answer alone.
    pub(crate) async fn answer(&mut self) -> Result<Event, Error> {
        loop {
            match self.next().await? {
                event if event.is_final() => return Ok(event),
                // Nobody is there to be asked for the gateway's own requests.
                Event::Request { id, .. } => self.respond(&id, &nobody_answers(), None),
                _ => {}
            }
        }
    }

    fn finish(&mut self) {
        self.pending = false;
        self.state = State::Over;
        if matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.backend.fail(self.phase, ErrorKind::Status { status: self.status, retry_after: None });
        } else {
            self.backend.health().answered(self.backend.name());
        }
        if let Some(lease) = &mut self.lease {
            lease.in_order();
        }
        self.release();
    }

    /// Ends the exchange with an error.
    fn fail(&mut self, kind: ErrorKind) -> Error {
        // What was too slow may still be at it; everything else is over at the backend's side too.
        self.pending &= matches!(kind, ErrorKind::Timeout(_) | ErrorKind::MaxDuration(_));
        self.state = State::Over;
        self.cancel();
        self.release();
        let error = self.backend.error(self.phase, kind);
        self.backend.health().failed(&error, self.backend.eras());
        error
    }

    fn release(&mut self) {
        self.leave_unanswered();
        self.lease = None;
        self.permit = None;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // The connection goes with the state.
        self.state = State::Over;
        self.leave_unanswered();
        self.cancel();
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("backend", self.backend.name()).field("era", &self.era()).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Goes on in another session, since the backend forgot this one.
    pub(crate) async fn renew(&mut self) -> Result<(), Error> {
        let audience = Audience::from(self.caller.as_ref());
        let Some(lease) = &mut self.lease else { return Err(self.fail(ErrorKind::SessionLost)) };
        lease.renew(audience).await?;
        self.speech = Speech::Legacy(Arc::clone(lease.session()));
        Ok(())
    }

    pub(crate) fn give_up(mut self, kind: ErrorKind) -> Error {
        self.fail(kind)
    }
}
