//! Catalogues as somebody may see them, and the names by which policies know what is in them.

use super::{
    catalogues::Merged,
    current::Views,
    keys::{Granted, ViewerKey},
};
use crate::admission::Admission;
use std::{borrow::Cow, sync::Arc};
use vmcp_core::{catalogue::Catalogue, plugin::Action};

/// The name by which policies know a resource of this backend, which is given by its place and its name: [`Views::policy_name`].
pub(super) fn policy_uri<'n>(among_all: Option<&Merged>, (backend, name): (usize, &str), uri: &'n str) -> Cow<'n, str> {
    among_all.map_or(Cow::Borrowed(uri), |all| all.catalogue.uri_among_all(backend, name, uri))
}

impl Views {
    pub(super) fn granted(&self, key: &ViewerKey, granted: &Granted, admission: &Admission) -> Arc<Catalogue> {
        let here = self.whole(&key.whole());
        let among_all = granted.among_all.as_deref().map(|key| self.whole(key));
        admission.show(&granted.grant, &here, among_all.as_ref(), |action, backend, name| {
            self.policy_name(&here, among_all.as_ref(), action, backend, name)
        })
    }

    /// The name by which policies know something: that at the endpoint of all backends, wherever it is asked for. Else a backend's own
    /// endpoint, where names are others, would be a way around them. `here` has it as `name`; `among_all` is the catalogue of all backends
    /// where that is another one.
    pub(crate) fn policy_name<'n>(
        &self,
        here: &Merged,
        among_all: Option<&Merged>,
        action: Action,
        backend: usize,
        name: &'n str,
    ) -> Cow<'n, str> {
        let Some(all) = among_all.map(|all| &*all.catalogue) else { return Cow::Borrowed(name) };
        let rules = self.catalogues.rules(None);
        match action {
            Action::GetPrompt => {
                let own = here.catalogue.prompt(name).map(|own| &own.original);
                let is_others =
                    || all.prompt(name).is_some_and(|there| there.backend != backend || own.is_some_and(|own| *own != there.original));
                rules.name_among_all(backend, name, is_others)
            }
            Action::ReadResource => policy_uri(among_all, (backend, rules.backend(backend)), name),
            _ => {
                let own = here.catalogue.tool(name).map(|own| &own.original);
                let is_others =
                    || all.tool(name).is_some_and(|there| there.backend != backend || own.is_some_and(|own| *own != there.original));
                rules.name_among_all(backend, name, is_others)
            }
        }
    }
}
