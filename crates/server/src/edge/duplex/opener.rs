//! Who sends messages into a pipe.

use crate::{
    edge::{
        identify::captured,
        noted::Noted,
        post::{Carrier, Incoming},
    },
    failure::Failure,
    gateway::Inner,
};
use http::HeaderMap;
use std::{net::IpAddr, sync::Arc};
use vmcp_auth::Identity;
use vmcp_core::plugin::Principal;

/// Who opened a pipe or sent a message into it, and the headers that came with that.
pub(crate) struct Opener {
    identity: Identity,
    headers: HeaderMap,
    counted_peer: Option<IpAddr>,
}

impl Opener {
    pub(crate) fn new(identity: Identity, headers: HeaderMap) -> Self {
        Self { identity, headers, counted_peer: None }
    }

    /// Whoever sent this request over HTTP. The request has no headers of its own any more: what they say of a message is said.
    pub(super) fn of(incoming: &mut Incoming) -> Self {
        let headers = std::mem::take(&mut incoming.headers);
        incoming.noted = Noted::default();
        incoming.carrier = Carrier::Pipe;
        Self { identity: incoming.identity.clone(), headers, counted_peer: incoming.counted_peer }
    }

    pub(super) fn principal(&self) -> &Principal {
        self.identity.principal()
    }

    /// A message that comes now, read under the configuration of now.
    ///
    /// # Errors
    /// When the headers cannot be forwarded under this configuration.
    pub(crate) fn incoming(&self, inner: &Arc<Inner>) -> Result<Incoming, Failure> {
        let snapshot = inner.snapshot();
        let identity = self.identity.with_forwarded(captured(&snapshot, &self.headers)?);
        let (carrier, counted_peer) = (Carrier::Pipe, self.counted_peer);
        Ok(Incoming {
            inner: Arc::clone(inner),
            snapshot,
            carrier,
            headers: HeaderMap::new(),
            noted: Noted::default(),
            identity,
            counted_peer,
        })
    }
}
