//! Whether somebody who follows resources may be told of one.

use super::{Admission, Grant};
use std::sync::Arc;

/// Who follows a resource, for as long as it is followed: what a backend tells of is told on where reading it is allowed.
#[derive(Clone)]
pub(crate) struct Hearer {
    pub(super) admission: Arc<Admission>,
    pub(super) grant: Arc<Grant>,
    /// The backend's place in the configuration.
    pub(super) backend: usize,
}

impl Hearer {
    /// Whether it may be told of this URI, by which callers know it.
    pub(crate) fn may_hear_of(&self, uri: &str) -> bool {
        self.admission.may_hear(&self.grant, self.backend, uri)
    }
}
