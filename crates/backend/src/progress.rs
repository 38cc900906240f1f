//! A caller's progress on what a backend asked, on its way back (2025-11-25, basic/utilities/progress).

use crate::{Backend, errand::Latest, session::Session};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use vmcp_auth::Identity;
use vmcp_core::frame::notification;

/// Where progress on one question goes. It is sent in order, one message at a time; one that waits while a newer one comes is left out.
#[derive(Clone)]
pub struct ProgressTo {
    backend: Arc<Backend>,
    session: Arc<Session>,
    /// Who brought it, and its `params`.
    latest: Latest<(Identity, Bytes)>,
}

impl ProgressTo {
    pub(crate) fn new(backend: &Arc<Backend>, session: &Arc<Session>) -> Self {
        Self { backend: Arc::clone(backend), session: Arc::clone(session), latest: Latest::default() }
    }

    /// Sends progress on: `params` is the JSON text of an object under the token that the backend gave. The headers of `caller`, who
    /// brought it, go with it.
    pub fn tell(&self, caller: &Identity, params: Bytes) {
        let Some(mut run) = self.latest.put((caller.clone(), params)) else { return };
        let next = move || {
            let (caller, params) = run.next()?;
            let message = notification("notifications/progress", std::str::from_utf8(&params).ok());
            Some((Some(caller), message.into()))
        };
        self.backend.send_each_beside(&self.session, next);
    }
}

impl fmt::Debug for ProgressTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressTo").field("backend", self.backend.name()).finish_non_exhaustive()
    }
}
