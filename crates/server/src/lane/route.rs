//! From a name to whoever has it, for those who may know: every request about an item passes here.

use super::{Caller, carried::Subject, way::Route};
use crate::{
    admission::{Asks, Denied, Item},
    failure::Failure,
    gateway::Snapshot,
    views::{Viewer, ViewerKey},
};
use vmcp_core::{Era, catalogue::Unlisted};

impl Snapshot {
    /// Whose this is, and what it is called there. What the caller may not use is not there.
    pub(super) async fn route(
        &self,
        caller: &Caller,
        key: &ViewerKey,
        subject: Subject,
        name: &str,
        asks: Asks<'_>,
    ) -> Result<Route, Failure> {
        let route = self.find(&caller.viewer(), key, subject, name).await?;
        self.admit(caller, key, subject, (route.backend, name), asks)?;
        Ok(route)
    }

    /// Lets a caller through to something of a backend, or says that it is not there.
    pub(super) fn admit(
        &self,
        caller: &Caller,
        key: &ViewerKey,
        subject: Subject,
        (backend, name): (usize, &str),
        asks: Asks<'_>,
    ) -> Result<(), Failure> {
        let Some(admission) = &self.admission else { return Ok(()) };
        let here = self.views.whole(key);
        let among_all = self.lens.map(|_| self.views.whole(&caller.viewer().key(&self.backends, None)));
        let action = subject.action();
        let known = self.views.policy_name(&here, among_all.as_ref(), action, backend, name);
        let item = Item { action, backend, name: &known, called: name, here: &here };
        admission.check(&caller.identity, &item, asks).map_err(|denied| match denied {
            Denied::Unknown => subject.unknown(name, caller.era),
            Denied::Ambiguous => Failure::invalid_params("a key stands twice in `arguments`; send it once"),
        })
    }

    /// Whose this is, and what it is called there.
    async fn find(&self, viewer: &Viewer<'_>, key: &ViewerKey, subject: Subject, name: &str) -> Result<Route, Failure> {
        if let Some(route) = self.listed_route(key, subject, name) {
            return Ok(route);
        }
        let rules = self.views.rules(key);
        if viewer.era == Era::Modern
            && subject == Subject::Tool
            && let Unlisted::Route { backend: owner, .. } = rules.unlisted_tool(name, &self.views.listed(key, subject.lists()))
        {
            // What a modern caller's headers have to repeat stands in the tool's schema, so its first call waits for the first list.
            self.views.gather(viewer, key, |backend| backend == owner).await;
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
                self.views.gather(viewer, key, |backend| owners.contains(&backend)).await;
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
