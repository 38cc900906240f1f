//! The raw lane: find the owner, send the parameters as they are, pass on what comes back.

use super::{
    Journal, Load, Requester,
    asking::Ask,
    input::{Brought, RESPONSES},
    unambiguous::check_unambiguous,
    way::{Route, Way},
};
use crate::{
    failure::{Failure, code},
    gateway::Snapshot,
    views::ViewerKey,
};
use bytes::Bytes;
use vmcp_backend::{Answer, Event};
use vmcp_core::{
    Era,
    frame::{Edit, ResultKind, error_object},
};

impl Snapshot {
    /// Carries a request to the backend that owns it. The result is the `result` object's text as the caller's era wants it. `journal` is
    /// told whose it is.
    pub(crate) async fn carry(&self, load: &Load<'_>, requester: &impl Requester, journal: &mut Journal) -> Result<Bytes, Failure> {
        if self.interceptors.is_empty() {
            return self.carry_on(load, None, requester, journal).await;
        }
        Box::pin(self.intercepted(load, requester, journal)).await
    }

    /// The same past the interceptors. `before` is how the request was let through with these parameters already, if it was.
    pub(super) async fn carry_on(
        &self,
        load: &Load<'_>,
        mut before: Option<Route>,
        requester: &impl Requester,
        journal: &mut Journal,
    ) -> Result<Bytes, Failure> {
        let Load { caller, carried, params, .. } = *load;
        let name = &*load.name;
        let brought = if caller.era == Era::Modern { Brought::read(params)? } else { None };
        let _place = self.shares.enter(caller, !self.authenticator.is_anonymous(), self.limits.max_per_session)?;
        let token = params.meta().and_then(|meta| meta.get("progressToken"));
        let state = brought.as_ref().and_then(|brought| self.own_state(caller, brought.state.as_deref()?));
        let key = self.key(&caller.viewer());
        let mut renewed = false;
        loop {
            let (route, renamed) = self.lead(load, &key, before.as_ref(), requester).await?;
            let Some(backend) = self.backends.get(route.backend) else { return Err(Failure::unknown("tool", name)) };
            journal.owner(backend.name());
            tracing::trace!(method = carried.method(), backend = &**backend.name(), "sending");
            let way = Way { backend, load, route: &route, renamed: renamed.as_deref(), token };
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
                            (ResultKind::Task, _) if era == Era::Modern => self.task_begun(caller, backend, name, result),
                            _ => way.result(era, traits, result),
                        };
                    }
                    Event::Error { code: code::HEADER_MISMATCH, .. } if exchange.era() == Era::Modern && !renewed => {
                        renewed = true;
                        self.renew(&way, &key).await;
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
                        if let Some(message) = way.ahead(&method, &params, exchange.era()) {
                            requester.notified(message).await;
                        }
                    }
                }
            }
            before = Some(route);
        }
    }

    /// Where a request goes, if its caller may send it there, and what the parameter that names its subject is there, where it is another
    /// one: JSON text. `before` is how it was let through already.
    async fn lead(
        &self,
        load: &Load<'_>,
        key: &ViewerKey,
        before: Option<&Route>,
        requester: &impl Requester,
    ) -> Result<(Route, Option<String>), Failure> {
        let sought = load.sought(key);
        let route = match before {
            None => self.route(&sought).await?,
            Some(before) => self.route_again(&sought, before).await?,
        };
        check_unambiguous(load.params, &route.param_headers)?;
        requester.check_mirrored(load.params, &route.param_headers)?;
        // Only a name that is another one at the backend is written anew.
        let renamed = route.original.as_deref().and_then(|original| load.carried.renamed(load.params, original));
        Ok((route, renamed))
    }

    /// The tool's schema has changed since it was listed (-32020): the request was not run, and its list is fetched anew.
    async fn renew(&self, way: &Way<'_>, key: &ViewerKey) {
        tracing::trace!(backend = &**way.backend.name(), "the tool has changed; its list is fetched anew and the call repeated");
        self.views.renew(&way.caller.viewer(), key, way.route.backend).await;
    }

    /// The way of a request anew, whose tool is another one now. It has to be the same backend's: that one asked for what it brings.
    pub(super) async fn reroute(&self, way: &Way<'_>, requester: &impl Requester) -> Result<(Route, Option<String>), Failure> {
        let key = self.key(&way.caller.viewer());
        self.renew(way, &key).await;
        let (route, renamed) = self.lead(way.load, &key, Some(way.route), requester).await?;
        if route.backend != way.route.backend {
            return Err(Failure::unknown("tool", &way.name));
        }
        Ok((route, renamed))
    }
}
