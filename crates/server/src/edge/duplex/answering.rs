//! A client's requests: each is answered in a task of its own, beside the others.

use super::{Peer, requester::AtPipe, running::Place};
use crate::{
    edge::{
        legacy, listen, modern,
        post::{Incoming, MAX_BATCH},
        room::Room,
    },
    failure::{Failure, code},
    gateway::InFlight,
    lane::Journal,
};
use bytes::Bytes;
use std::{pin::pin, sync::Arc};
use vmcp_core::frame::{Message, Request, response_head};

/// How many subscriptions a client has at once. Over HTTP each costs it a connection, here it costs nothing but what it takes upstream.
pub(super) const SUBSCRIPTIONS: usize = 64;
/// Up to this size a message is copied out of what was read with it.
const COPIED: usize = 16 * 1024;

/// In what way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    Modern,
    Legacy,
    /// Several at once, as only 2025-03-26 has them.
    Batch,
}

/// What a request holds while it runs.
struct Begun {
    place: Place,
    in_flight: InFlight,
    room: Room,
}

impl Peer {
    /// Begins to answer a request in a task of its own.
    pub(super) async fn start(self: &Arc<Self>, id: Option<&str>, speech: Speech, text: &Bytes, incoming: Incoming) {
        let begun = match self.place(id, text, &incoming) {
            Ok(begun) => begun,
            Err(failure) => return self.say(failure.message(id)).await,
        };
        // A copy, since the rest of what was read with a small message would be kept as long as the message.
        let text = if text.len() <= COPIED { Bytes::copy_from_slice(text) } else { text.clone() };
        let (peer, id) = (Arc::clone(self), id.map(Box::<str>::from));
        self.inner.tracker.spawn(async move {
            let Begun { place, in_flight, mut room } = begun;
            let answer = tokio::select! {
                biased;
                () = place.cancelled() => None,
                answer = Box::pin(peer.answer(speech, &text, &incoming, in_flight)) => answer,
            };
            drop(text);
            // Many answers may wait for one client: they take of what the bodies of all have.
            let answer = answer.map(|answer| match room.cover(answer.len()) {
                Ok(()) => answer,
                Err(failure) => failure.message(id.as_deref()).into(),
            });
            // Waits for a slow client no longer than until the call is cancelled.
            if let Some(answer) = answer {
                tokio::select! {
                    biased;
                    () = peer.say(answer) => {}
                    () = place.cancelled() => {}
                }
            }
        });
    }

    fn place(&self, id: Option<&str>, text: &Bytes, incoming: &Incoming) -> Result<Begun, Failure> {
        let limits = &incoming.snapshot.limits;
        let busy = "too many requests in flight (limits.maxRequestsInFlight); try again";
        let in_flight = self.inner.enter(limits.max_in_flight).ok_or_else(|| Failure::busy(busy))?;
        let place = self.running.begin(id.unwrap_or_default());
        let place = place.ok_or_else(|| Failure::busy("too many requests of this client run at once; wait for an answer"))?;
        let mut room = Room::new(&self.inner.bodies, limits.request_budget);
        room.cover(text.len())?;
        Ok(Begun { place, in_flight, room })
    }

    /// The answer to what the client sent. `None` where there is none, or it has been sent.
    async fn answer(&self, speech: Speech, text: &Bytes, incoming: &Incoming, in_flight: InFlight) -> Option<Bytes> {
        let (mut messages, _) = Message::parse_batch(text, MAX_BATCH).ok()?;
        if let (Speech::Batch, Some(session)) = (speech, self.session()) {
            return Some(legacy::serve_batch(incoming, session, messages).await.into_body().collect().await);
        }
        let Some(Message::Request(request)) = messages.pop() else { return None };
        let id = request.id.raw();
        if request.method == "subscriptions/listen" && speech == Speech::Modern {
            let failed = self.listen(incoming, &request, in_flight).await.err()?;
            return Some(failed.message(Some(id)).into());
        }
        let outcome = match speech {
            Speech::Modern => {
                let mut journal = Journal::begin(&request.method);
                let outcome = modern::answer(incoming, &request, &AtPipe { peer: self, session: None }, &mut journal).await;
                journal.end(&outcome);
                outcome
            }
            Speech::Legacy | Speech::Batch => self.answer_legacy(incoming, &request).await,
        };
        Some(match outcome {
            Ok(result) => {
                let mut message = response_head(id, result.len() + 1);
                message.extend_from_slice(&result);
                message.push(b'}');
                message.into()
            }
            Err(failure) => failure.message(Some(id)).into(),
        })
    }

    async fn answer_legacy(&self, incoming: &Incoming, request: &Request<'_>) -> Result<Bytes, Failure> {
        match self.session() {
            Some(session) => legacy::result(incoming, session, request, &AtPipe { peer: self, session: Some(session) }).await,
            None if request.method == "ping" => Ok(Bytes::from_static(b"{}")),
            None => Err(Failure::new(code::INVALID_REQUEST, "there is no session yet; send `initialize` first")),
        }
    }

    /// Tells of changes until the subscription is cancelled or ends. An end in order is the request's result, among the messages.
    async fn listen(&self, incoming: &Incoming, request: &Request<'_>, in_flight: InFlight) -> Result<(), Failure> {
        let journal = Journal::begin(&request.method);
        let Ok(_place) = self.listening.try_acquire() else {
            let many = format!("this client has {SUBSCRIPTIONS} subscriptions; put more into one, or cancel one that is not needed");
            let refused = Err(Failure::busy(&many));
            journal.end(&refused);
            return refused;
        };
        let opened = match modern::check(incoming, request) {
            Ok((params, capabilities)) => listen::open(incoming, request.id.raw(), params, capabilities).await,
            Err(failure) => Err(failure),
        };
        journal.end(&opened);
        let (mut messages, guard) = opened?;
        drop(in_flight);
        let telling = async {
            while let Some(message) = messages.recv().await {
                self.say(message).await;
            }
        };
        let mut telling = pin!(telling);
        tokio::select! {
            () = &mut telling => return Ok(()),
            () = self.silent() => {}
            () = self.overdue(&incoming.identity) => {}
        }
        guard.end();
        // Nothing is heard any more while a slow client reads the rest.
        drop(guard);
        telling.await;
        Ok(())
    }
}
