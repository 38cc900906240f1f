//! The pages of MCP Apps (SEP-1865): a tool names the `ui://` resource that shows it, and that one has to be its own backend's.
//!
//! Where another backend has the URI, the page gets one of its own in the catalogue, with the backend's name in front, in the list and in
//! the tool. Requests for it have the backend's own again.

use super::Merge;
use std::sync::Arc;

/// The scheme of pages.
const SCHEME: &str = "ui://";

/// The URI that a page of this backend gets where its own is taken. `None` for what is no page.
pub(in crate::catalogue) fn page_uri(backend: &str, uri: &str) -> Option<String> {
    uri.strip_prefix(SCHEME).map(|rest| format!("{SCHEME}{backend}/{rest}"))
}

impl Merge<'_> {
    /// The URI that a page gets whose own is another backend's. `None` for what is no page, and where that URI is taken too.
    pub(super) fn own_uri(&mut self, backend: usize, uri: &str) -> Option<Arc<str>> {
        let own: Arc<str> = page_uri(&self.rules.backends[backend].name, uri)?.into();
        self.router.alias(&own, backend, uri).then_some(own)
    }

    /// The URI under which callers read the page of a backend's tool, where it is not the one that the tool names. Servers need not list
    /// their pages: from now on this one leads to its backend.
    pub(super) fn page(&mut self, backend: usize, uri: &Arc<str>) -> Option<Arc<str>> {
        if !uri.starts_with(SCHEME) {
            return None;
        }
        match self.router.owner(uri, &mut self.work) {
            Some(owner) if owner == backend => None,
            Some(_) => self.own_uri(backend, uri),
            None => {
                self.router.unlisted(uri, backend);
                None
            }
        }
    }
}
