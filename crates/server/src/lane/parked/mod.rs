//! Calls of modern callers during which a legacy backend asks something (2025-11-25, client/*). The caller is answered with what is asked
//! (2026-07-28, basic/patterns/mrtr), and the call waits here until the same request comes again with the answers.

mod state;
mod table;
mod task;

pub(crate) use table::{Bounds, Parking};

use super::{
    Caller, Load, Requester,
    asking::Ask,
    input::{can_answer, required},
    question::answer_for_legacy,
    route::Sought,
    way::Way,
};
use crate::{
    admission::Asks,
    failure::{Failure, code},
    gateway::Snapshot,
    session::random,
};
use bytes::Bytes;
use state::State;
use std::sync::Arc;
use table::Sent;
use task::{Entry, ParkedCall, Resume, Said};
use tokio::sync::mpsc;
use vmcp_backend::{Event, Exchange};
use vmcp_core::{Era, frame::RawObject};

/// How many messages wait for a slow caller; then its backend is not read on.
const QUEUE: usize = 8;

impl Snapshot {
    /// What a `requestState` says, if it is one that this caller was given here.
    pub(super) fn own_state(&self, caller: &Caller, text: &str) -> Option<State> {
        State::from_bytes(&self.seals.open_state(&self.bound(&caller.identity), text)?)
    }

    /// Keeps the arguments that a call is sent with, where interceptors made others of the caller's own and decisions read them: these are
    /// asked about again when its caller goes on with it.
    fn keep_sent(&self, load: &Load<'_>) -> Result<Option<Arc<Sent>>, Failure> {
        if !self.admission.as_ref().is_some_and(|admission| admission.reads_arguments()) {
            return Ok(None);
        }
        load.changed_arguments().map(|sent| self.parking.keep(sent).ok_or_else(table::is_full)).transpose()
    }
}

impl Way<'_> {
    /// Goes on with a call during which the backend asks something: `first`. From here on a task of its own has the call.
    pub(super) async fn park(
        &self,
        snapshot: &Snapshot,
        exchange: Exchange,
        first: Ask,
        requester: &impl Requester,
    ) -> Result<Bytes, Failure> {
        let handle = random().map_err(|error| Failure::new(code::INTERNAL, &error.to_string()))?;
        let (out, said) = mpsc::channel(QUEUE);
        let identity = &self.caller.identity;
        let key = self.backend.session_key(identity);
        let sent = snapshot.keep_sent(self.load)?;
        let (tracker, shutdown) = snapshot.background();
        let place = Entry { handle, principal: identity.principal().clone(), key, sent };
        let call = ParkedCall::new(exchange, place, Arc::clone(&snapshot.parking), shutdown.clone());
        // In this thread's runtime, to which the connection belongs.
        tracker.spawn(call.run(first, out));
        self.attend(snapshot, said, requester).await
    }

    /// Goes on with a call that waits for these answers.
    pub(super) async fn resume(
        &self,
        snapshot: &Snapshot,
        state: &State,
        responses: Option<&RawObject<'_>>,
        requester: &impl Requester,
    ) -> Result<Bytes, Failure> {
        if state.digest != self.digest() {
            return Err(Failure::invalid_params("this `requestState` was given for another request; repeat that one as it was"));
        }
        if state.is_over() {
            return Err(Failure::invalid_params(
                "this `requestState` is out of date (limits.parkedCallTimeout); send the request without it to begin anew",
            ));
        }
        // Interceptors may make something else of the same request for another token: the call at the backend is the one that was sent.
        if let Some(sent) = snapshot.parking.sent(state) {
            let key = snapshot.key(&self.caller.viewer());
            let sought = Sought { asks: Asks::Call(Some(&sent.arguments)), ..self.load.sought(&key) };
            snapshot.admit(&sought, self.route.backend)?;
        }
        let given = responses.map(RawObject::members).unwrap_or_default();
        let key = self.backend.session_key(&self.caller.identity);
        let mut answers = Vec::with_capacity(given.len());
        let resume = snapshot.parking.take(state, key, |asked| {
            for member in given {
                // Answers to what was not asked are nobody's.
                let Some((name, method)) = asked.iter().find(|(name, _)| *name == *member.key()) else { continue };
                let answer = RawObject::parse(member.value()).ok().filter(|answer| can_answer(method, answer));
                let Some(answer) = answer else {
                    return Err(Failure::invalid_params(&format!("`inputResponses`[{name:?}] is no result of {method}")));
                };
                answers.push((name.clone(), Bytes::from(answer_for_legacy(&answer))));
            }
            Ok(())
        })?;
        let (out, said) = mpsc::channel(QUEUE);
        if resume.send(Resume { answers, identity: self.caller.identity.clone(), out }).is_err() {
            return Err(table::no_longer_waits());
        }
        self.attend(snapshot, said, requester).await
    }

    /// Passes on what is said of the call while its caller waits. Given up, it ends the call.
    async fn attend(&self, snapshot: &Snapshot, mut said: mpsc::Receiver<Said>, requester: &impl Requester) -> Result<Bytes, Failure> {
        while let Some(said) = said.recv().await {
            match said {
                Said::Notification { method, params } => {
                    if let Some(message) = self.ahead(&method, &params, Era::Legacy) {
                        requester.notified(message).await;
                    }
                }
                Said::Asks { questions, handle, round, until, heard } => {
                    let state = State { handle, round, until, digest: self.digest() };
                    let bound = snapshot.bound(&self.caller.identity);
                    let state = snapshot.seals.seal_state(&bound, &state.to_bytes());
                    let state = state.ok_or_else(|| Failure::new(code::INTERNAL, "no random bytes from the operating system"))?;
                    let questions = questions.iter().map(|(key, method, params)| (key.as_str(), method.as_str(), params.as_ref()));
                    let result = required(questions, Some(&state));
                    // Else it has just ended, which the next request finds out.
                    let _ = heard.send(());
                    return Ok(result);
                }
                Said::Ended(Event::Result(result), traits) => {
                    return self.result(Era::Legacy, traits, result);
                }
                Said::Ended(Event::Error { code, object }, _) => return self.error(code, object, Era::Legacy),
                Said::Ended(..) => break,
                Said::Failed(failure) => return Err(failure),
            }
        }
        Err(Failure::new(code::INTERNAL, "the call has ended without an answer"))
    }

    /// What tells this request from others: the same request again has the same digest, whatever interceptors make of it.
    fn digest(&self) -> [u8; 32] {
        state::digest(self.carried.method(), &self.name, self.own_arguments().unwrap_or("{}"))
    }
}

#[cfg(test)]
mod tests;
