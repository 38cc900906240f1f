//! From a name to whoever has it, for those who may know: every request about an item passes here.

use super::{Caller, carried::Subject, way::Route};
use crate::{
    admission::{Admission, Asks, Denied, Item},
    failure::Failure,
    gateway::Snapshot,
    views::{Merged, Told, ViewerKey},
};
use std::sync::Arc;
use vmcp_backend::Backend;
use vmcp_core::{Era, catalogue::Unlisted};

/// What a request is about, and for whom it is looked for.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) caller: &'a Caller,
    pub(super) key: &'a ViewerKey,
    pub(super) subject: Subject,
    /// The caller's name or URI for it.
    pub(super) name: &'a str,
    /// What its caller wants of it.
    pub(super) asks: Asks<'a>,
}

/// What a decision was made from besides the caller and its arguments: the catalogues in which the item's name and a tool's hints stand.
pub(super) struct Ground {
    here: Merged,
    among_all: Option<Merged>,
    admission: Arc<Admission>,
}

impl Ground {
    /// Whether a caller that was let through may be told of this backend's resource.
    pub(super) fn tells(&self, caller: &Caller, backend: &Backend, told: &Told) -> bool {
        let known = told.known(self.among_all.as_ref(), (backend.index(), backend.name()));
        self.admission.may_hear(&self.admission.grant(&caller.identity), backend.index(), &known)
    }
}

impl Snapshot {
    /// Whose this is, and what it is called there. What the caller may not use is not there.
    pub(super) async fn route(&self, sought: &Sought<'_>) -> Result<Route, Failure> {
        let mut route = self.find(sought).await?;
        route.ground = self.admit(sought, route.backend)?;
        Ok(route)
    }

    /// The same anew for a request that was let through already, with the arguments that it had then: nothing is decided twice. Where
    /// what decisions read of the item is something else by now, that is another question, and is asked.
    pub(super) async fn route_again(&self, sought: &Sought<'_>, before: &Route) -> Result<Route, Failure> {
        let mut route = self.find(sought).await?;
        let now = self.admission.as_ref().map(|admission| self.ground(sought, admission));
        let holds = match (&before.ground, &now) {
            (Some(then), Some(now)) => before.backend == route.backend && self.is_same(then, now, sought, route.backend),
            _ => false,
        };
        route.ground = if holds { now } else { self.admit(sought, route.backend)? };
        Ok(route)
    }

    fn ground(&self, &Sought { caller, key, .. }: &Sought<'_>, admission: &Arc<Admission>) -> Ground {
        let among_all = self.lens.map(|_| self.views.whole(&caller.viewer().key(&self.backends, None)));
        Ground { here: self.views.whole(key), among_all, admission: Arc::clone(admission) }
    }

    /// Whether decisions about this item read the same on both grounds.
    fn is_same(&self, then: &Ground, now: &Ground, &Sought { subject, name, .. }: &Sought<'_>, backend: usize) -> bool {
        let ids = |ground: &Ground| (ground.here.id, ground.among_all.as_ref().map(|all| all.id));
        if ids(then) == ids(now) {
            return true;
        }
        let action = subject.action();
        let name_on = |ground: &Ground| self.views.policy_name(&ground.here, ground.among_all.as_ref(), action, backend, name).into_owned();
        let hints_on = |ground: &Ground| ground.here.catalogue.listed_tool(name).and_then(|tool| tool.annotations());
        name_on(then) == name_on(now) && (subject != Subject::Tool || hints_on(then) == hints_on(now))
    }

    /// Lets a caller through to something of a backend, or says that it is not there. Gives what that was decided from.
    pub(super) fn admit(&self, sought: &Sought<'_>, backend: usize) -> Result<Option<Ground>, Failure> {
        let Some(admission) = &self.admission else { return Ok(None) };
        let Sought { caller, subject, name, asks, .. } = *sought;
        let ground = self.ground(sought, admission);
        let action = subject.action();
        let known = self.views.policy_name(&ground.here, ground.among_all.as_ref(), action, backend, name);
        let item = Item { action, backend, name: &known, called: name, here: &ground.here };
        admission.check(&caller.identity, &item, asks).map_err(|denied| match denied {
            Denied::Unknown => subject.unknown(name, caller.era),
            Denied::Ambiguous => Failure::invalid_params(
                "a key stands twice in `arguments`, or a text in it is none (half of a character); send each once and whole",
            ),
        })?;
        Ok(Some(ground))
    }

    /// Whose this is, and what it is called there.
    async fn find(&self, &Sought { caller, key, subject, name, .. }: &Sought<'_>) -> Result<Route, Failure> {
        if let Some(route) = self.listed_route(key, subject, name) {
            return Ok(route);
        }
        let viewer = caller.viewer();
        let rules = self.views.rules(key);
        if viewer.era == Era::Modern
            && subject == Subject::Tool
            && let Unlisted::Route { backend: owner, .. } = rules.unlisted_tool(name, &self.views.listed(key, subject.lists()))
        {
            // What a modern caller's headers have to repeat stands in the tool's schema, so its first call waits for the first list.
            self.views.gather(&viewer, key, |backend| backend == owner).await;
        }
        let listed = self.views.listed(key, subject.lists());
        // A list that came in since the first look is in the catalogue now.
        if let Some(route) = self.listed_route(key, subject, name) {
            return Ok(route);
        }
        let unlisted = match subject {
            Subject::Tool => rules.unlisted_tool(name, &listed),
            Subject::Prompt => rules.unlisted_prompt(name, &listed),
            Subject::Resource | Subject::Template => rules.unlisted_resource(name, &listed),
        };
        match unlisted {
            Unlisted::Unknown => {}
            Unlisted::Route { backend, original } => return Ok(Route::new(backend, Some(&original), name)),
            Unlisted::AskFirst(owners) => {
                self.views.gather(&viewer, key, |backend| owners.contains(&backend)).await;
                if let Some(route) = self.listed_route(key, subject, name) {
                    return Ok(route);
                }
            }
        }
        Err(subject.unknown(name, viewer.era))
    }

    fn listed_route(&self, key: &ViewerKey, subject: Subject, name: &str) -> Option<Route> {
        let catalogue = self.views.whole(key).catalogue;
        match subject {
            Subject::Tool => catalogue.tool(name).map(|tool| Route {
                param_headers: std::sync::Arc::clone(&tool.param_headers),
                ..Route::new(tool.backend, Some(&tool.original), name)
            }),
            Subject::Prompt => catalogue.prompt(name).map(|prompt| Route::new(prompt.backend, Some(&prompt.original), name)),
            Subject::Resource => catalogue.resource(name).map(|backend| Route::new(backend, catalogue.original_uri(name), name)),
            Subject::Template => catalogue.resource_template(name).map(|backend| Route::new(backend, None, name)),
        }
    }
}
