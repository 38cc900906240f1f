//! The resources that a client wants to hear of: whose they are and what they are called there, and for backends that were configured
//! anew meanwhile.

use super::{client::ClientSession, locked};
use crate::{
    admission::{Admission, Hearer},
    lane::Owned,
    views::{Audience, may_hear},
};
use std::sync::{Arc, atomic::Ordering};
use vmcp_auth::Identity;
use vmcp_backend::Backend;
use vmcp_core::frame::{Edit, RawObject, json_string};

/// How many are remembered. What is beyond that is heard of until the configuration changes, under the backend's URI.
const MAX_FOLLOWED: usize = 1024;
/// What a modern backend says in `_meta`; a session knows no subscriptions by id (2026-07-28, basic/patterns/subscriptions).
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What a client follows, and under which configuration the backends were told.
#[derive(Default)]
pub(super) struct Followed {
    generation: u64,
    resources: Vec<Resource>,
}

struct Resource {
    /// The client's URI.
    ours: Box<str>,
    /// The backend that has it ([`Backend::id`]), and its URI there. One of a configuration that is over tells nobody who listens under
    /// another one: who that may hear is decided when the resource is found anew.
    backend: Option<u64>,
    theirs: Arc<str>,
    /// Who may be told of what, where not everybody may read everything.
    hearer: Option<Hearer>,
}

impl ClientSession {
    /// Remembers that the client follows a resource, or no longer. `generation` counts configurations.
    pub(crate) fn follow(&self, owned: &Owned, on: bool, generation: u64) {
        self.gate(owned.hearer.is_some());
        let mut followed = locked(&self.followed);
        let Followed { generation: known, resources } = &mut **followed.get_or_insert_default();
        resources.retain(|other| *other.ours != *owned.ours);
        if on && resources.len() < MAX_FOLLOWED {
            if resources.is_empty() {
                *known = generation;
            }
            let (backend, theirs) = (Some(owned.backend.id()), Arc::clone(&owned.theirs));
            let hearer = owned.hearer.clone();
            resources.push(Resource { ours: owned.ours.as_str().into(), backend, theirs, hearer });
        }
        if resources.is_empty() {
            *followed = None;
        }
    }

    /// Whether the client follows this resource, by its own URI.
    pub(crate) fn follows(&self, ours: &str) -> bool {
        locked(&self.followed).as_ref().is_some_and(|followed| followed.resources.iter().any(|resource| *resource.ours == *ours))
    }

    /// What the backends of this configuration have not been told yet. They count as told from now on.
    pub(crate) fn take_untold(&self, generation: u64) -> Vec<Box<str>> {
        match locked(&self.followed).as_deref_mut() {
            Some(followed) if followed.generation != generation => {
                followed.generation = generation;
                followed.resources.iter().map(|resource| resource.ours.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whoever opens a stream is who hears from now on: of what this session follows at these backends, and from those of them that
    /// `audience` may hear.
    pub(crate) fn hears(
        &self,
        backends: &[Arc<Backend>],
        admission: Option<&Arc<Admission>>,
        audience: Option<Audience>,
        caller: &Identity,
    ) {
        self.gate(admission.is_some());
        self.audience.store(audience.map(Arc::new));
        for resource in locked(&self.followed).iter_mut().flat_map(|followed| &mut followed.resources) {
            let owner = backends.iter().find(|backend| resource.backend == Some(backend.id()));
            resource.backend = owner.map(|owner| owner.id());
            resource.hearer = admission.zip(owner).map(|(admission, owner)| admission.hearer(caller, owner.index()));
        }
    }

    /// Notes whether callers may not read everything.
    pub(crate) fn gate(&self, on: bool) {
        // Every request says it, and it hardly ever changes.
        if self.gated.load(Ordering::Relaxed) != on {
            self.gated.store(on, Ordering::Relaxed);
        }
    }

    /// Whether this client may know that a backend says or asks something outside of its calls. Where not everybody may see everything, it
    /// hears nothing before it is known who listens.
    pub(super) fn may_hear_from(&self, backend: &Backend) -> bool {
        match self.audience.load().as_ref() {
            Some(audience) => audience.hears(backend),
            None => !self.gated.load(Ordering::Relaxed),
        }
    }

    /// Whether this client may be told of a backend's `notifications/resources/updated`: where not everybody may read everything, of what it
    /// follows alone, and what it may read of that.
    pub(crate) fn may_hear_of_update(&self, backend: &Backend, params: &str) -> bool {
        if !self.gated.load(Ordering::Relaxed) {
            return true;
        }
        let Some(theirs) = RawObject::parse(params).ok().and_then(|params| Some(params.get_str("uri")?.into_owned())) else { return false };
        let followed = locked(&self.followed);
        let mut own = followed.iter().flat_map(|followed| &followed.resources).filter(|resource| resource.backend == Some(backend.id()));
        own.any(|resource| resource.ours_of(&theirs).is_some_and(|ours| may_hear(resource.hearer.as_ref(), &ours)))
    }

    /// The params of a backend's `notifications/resources/updated` as this client is told it. `None`: as they are.
    pub(super) fn updated(&self, backend: &Backend, params: &str) -> Option<String> {
        let object = RawObject::parse(params).ok()?;
        let theirs = object.get_str("uri")?;
        let ours = {
            let followed = locked(&self.followed);
            let mut own =
                followed.iter().flat_map(|followed| &followed.resources).filter(|resource| resource.backend == Some(backend.id()));
            own.find_map(|resource| resource.ours_of(&theirs))
        };
        let has_id = object.meta().is_some_and(|meta| meta.get(SUBSCRIPTION).is_some());
        if !has_id && ours.as_ref().is_none_or(|ours| *ours == *theirs) {
            return None;
        }
        let (mut literal, mut meta, mut out) = (Vec::new(), Vec::new(), Vec::new());
        json_string(ours.as_deref().unwrap_or(&theirs), &mut literal);
        let mut edits = vec![Edit::Set("uri", std::str::from_utf8(&literal).ok()?)];
        if let Some(told) = object.meta().filter(|_| has_id) {
            told.write(&[Edit::Remove(SUBSCRIPTION)], &mut meta);
            edits.push(if meta == b"{}" { Edit::Remove("_meta") } else { Edit::Set("_meta", std::str::from_utf8(&meta).ok()?) });
        }
        object.write(&edits, &mut out);
        String::from_utf8(out).ok()
    }
}

impl Resource {
    /// The client's URI for this resource or for a part of it: servers may tell of parts (2025-11-25, schema
    /// `ResourceUpdatedNotification`).
    fn ours_of(&self, theirs: &str) -> Option<String> {
        let part = theirs.strip_prefix(&*self.theirs)?;
        let is_part = part.is_empty() || self.theirs.ends_with('/') || part.starts_with(['/', '?', '#']);
        is_part.then(|| format!("{}{part}", self.ours))
    }
}
