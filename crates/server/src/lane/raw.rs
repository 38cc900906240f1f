//! The raw lane: find the owner, send the parameters as they are, pass on what comes back.

use super::{Caller, Journal, Requester, bridge, carried::Carried, unambiguous::check_unambiguous};
use crate::{
    failure::{Failure, code},
    gateway::Snapshot,
    views::{Viewer, ViewerKey},
};
use bytes::Bytes;
use std::sync::Arc;
use vmcp_backend::{Call, Event};
use vmcp_core::{
    Era,
    catalogue::{ParamHeader, Unlisted},
    frame::{Edit, RawObject, json_string, notification},
};

/// Where a request goes.
struct Route {
    backend: usize,
    /// The name at the backend; `None` where it is the caller's.
    original: Option<Arc<str>>,
    param_headers: Arc<[ParamHeader]>,
}

impl Route {
    fn new(backend: usize, original: Option<&Arc<str>>, name: &str) -> Self {
        Self { backend, original: original.filter(|original| ***original != *name).cloned(), param_headers: Arc::default() }
    }
}

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
        let name = params.get_str(carried.key());
        let name = name.ok_or_else(|| Failure::invalid_params(&format!("`{}` has to be a string", carried.key())))?;
        if carried != Carried::ResourcesRead && params.get("arguments").is_some_and(|arguments| !arguments.starts_with('{')) {
            return Err(Failure::invalid_params("`arguments` has to be an object"));
        }
        let _place = self.shares.enter(caller, !self.authenticator.is_anonymous(), self.limits.max_per_session)?;
        let token = params.meta().and_then(|meta| meta.get("progressToken"));
        let viewer = caller.viewer();
        let key = viewer.key(&self.backends);
        let mut renewed = false;
        loop {
            let route = self.route(&viewer, &key, carried, &name).await?;
            check_unambiguous(params, &route.param_headers)?;
            requester.check_mirrored(params, &route.param_headers)?;
            let Some(backend) = self.backends.get(route.backend) else { return Err(Failure::unknown("tool", &name)) };
            journal.owner(backend.name());
            tracing::trace!(method = carried.method(), backend = &**backend.name(), "sending");
            // Only a name that is another one at the backend is written anew.
            let renamed = route.original.as_deref().map(|original| {
                let mut literal = Vec::with_capacity(original.len() + 2);
                json_string(original, &mut literal);
                literal
            });
            let renamed = renamed.as_deref().and_then(|literal| std::str::from_utf8(literal).ok());
            let edit = renamed.map(|literal| Edit::Set(carried.key(), literal));
            let call = Call {
                method: carried.method(),
                params,
                set: edit.as_slice(),
                mirror: Some(route.original.as_deref().unwrap_or(&name)),
                param_headers: &route.param_headers,
                caller: &caller.identity,
                caller_era: caller.era,
                capabilities: caller.capabilities,
                sessions: caller.session().map(|session| &session.backends),
                progress: token.is_some(),
            };
            let mut exchange = backend.call(call).await.map_err(|error| Failure::backend(&error))?;
            tracing::trace!(method = carried.method(), backend = &**backend.name(), era = %exchange.era(), "an answer has begun");
            loop {
                match exchange.next().await.map_err(|error| Failure::backend(&error))? {
                    Event::Result(result) => return bridge::result(carried, caller.era, exchange.era(), exchange.result_traits(), result),
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
                    Event::Error { code, object } => {
                        let uri = (carried == Carried::ResourcesRead).then_some(&*name);
                        return Err(Failure::passed(code, object, caller.era, exchange.era(), uri));
                    }
                    Event::Notification { method, params } => {
                        tracing::trace!(backend = &**backend.name(), "a notification ahead of the answer");
                        if let ("notifications/progress", Some(token)) = (method.as_str(), token) {
                            requester.notified(progress(&params, token)).await;
                        }
                    }
                }
            }
        }
    }

    async fn route(&self, viewer: &Viewer<'_>, key: &ViewerKey, carried: Carried, name: &str) -> Result<Route, Failure> {
        if let Some(route) = self.listed_route(key, carried, name) {
            return Ok(route);
        }
        let rules = self.views.rules();
        if viewer.era == Era::Modern
            && carried == Carried::ToolsCall
            && let Unlisted::Route { backend: owner, .. } = rules.unlisted_tool(name, &self.views.listed(key, carried.lists()))
        {
            // What a modern caller's headers have to repeat stands in the tool's schema, so its first call waits for the first list.
            self.views.gather(viewer, key, |backend| backend == owner).await;
        }
        let listed = self.views.listed(key, carried.lists());
        // A list that came in since the first look is in the catalogue now.
        if let Some(route) = self.listed_route(key, carried, name) {
            return Ok(route);
        }
        let unlisted = match carried {
            Carried::ToolsCall => rules.unlisted_tool(name, &listed),
            Carried::PromptsGet => rules.unlisted_prompt(name, &listed),
            Carried::ResourcesRead => rules.unlisted_resource(name, &listed),
        };
        match unlisted {
            Unlisted::Unknown => {}
            Unlisted::Route { backend, original } => return Ok(Route::new(backend, Some(&original), name)),
            Unlisted::AskFirst(owners) => {
                self.views.gather(viewer, key, |backend| owners.contains(&backend)).await;
                if let Some(route) = self.listed_route(key, carried, name) {
                    return Ok(route);
                }
            }
        }
        Err(match carried {
            Carried::ToolsCall => Failure::unknown("tool", name),
            Carried::PromptsGet => Failure::unknown("prompt", name),
            Carried::ResourcesRead => Failure::unknown_resource(name, viewer.era),
        })
    }

    fn listed_route(&self, key: &ViewerKey, carried: Carried, name: &str) -> Option<Route> {
        let catalogue = self.views.current(key);
        match carried {
            Carried::ToolsCall => catalogue.tool(name).map(|tool| Route {
                param_headers: Arc::clone(&tool.param_headers),
                ..Route::new(tool.backend, Some(&tool.original), name)
            }),
            Carried::PromptsGet => catalogue.prompt(name).map(|prompt| Route::new(prompt.backend, Some(&prompt.original), name)),
            Carried::ResourcesRead => catalogue.resource(name).map(|backend| Route::new(backend, None, name)),
        }
    }
}

/// A progress notification with the caller's own token in place of vmcp's.
fn progress(params: &Bytes, token: &str) -> Bytes {
    let mut rewritten = Vec::with_capacity(params.len() + token.len());
    if let Some(params) = std::str::from_utf8(params).ok().and_then(|text| RawObject::parse(text).ok()) {
        params.write(&[Edit::Set("progressToken", token)], &mut rewritten);
    }
    notification("notifications/progress", std::str::from_utf8(&rewritten).ok()).into()
}
