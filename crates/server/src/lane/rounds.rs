//! A legacy caller of a modern backend that asks for input (2026-07-28, basic/patterns/mrtr): each round's questions become requests on
//! the call's stream, and the same request goes to the backend again with the answers.

use super::{
    Caller, Requester, Unanswered,
    input::{RESPONSES, Required, STATE},
    question::{for_legacy, mode},
    way::{Route, Way},
};
use crate::{
    failure::{Failure, code},
    gateway::Snapshot,
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use vmcp_backend::Event;
use vmcp_core::{
    Era,
    frame::{Edit, ResultKind, json_string},
};

/// How often a backend may ask during one call.
const MAX_ROUNDS: usize = 10;
/// How long to wait before a request is repeated for which nothing was asked.
const PAUSE: Duration = Duration::from_millis(200);

impl Way<'_> {
    /// Goes on with a call whose first answer asks for input, for as long as a call at this backend may take.
    pub(super) async fn rounds(&self, snapshot: &Snapshot, first: Bytes, requester: &impl Requester) -> Result<Bytes, Failure> {
        let limit = snapshot.max_duration(self.route.backend);
        let too_long = |_| {
            let name = self.backend.name();
            Failure::new(code::INTERNAL, &format!("backend `{name}`: the call and what was asked during it took longer than {limit:?}"))
        };
        timeout_at(Instant::now() + limit, self.all_rounds(snapshot, first, requester)).await.map_err(too_long)?
    }

    /// This way, or the one that it has been since.
    fn anew<'a>(&'a self, since: Option<&'a (Route, Option<String>)>) -> Way<'a> {
        since.map_or(*self, |(route, renamed)| Way { route, renamed: renamed.as_deref(), ..*self })
    }

    async fn all_rounds(&self, snapshot: &Snapshot, mut result: Bytes, requester: &impl Requester) -> Result<Bytes, Failure> {
        let mut renewed = None;
        for _ in 0..MAX_ROUNDS {
            let text = std::str::from_utf8(&result).unwrap_or_default();
            let required = Required::read(text)?;
            let mut changes = Vec::with_capacity(2);
            let responses = if required.asked.is_empty() {
                sleep(PAUSE).await;
                None
            } else {
                Some(answers(&required, self.caller, requester).await?)
            };
            changes.extend(responses.as_deref().map(|responses| Edit::Set(RESPONSES, responses)));
            changes.extend(required.state.map(|state| Edit::Set(STATE, state)));
            let mut exchange = self.anew(renewed.as_ref()).send(&changes).await?;
            result = loop {
                match exchange.next().await.map_err(|error| Failure::backend(&error))? {
                    Event::Result(result)
                        if exchange.era() == Era::Modern && exchange.result_traits().kind == ResultKind::InputRequired =>
                    {
                        break result;
                    }
                    Event::Result(result) => {
                        return self.result(exchange.era(), exchange.result_traits(), result);
                    }
                    Event::Error { code: code::HEADER_MISMATCH, .. } if exchange.era() == Era::Modern && renewed.is_none() => {
                        drop(exchange);
                        let anew = renewed.insert(snapshot.reroute(self, requester).await?);
                        exchange = self.anew(Some(anew)).send(&changes).await?;
                    }
                    Event::Error { code, object } => return self.error(code, object, exchange.era()),
                    Event::Notification { method, params } => {
                        if let Some(message) = self.ahead(&method, &params, exchange.era()) {
                            requester.notified(message).await;
                        }
                    }
                    // Modern backends ask in their results.
                    Event::Request { .. } | Event::Withdrawn { .. } => {}
                }
            };
        }
        let name = self.backend.name();
        Err(Failure::new(code::INTERNAL, &format!("backend `{name}`: asked for input more than {MAX_ROUNDS} times during one call")))
    }
}

/// Asks everything at once. The JSON text of `inputResponses`.
async fn answers(required: &Required<'_>, caller: &Caller, requester: &impl Requester) -> Result<String, Failure> {
    let revision = caller.revision();
    let mut questions = Vec::with_capacity(required.asked.len());
    for asked in &required.asked {
        let method = &*asked.method;
        if !caller.capabilities.allows(method, mode(method, &asked.params).as_deref()) {
            let message = format!("the backend asks for {method}, which the client did not declare");
            return Err(Failure::new(code::INTERNAL, &message));
        }
        let params = for_legacy(method, &asked.params, revision, Era::Modern);
        let params = params.map_err(|why| Failure::new(code::INTERNAL, &format!("the backend asks for {method}: {why}")))?;
        questions.push(async move { requester.ask(method, &params, None).await.map_err(|why| unanswered(method, why)) });
    }
    let given = try_join_all(questions).await?;
    let mut out = vec![b'{'];
    for (index, (asked, given)) in required.asked.iter().zip(given).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json_string(&asked.key, &mut out);
        out.push(b':');
        out.extend_from_slice(&given.result);
    }
    out.push(b'}');
    String::from_utf8(out).map_err(|_| Failure::new(code::INTERNAL, "the client's answer is not UTF-8"))
}

/// A question without an answer ends the call: a modern backend cannot be told of it.
fn unanswered(method: &str, why: Unanswered) -> Failure {
    match why {
        Unanswered::Error(object) => Failure::of_client(&object),
        Unanswered::CannotBeAsked => {
            let message = format!("the backend asks for {method}, and this client reads no stream on which it could be asked");
            Failure::new(code::INTERNAL, &message)
        }
        Unanswered::Gone => Failure::cancelled(),
    }
}
