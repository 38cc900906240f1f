//! A legacy caller of a legacy backend that asks something during a call (2025-11-25, client/*): its requests become requests on the
//! caller's stream, several at once, and the answers go back.

use super::{
    Caller, Given, Requester, Unanswered,
    question::{for_legacy, mode},
    running::Running,
    way::Way,
};
use crate::{
    failure::{Failure, code},
    session::OnProgress,
};
use bytes::Bytes;
use vmcp_auth::Identity;
use vmcp_backend::{Answer, AskId, Event, Exchange, ProgressTo};
use vmcp_core::{
    Era,
    frame::{RawObject, error_object},
};

/// What a backend asks.
pub(super) struct Ask {
    pub(super) id: AskId,
    pub(super) method: String,
    /// The JSON text of an object.
    pub(super) params: Bytes,
}

impl Way<'_> {
    /// Goes on with a call during which the backend asks something: `first`.
    pub(super) async fn asking(&self, mut exchange: Exchange, first: Ask, requester: &impl Requester) -> Result<Bytes, Failure> {
        // One that is given up, because the backend takes it back or ends, is taken back from the client too.
        let mut running = Running::new();
        running.start(first.id.clone(), answer(self.caller, first, exchange.progress(), requester));
        loop {
            tokio::select! {
                (id, (answer, given)) = running.next() => {
                    let caller = given.as_ref().and_then(|given| given.identity.as_ref());
                    exchange.respond(&id, &answer, caller);
                }
                event = exchange.next() => match event.map_err(|error| Failure::backend(&error))? {
                    Event::Request { id, method, params } => {
                        running.start(id.clone(), answer(self.caller, Ask { id, method, params }, exchange.progress(), requester));
                    }
                    Event::Withdrawn { id } => running.stop(&id),
                    Event::Notification { method, params } => {
                        if let Some(message) = self.ahead(&method, &params, exchange.era()) {
                            requester.notified(message).await;
                        }
                    }
                    Event::Result(result) => {
                        return self.result(exchange.era(), exchange.result_traits(), result);
                    }
                    Event::Error { code, object } => return self.error(code, object, exchange.era()),
                },
            }
        }
    }
}

/// Asks the client. What the backend is answered, and what the client gave.
async fn answer(caller: &Caller, ask: Ask, progress: Option<ProgressTo>, requester: &impl Requester) -> (Answer, Option<Given>) {
    let refused = |message: &str| (Answer::Error(error_object(code::INVALID_REQUEST, message, None).into()), None);
    let Some(params) = std::str::from_utf8(&ask.params).ok().and_then(|params| RawObject::parse(params).ok()) else {
        return refused("the params are no JSON object");
    };
    if !caller.capabilities.allows(&ask.method, mode(&ask.method, &params).as_deref()) {
        return refused("the client did not declare the capability that this needs");
    }
    let params = match for_legacy(&ask.method, &params, caller.revision(), Era::Legacy) {
        Ok(params) => params,
        Err(why) => return refused(&why.to_string()),
    };
    let on_progress = progress.map(|progress| Box::new(move |params, by: &Identity| progress.tell(by, params)) as OnProgress);
    match requester.ask(&ask.method, &params, on_progress).await {
        Ok(given) => (Answer::Result(given.result.clone()), Some(given)),
        Err(Unanswered::Error(object)) => (Answer::Error(object), None),
        Err(Unanswered::CannotBeAsked) => refused("the client reads no stream on which it could be asked"),
        Err(Unanswered::Gone) => refused("the client's session has ended"),
    }
}
