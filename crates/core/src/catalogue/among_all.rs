//! What something of one backend is called among that of all, from what it is called where that backend is looked at alone.

use super::{Catalogue, Rules, merge::page_uri};
use crate::config::ConflictResolution;
use std::borrow::Cow;

impl Rules {
    /// The name that a tool or prompt of one backend has among those of all. `is_others` says whether another one has its own name there: then
    /// it is the one with the backend's prefix, even where it is not listed under that.
    #[must_use]
    pub fn name_among_all<'n>(&self, backend: usize, name: &'n str, is_others: impl FnOnce() -> bool) -> Cow<'n, str> {
        match self.backends.get(backend) {
            Some(own) if self.strategy == ConflictResolution::Prefix || is_others() => Cow::Owned(format!("{}{name}", own.prefix)),
            _ => Cow::Borrowed(name),
        }
    }

    /// The name of a backend.
    #[must_use]
    pub fn backend(&self, backend: usize) -> &str {
        self.backends.get(backend).map_or("", |backend| &backend.name)
    }
}

impl Catalogue {
    /// The URI that a resource of one backend has in this catalogue of all: another one for a page whose own URI is another backend's.
    #[must_use]
    pub fn uri_among_all<'n>(&self, backend: usize, name: &str, uri: &'n str) -> Cow<'n, str> {
        match page_uri(name, uri) {
            Some(own) if self.resource(&own) == Some(backend) && self.original_uri(&own).is_some_and(|original| **original == *uri) => {
                Cow::Owned(own)
            }
            _ => Cow::Borrowed(uri),
        }
    }
}
