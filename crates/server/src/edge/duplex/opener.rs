//! Who sends messages into a pipe.

use crate::{
    edge::{
        identify::captured,
        noted::Noted,
        post::{Carrier, Incoming},
    },
    failure::{Failure, code},
    gateway::{Callers, Inner, Snapshot},
};
use http::{HeaderMap, StatusCode};
use std::{net::IpAddr, sync::Arc};
use vmcp_auth::Identity;
use vmcp_core::plugin::Principal;

/// Who opened a pipe or sent a message into it, and the headers that came with that.
pub(crate) struct Opener {
    identity: Identity,
    headers: HeaderMap,
    counted_peer: Option<IpAddr>,
    /// By whom it was let in. `None` where that was no part of a configuration, which then changes nothing of it: whoever started the
    /// process at the other end of standard input and output, or an embedder's client.
    let_in: Option<Callers>,
}

impl Opener {
    pub(crate) fn new(identity: Identity, headers: HeaderMap) -> Self {
        Self { identity, headers, counted_peer: None, let_in: None }
    }

    /// Whoever sent this request over HTTP. The request has no headers of its own any more: what they say of a message is said.
    pub(super) fn of(incoming: &mut Incoming) -> Self {
        let headers = std::mem::take(&mut incoming.headers);
        incoming.noted = Noted::default();
        incoming.carrier = Carrier::Pipe;
        let let_in = Some(incoming.snapshot.callers);
        Self { identity: incoming.identity.clone(), headers, counted_peer: incoming.counted_peer, let_in }
    }

    /// Whether whoever this is is let in under this configuration too.
    pub(super) fn stays(&self, now: &Snapshot) -> bool {
        self.let_in.is_none_or(|then| then.stay(now.callers))
    }

    /// Whether a configuration let it in.
    pub(super) fn is_let_in(&self) -> bool {
        self.let_in.is_some()
    }

    pub(super) fn principal(&self) -> &Principal {
        self.identity.principal()
    }

    /// A message that comes now, read under the configuration of now.
    ///
    /// # Errors
    /// When this configuration may not let the sender in, or its headers cannot be forwarded under it.
    pub(crate) fn incoming(&self, inner: &Arc<Inner>) -> Result<Incoming, Failure> {
        let snapshot = inner.snapshot();
        if !self.stays(&snapshot) {
            // Nobody is told: the pipe ends.
            return Err(Failure::http(StatusCode::UNAUTHORIZED, code::INVALID_REQUEST, "other callers are let in now"));
        }
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
