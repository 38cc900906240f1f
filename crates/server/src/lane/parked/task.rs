//! The task that has a call while its caller comes and goes.

use super::{
    state::epoch,
    table::{Parking, Part, Place, Sent, Waiting},
};
use crate::{
    failure::{Failure, code},
    lane::{asking::Ask, question::for_modern},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use vmcp_auth::Identity;
use vmcp_backend::{Answer, AskId, Error, Event, Exchange, SessionKey};
use vmcp_core::{
    frame::{RawObject, ResultTraits, error_object},
    plugin::Principal,
};

/// How long a backend is given to ask more before its caller is told: servers ask several things in one breath.
const GATHER: Duration = Duration::from_millis(50);

/// What is said to whoever waits for a call.
pub(super) enum Said {
    Notification {
        method: String,
        params: Bytes,
    },
    /// It waits for answers now. Nothing more is said.
    Asks {
        /// Key, method and `params`, which is JSON text.
        questions: Vec<(String, String, Bytes)>,
        handle: [u8; 16],
        round: u32,
        /// In seconds since the epoch.
        until: u64,
        /// To say that it was heard: what nobody heard, nobody comes back for.
        heard: oneshot::Sender<()>,
    },
    /// A result or an error of the backend. Nothing more is said.
    Ended(Event, ResultTraits),
    /// Nothing more is said.
    Failed(Failure),
}

/// What a waiting call goes on with.
pub(super) struct Resume {
    /// By key, each the JSON text of a result.
    pub(super) answers: Vec<(String, Bytes)>,
    /// Who brought them.
    pub(super) identity: Identity,
    pub(super) out: mpsc::Sender<Said>,
}

/// Which call it is, and whose.
pub(super) struct Entry {
    /// Random.
    pub(super) handle: [u8; 16],
    pub(super) principal: Principal,
    /// Of the backend session in which it runs.
    pub(super) key: SessionKey,
    /// The arguments at the backend, where whoever goes on with it has to be let through with those.
    pub(super) sent: Option<Arc<Sent>>,
}

/// One call.
pub(super) struct ParkedCall {
    exchange: Exchange,
    entry: Entry,
    round: u32,
    parking: Arc<Parking>,
    /// The configuration ends.
    shutdown: CancellationToken,
    /// What the backend asked and was not answered.
    open: Vec<Question>,
    /// How much it asked in all.
    asked: u32,
}

struct Question {
    key: String,
    id: AskId,
    method: String,
    params: Bytes,
    _part: Part,
}

/// What an event was.
enum Heard {
    Question,
    Withdrawal,
    Ahead(Said),
    Last(Said),
}

impl ParkedCall {
    pub(super) fn new(exchange: Exchange, entry: Entry, parking: Arc<Parking>, shutdown: CancellationToken) -> Self {
        Self { exchange, entry, round: 0, parking, shutdown, open: Vec::new(), asked: 0 }
    }

    /// Runs the call to its end. Whoever waits for it hears through `out`; it ends with whoever stops waiting, and when nobody comes back.
    pub(super) async fn run(mut self, first: Ask, mut out: mpsc::Sender<Said>) {
        self.ask(first);
        while self.attended(&out).await {
            let Some(next) = self.parked(out).await else { return };
            out = next;
        }
    }

    /// While the caller waits. Whether it has to answer now; else the call is over.
    async fn attended(&mut self, out: &mpsc::Sender<Said>) -> bool {
        let shutdown = self.shutdown.clone();
        let mut gathered = self.gathering();
        loop {
            let last = tokio::select! {
                biased;
                () = out.closed() => return false,
                () = shutdown.cancelled() => Said::Failed(Failure::busy("the gateway is stopping, or has another configuration now")),
                event = self.exchange.next() => match self.heard(event) {
                    Heard::Question => {
                        gathered = self.gathering();
                        continue;
                    }
                    Heard::Withdrawal => {
                        gathered = gathered.filter(|_| !self.open.is_empty());
                        continue;
                    }
                    Heard::Ahead(said) => {
                        if out.send(said).await.is_err() {
                            return false;
                        }
                        continue;
                    }
                    Heard::Last(said) => said,
                },
                () = reached(gathered) => return true,
            };
            // Nobody may be waiting any more.
            let _ = out.send(last).await;
            return false;
        }
    }

    /// While nobody waits. Who does then; else the call is over.
    async fn parked(&mut self, out: mpsc::Sender<Said>) -> Option<mpsc::Sender<Said>> {
        let (shutdown, timeout) = (self.shutdown.clone(), self.parking.bounds.timeout);
        let (resume, mut resumed) = oneshot::channel();
        let _place = match self.place(resume) {
            Ok(place) => place,
            Err(failure) => {
                let _ = out.send(Said::Failed(failure)).await;
                return None;
            }
        };
        let end = Instant::now() + timeout;
        let questions = self.open.iter().map(|open| (open.key.clone(), open.method.clone(), open.params.clone())).collect();
        let (heard, is_heard) = oneshot::channel();
        let asks = Said::Asks { questions, handle: self.entry.handle, round: self.round, until: epoch(timeout), heard };
        out.send(asks).await.ok()?;
        drop(out);
        is_heard.await.ok()?;
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                resume = &mut resumed => {
                    let Resume { answers, identity, out } = resume.ok()?;
                    if let Some(last) = last {
                        let _ = out.send(last).await;
                        return None;
                    }
                    self.answer(answers, &identity);
                    return Some(out);
                }
                () = sleep_until(end) => {
                    tracing::debug!(exchange = ?self.exchange, "nobody came back with the input that a call waits for; it is cancelled");
                    return None;
                }
                // What is said ahead of the answer has nobody to go to.
                event = self.exchange.next(), if last.is_none() => if let Heard::Last(said) = self.heard(event) {
                    last = Some(said);
                },
            }
        }
    }

    fn place(&mut self, resume: oneshot::Sender<Resume>) -> Result<Place, Failure> {
        self.round += 1;
        let asked = self.open.iter().map(|open| (open.key.clone(), open.method.clone())).collect();
        let Entry { handle, principal, key, sent } = &self.entry;
        let waiting = Waiting { round: self.round, principal: principal.clone(), key: *key, sent: sent.clone(), asked, resume };
        self.parking.park(*handle, waiting)
    }

    /// Until when there may be more to ask; `None` while nothing is asked.
    fn gathering(&self) -> Option<Instant> {
        (!self.open.is_empty()).then(|| Instant::now() + GATHER)
    }

    fn heard(&mut self, event: Result<Event, Error>) -> Heard {
        match event {
            Err(error) => Heard::Last(Said::Failed(Failure::backend(&error))),
            Ok(Event::Request { id, method, params }) => {
                self.ask(Ask { id, method, params });
                Heard::Question
            }
            Ok(Event::Withdrawn { id }) => {
                self.open.retain(|open| open.id != id);
                Heard::Withdrawal
            }
            Ok(Event::Notification { method, params }) => Heard::Ahead(Said::Notification { method, params }),
            Ok(event @ (Event::Result(_) | Event::Error { .. })) => Heard::Last(Said::Ended(event, self.exchange.result_traits())),
        }
    }

    /// Keeps a question for the caller. The backend was told what the caller declared, and nothing else comes this far.
    fn ask(&mut self, ask: Ask) {
        let refusal = |code, why| Answer::Error(error_object(code, why, None).into());
        let Some(part) = self.parking.room(ask.params.len()) else {
            let refusal = refusal(code::INTERNAL, "callers are asked too much already; try again later, or ask for less");
            return self.exchange.respond(&ask.id, &refusal, None);
        };
        let params = std::str::from_utf8(&ask.params).ok().and_then(|params| RawObject::parse(params).ok());
        let Some(params) = params.map(|params| for_modern(&params).into()) else {
            let refusal = refusal(code::INVALID_PARAMS, "the params are no JSON object");
            return self.exchange.respond(&ask.id, &refusal, None);
        };
        self.asked += 1;
        self.open.push(Question { key: format!("input-{}", self.asked), id: ask.id, method: ask.method, params, _part: part });
    }

    fn answer(&mut self, answers: Vec<(String, Bytes)>, identity: &Identity) {
        for (key, result) in answers {
            let Some(at) = self.open.iter().position(|open| open.key == key) else { continue };
            let open = self.open.remove(at);
            self.exchange.respond(&open.id, &Answer::Result(result), Some(identity));
        }
    }
}

/// Waits for ever where there is nothing to wait for.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
