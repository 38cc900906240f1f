//! Where the tools of a list come from, for people who look at one.

use super::Snapshot;
use crate::views::Shown;
use std::sync::Arc;
use vmcp_auth::Identity;

/// Where the tools of a list come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Origins {
    /// Each tool's published name and its backend, in the order of the list.
    pub tools: Vec<(String, Arc<str>)>,
    /// The backends that have nothing in the list because they could not be listed for this caller.
    pub absent: Vec<Absent>,
}

/// A backend that could not be listed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Absent {
    /// Its name.
    pub backend: Arc<str>,
    /// Why, on one line that names it.
    pub reason: String,
}

impl Origins {
    pub(super) fn new(snapshot: &Snapshot, caller: &Identity, shown: &Shown) -> Self {
        let name = |index: usize| snapshot.backends.get(index).map(|backend| Arc::clone(backend.name()));
        let tools = shown.catalogue.tools().filter_map(|(tool, route)| Some((tool.to_owned(), name(route.backend)?)));
        let absent = snapshot.shown().filter_map(|backend| {
            let name = backend.name();
            let reason = match backend.missing_required(caller) {
                Some(header) => format!("backend `{name}` needs the header `{header}`, which the request does not have"),
                None => match snapshot.views.lacks(&shown.key, backend)? {
                    Some(error) => error.to_string(),
                    None => format!("backend `{name}` did not answer in time"),
                },
            };
            Some(Absent { backend: Arc::clone(name), reason })
        });
        Self { tools: tools.collect(), absent: absent.collect() }
    }
}
