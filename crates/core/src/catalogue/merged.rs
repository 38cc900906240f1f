//! The merged catalogue: what callers are shown, and where each name leads.

use super::{CacheScope, Collision, Finding, ListKind, param_header::ParamHeader, uri::UriRouter};
use bytes::Bytes;
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Where a prompt's name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The name at that backend.
    pub original: Arc<str>,
}

/// Where a tool's name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRoute {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The name at that backend.
    pub original: Arc<str>,
    /// The arguments that a modern request repeats in headers: a caller's towards vmcp, and vmcp's towards a modern backend.
    pub param_headers: Arc<[ParamHeader]>,
    /// Its place in the published list.
    pub(super) place: usize,
}

/// One catalogue out of many, for callers of one era. Immutable, meant to be shared in an `Arc`.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub(super) published: [Published; 4],
    pub(super) tools: HashMap<Arc<str>, ToolRoute>,
    pub(super) prompts: HashMap<Arc<str>, Route>,
    /// Names of tools and of prompts as they are published.
    pub(super) tool_names: Vec<Arc<str>>,
    pub(super) prompt_names: Vec<Arc<str>>,
    pub(super) uris: UriRouter,
    pub(super) collisions: Vec<Collision>,
    pub(super) findings: Vec<Finding>,
}

/// One published list.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) bytes: Bytes,
    pub(super) hash: [u8; 16],
    pub(super) scope: CacheScope,
    /// How many items each backend has in it.
    pub(super) counts: Vec<usize>,
    /// Where each item stands.
    pub(super) places: Vec<Place>,
}

/// One item of a published list.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name, URI or template that callers address it by.
    pub(super) key: Arc<str>,
    pub(super) backend: usize,
    /// Where it stands in the list's text.
    pub(super) text: Range<usize>,
}

impl Default for Published {
    fn default() -> Self {
        Self { bytes: Bytes::from_static(b"[]"), hash: [0; 16], scope: CacheScope::Private, counts: Vec::new(), places: Vec::new() }
    }
}

impl Catalogue {
    fn list(&self, kind: ListKind) -> &Published {
        &self.published[kind.index()]
    }

    /// The JSON array of a list's items as callers see them. Raw items may have line ends between their tokens.
    #[must_use]
    pub fn published(&self, kind: ListKind) -> &Bytes {
        &self.list(kind).bytes
    }

    /// A hash of [`Self::published`]: another one means `list_changed`.
    #[must_use]
    pub fn hash(&self, kind: ListKind) -> &[u8; 16] {
        &self.list(kind).hash
    }

    /// Whom a cached copy of a list may be shown to: private as soon as one backend that contributes says so or says nothing. Callers that
    /// filter by caller have to say private themselves.
    #[must_use]
    pub fn cache_scope(&self, kind: ListKind) -> CacheScope {
        self.list(kind).scope
    }

    /// How many items a list has.
    #[must_use]
    pub fn count(&self, kind: ListKind) -> usize {
        self.list(kind).counts.iter().sum()
    }

    /// How many items of a list are one backend's.
    #[must_use]
    pub fn count_of(&self, backend: usize, kind: ListKind) -> usize {
        self.list(kind).counts.get(backend).copied().unwrap_or(0)
    }

    /// Where a tool's published name leads. Hidden, filtered and left-out tools have none.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ToolRoute> {
        self.tools.get(name)
    }

    /// The tools in the order in which they are published.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &ToolRoute)> {
        self.tool_names.iter().filter_map(|name| Some((name.as_ref(), self.tools.get(name)?)))
    }

    /// Where a prompt's published name leads.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<&Route> {
        self.prompts.get(name)
    }

    /// The prompts in the order in which they are published.
    pub fn prompts(&self) -> impl Iterator<Item = (&str, &Route)> {
        self.prompt_names.iter().filter_map(|name| Some((name.as_ref(), self.prompts.get(name)?)))
    }

    /// The backend of a resource: the one that lists the URI, else the one whose matching template has the longest literal prefix, else
    /// the only one that lists anything with its scheme and authority.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<usize> {
        self.uris.resource(uri)
    }

    /// The URI of a resource at its backend, where it has another one there: a page of MCP Apps whose own URI is another backend's.
    #[must_use]
    pub fn original_uri(&self, uri: &str) -> Option<&Arc<str>> {
        self.uris.original(uri)
    }

    /// The backend of a resource template, named by its own text, as `completion/complete` does; a plain URI works too.
    #[must_use]
    pub fn resource_template(&self, template: &str) -> Option<usize> {
        self.uris.template(template).or_else(|| self.uris.resource(template))
    }

    /// Items that lost their name or URI to another one.
    #[must_use]
    pub fn collisions(&self) -> &[Collision] {
        &self.collisions
    }

    /// Everything else that an operator should know.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Roughly how many bytes it takes, for a weighted cache.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bytes: usize = self.published.iter().map(|list| list.bytes.len()).sum();
        let names = self.tool_names.iter().chain(&self.prompt_names).map(|name| name.len() + 160).sum::<usize>();
        let places: usize = self.published.iter().map(|list| list.places.len() * size_of::<Place>()).sum();
        let reports = self.collisions.len() * size_of::<Collision>() + self.findings.len() * size_of::<Finding>();
        bytes + names + places + reports + self.uris.weight() + size_of::<Self>()
    }
}
