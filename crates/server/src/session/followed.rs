//! The resources that a client wants to hear of: whose they are and what they are called there, and for backends that were configured
//! anew meanwhile.

use super::{client::ClientSession, locked};
use crate::{lane::Owned, views::Told};
use std::sync::Arc;
use vmcp_backend::Backend;
use vmcp_core::frame::{Edit, RawObject, json_string};

/// How many are remembered. What is beyond that is heard of until the configuration changes, under the backend's URI.
const MAX_FOLLOWED: usize = 1024;
/// What a modern backend says in `_meta`; a session knows no subscriptions by id (2026-07-28, basic/patterns/subscriptions).
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What a client follows.
#[derive(Default)]
pub(super) struct Followed {
    resources: Vec<Resource>,
}

struct Resource {
    /// The configuration whose backend was told last, where it took it.
    told: Option<u64>,
    /// The client's URI.
    ours: Box<str>,
    /// The backend that has it ([`Backend::id`]), and its URI there.
    backend: u64,
    theirs: Arc<str>,
}

impl ClientSession {
    /// Remembers that the client follows a resource, or no longer. `generation` counts configurations: where the backend of a later one was
    /// told meanwhile, it is the one that is heard.
    pub(crate) fn follow(&self, owned: &Owned, on: bool, generation: u64) {
        let mut followed = locked(&self.followed);
        let resources = &mut followed.get_or_insert_default().resources;
        if on && resources.iter().any(|own| *own.ours == *owned.ours && own.told > Some(generation)) {
            return;
        }
        resources.retain(|other| *other.ours != *owned.ours);
        if on && resources.len() < MAX_FOLLOWED {
            let (backend, theirs) = (owned.backend.id(), Arc::clone(&owned.theirs));
            resources.push(Resource { told: Some(generation), ours: owned.ours.as_str().into(), backend, theirs });
        }
        if resources.is_empty() {
            *followed = None;
        }
    }

    /// Whether the client follows this resource, by its own URI.
    pub(crate) fn follows(&self, ours: &str) -> bool {
        locked(&self.followed).as_ref().is_some_and(|followed| followed.resources.iter().any(|resource| *resource.ours == *ours))
    }

    /// What the backends of this configuration have not been told yet.
    pub(crate) fn untold_resources(&self, generation: u64) -> Vec<Box<str>> {
        let followed = locked(&self.followed);
        let untold = followed.iter().flat_map(|followed| &followed.resources).filter(|resource| resource.told < Some(generation));
        untold.map(|resource| resource.ours.clone()).collect()
    }

    /// Remembers that the backend which has a resource under this configuration is being told of it. `None` where there is nothing to tell
    /// it: the client does not follow the resource any more, or another stream of its has begun to.
    pub(crate) fn follow_again<'a>(&'a self, owned: &'a Owned, generation: u64) -> Option<Telling<'a>> {
        let mut followed = locked(&self.followed);
        let mut resources = followed.iter_mut().flat_map(|followed| &mut followed.resources);
        let resource = resources.find(|resource| *resource.ours == *owned.ours)?;
        if resource.told >= Some(generation) {
            return None;
        }
        (resource.told, resource.backend, resource.theirs) = (Some(generation), owned.backend.id(), Arc::clone(&owned.theirs));
        Some(Telling { session: self, ours: &owned.ours, generation, done: false })
    }

    fn was_not_told(&self, ours: &str, generation: u64) {
        let mut followed = locked(&self.followed);
        let mut resources = followed.iter_mut().flat_map(|followed| &mut followed.resources);
        if let Some(resource) = resources.find(|resource| *resource.ours == *ours && resource.told == Some(generation)) {
            resource.told = None;
        }
    }

    /// What a backend's `notifications/resources/updated` is about, as far as the client follows that or what it is a part of.
    pub(crate) fn followed(&self, backend: &Backend, params: &str) -> Option<Told> {
        let params = RawObject::parse(params).ok()?;
        let theirs = params.get_str("uri")?;
        let followed = locked(&self.followed);
        let own = followed.iter().flat_map(|followed| &followed.resources).filter(|resource| resource.backend == backend.id());
        Told::of(&theirs, own.map(|resource| (&*resource.theirs, &*resource.ours)))
    }
}

/// A backend that is being told again of a resource. Dropped before that is done, it is told once more when the client's next stream opens:
/// the backend did not take it, or nobody waited for it.
#[must_use]
pub(crate) struct Telling<'a> {
    session: &'a ClientSession,
    ours: &'a str,
    generation: u64,
    done: bool,
}

impl Telling<'_> {
    /// The backend has taken it.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.session.was_not_told(self.ours, self.generation);
        }
    }
}

/// The params of a backend's `notifications/resources/updated` as a client is told them that knows the resource as `ours`. `None`: as they
/// are.
pub(crate) fn updated(params: &str, ours: Option<&str>) -> Option<String> {
    let object = RawObject::parse(params).ok()?;
    let theirs = object.get_str("uri")?;
    let has_id = object.meta().is_some_and(|meta| meta.get(SUBSCRIPTION).is_some());
    if !has_id && ours.is_none_or(|ours| *ours == *theirs) {
        return None;
    }
    let (mut literal, mut meta, mut out) = (Vec::new(), Vec::new(), Vec::new());
    json_string(ours.unwrap_or(&theirs), &mut literal);
    let mut edits = vec![Edit::Set("uri", std::str::from_utf8(&literal).ok()?)];
    if let Some(told) = object.meta().filter(|_| has_id) {
        told.write(&[Edit::Remove(SUBSCRIPTION)], &mut meta);
        edits.push(if meta == b"{}" { Edit::Remove("_meta") } else { Edit::Set("_meta", std::str::from_utf8(&meta).ok()?) });
    }
    object.write(&edits, &mut out);
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
