//! The raw lane: find the owner, send the parameters as they are, pass on what comes back.

use super::{
    Caller, Journal, Requester,
    asking::Ask,
    carried::Carried,
    input::{Brought, RESPONSES},
    unambiguous::check_unambiguous,
    way::{Route, Way, ahead},
};
use crate::{
    failure::{Failure, code},
    gateway::Snapshot,
};
use bytes::Bytes;
use vmcp_backend::{Answer, Event};
use vmcp_core::{
    Era,
    frame::{Edit, RawObject, ResultKind, error_object},
};

impl Snapshot {
    /// Carries a request to the backend that owns it. The result is the `result` object's text as the caller's era wants it. `journal` is
    /// told whose it is.
    pub(crate) async fn carry(
        &self,
        caller: &Caller,
        carried: Carried,
        params: &RawObject<'_>,
        requester: &impl Requester,
        journal: &mut Journal,
    ) -> Result<Bytes, Failure> {
        if self.interceptors.is_empty() {
            return self.carry_on(caller, carried, params, None, requester, journal).await;
        }
        Box::pin(self.intercepted(caller, carried, params, requester, journal)).await
    }

    /// The same past the interceptors. `before` is how the request was let through with these parameters already, if it was.
    pub(super) async fn carry_on(
        &self,
        caller: &Caller,
        carried: Carried,
        params: &RawObject<'_>,
        mut before: Option<Route>,
        requester: &impl Requester,
        journal: &mut Journal,
    ) -> Result<Bytes, Failure> {
        let (subject, name) = carried.subject(params)?;
        let asks = carried.asks(params)?;
        let brought = if caller.era == Era::Modern { Brought::read(params)? } else { None };
        let _place = self.shares.enter(caller, !self.authenticator.is_anonymous(), self.limits.max_per_session)?;
        let token = params.meta().and_then(|meta| meta.get("progressToken"));
        let state = brought.as_ref().and_then(|brought| self.own_state(caller, brought.state.as_deref()?));
        let viewer = caller.viewer();
        let key = self.key(&viewer);
        let mut renewed = false;
        loop {
            let route = match &before {
                None => self.route(caller, &key, subject, &name, asks).await?,
                Some(before) => self.route_again(caller, &key, subject, &name, asks, before).await?,
            };
            check_unambiguous(params, &route.param_headers)?;
            requester.check_mirrored(params, &route.param_headers)?;
            let Some(backend) = self.backends.get(route.backend) else { return Err(Failure::unknown("tool", &name)) };
            journal.owner(backend.name());
            tracing::trace!(method = carried.method(), backend = &**backend.name(), "sending");
            // Only a name that is another one at the backend is written anew.
            let renamed = route.original.as_deref().and_then(|original| carried.renamed(params, original));
            let renamed = renamed.as_deref();
            let way = Way { backend, carried, subject, name: &name, params, route: &route, renamed, caller, token };
            if let Some(state) = &state {
                let responses = brought.as_ref().and_then(|brought| brought.responses.as_ref());
                return Box::pin(way.resume(self, state, responses, requester)).await;
            }
            let mut changes: &[Edit<'_>] = &[];
            if brought.is_some() && backend.known_era(caller.era) == Some(Era::Legacy) {
                if brought.as_ref().is_some_and(|brought| brought.state.is_some()) {
                    return Err(Failure::invalid_params("this `requestState` was not given for this request; send the request without it"));
                }
                changes = &[Edit::Remove(RESPONSES)];
            }
            let mut exchange = way.send(changes).await?;
            tracing::trace!(method = carried.method(), backend = &**backend.name(), era = %exchange.era(), "an answer has begun");
            loop {
                match exchange.next().await.map_err(|error| Failure::backend(&error))? {
                    Event::Result(result) => {
                        let (era, traits) = (exchange.era(), exchange.result_traits());
                        return match (traits.kind, caller.era) {
                            (ResultKind::InputRequired, Era::Legacy) if era == Era::Modern => {
                                drop(exchange);
                                Box::pin(way.rounds(self, result, requester)).await
                            }
                            (ResultKind::InputRequired, Era::Modern) if era == Era::Modern => way.asked_by_result(result),
                            (ResultKind::Task, _) if era == Era::Modern => self.task_begun(caller, backend, &name, result),
                            _ => way.result(era, traits, result),
                        };
                    }
                    Event::Error { code: code::HEADER_MISMATCH, .. } if exchange.era() == Era::Modern && !renewed => {
                        // The tool's schema has changed since it was listed: the request was not run.
                        renewed = true;
                        tracing::trace!(
                            backend = &**backend.name(),
                            "the tool has changed; its list is fetched anew and the call repeated"
                        );
                        self.views.renew(&viewer, &key, route.backend).await;
                        break;
                    }
                    Event::Error { code, object } => return way.error(code, object, exchange.era()),
                    Event::Request { id, method, params } if caller.era == Era::Legacy => {
                        return Box::pin(way.asking(exchange, Ask { id, method, params }, requester)).await;
                    }
                    Event::Request { id, method, params } if carried.can_ask() => {
                        return Box::pin(way.park(self, exchange, Ask { id, method, params }, requester)).await;
                    }
                    Event::Request { id, .. } => {
                        let refusal =
                            error_object(code::METHOD_NOT_FOUND, "a caller of this revision cannot be asked during this request", None);
                        exchange.respond(&id, &Answer::Error(refusal.into()), None);
                    }
                    Event::Withdrawn { .. } => {}
                    Event::Notification { method, params } => {
                        tracing::trace!(backend = &**backend.name(), "a notification ahead of the answer");
                        if let Some(message) = ahead(&method, &params, caller, (backend, exchange.era()), token) {
                            requester.notified(message).await;
                        }
                    }
                }
            }
            before = Some(route);
        }
    }

    /// The way of a request anew, after its backend said that the tool is another one now (-32020): its list is fetched anew, and nothing was
    /// run.
    pub(super) async fn reroute(&self, way: &Way<'_>) -> Result<(Route, Option<String>), Failure> {
        tracing::trace!(backend = &**way.backend.name(), "the tool has changed; its list is fetched anew and the call repeated");
        let viewer = way.caller.viewer();
        let key = self.key(&viewer);
        self.views.renew(&viewer, &key, way.route.backend).await;
        let route = self.route_again(way.caller, &key, way.subject, way.name, way.carried.asks(way.params)?, way.route).await?;
        if route.backend != way.route.backend {
            return Err(Failure::unknown("tool", way.name));
        }
        check_unambiguous(way.params, &route.param_headers)?;
        let renamed = route.original.as_deref().and_then(|original| way.carried.renamed(way.params, original));
        Ok((route, renamed))
    }
}
