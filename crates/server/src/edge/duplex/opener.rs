//! Who is at the other end of a pipe.

use crate::{
    edge::{
        post::{Carrier, Incoming},
        service::captured,
    },
    failure::Failure,
    gateway::Inner,
};
use http::HeaderMap;
use std::sync::Arc;
use vmcp_auth::Identity;

/// Who opened a pipe, and the headers that came with it: they count for every message, as if each had brought them.
pub(crate) struct Opener {
    identity: Identity,
    headers: HeaderMap,
}

impl Opener {
    pub(crate) fn new(identity: Identity, headers: HeaderMap) -> Self {
        Self { identity, headers }
    }

    /// A message that comes now, read under the configuration of now.
    ///
    /// # Errors
    /// When the headers cannot be forwarded under this configuration.
    pub(crate) fn incoming(&self, inner: &Arc<Inner>) -> Result<Incoming, Failure> {
        let snapshot = inner.snapshot();
        let identity = self.identity.with_forwarded(captured(&snapshot, &self.headers)?);
        Ok(Incoming { inner: Arc::clone(inner), snapshot, carrier: Carrier::Pipe, headers: HeaderMap::new(), identity, counted_peer: None })
    }
}
