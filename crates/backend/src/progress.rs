//! A caller's progress on what a backend asked, on its way back (2025-11-25, basic/utilities/progress).

use crate::{Backend, session::Session};
use bytes::Bytes;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vmcp_auth::Identity;
use vmcp_core::frame::notification;

/// Where progress on one question goes. It is sent in order, one message at a time; one that waits while a newer one comes is left out.
#[derive(Clone)]
pub struct ProgressTo {
    backend: Arc<Backend>,
    session: Arc<Session>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Who brought it, and its `params`.
    latest: Option<(Identity, Bytes)>,
    is_sending: bool,
}

/// One run of sending: until there is nothing more, or it fails.
struct Sending {
    state: Arc<Mutex<State>>,
    is_over: bool,
}

impl ProgressTo {
    pub(crate) fn new(backend: &Arc<Backend>, session: &Arc<Session>) -> Self {
        Self { backend: Arc::clone(backend), session: Arc::clone(session), state: Arc::default() }
    }

    /// Sends progress on: `params` is the JSON text of an object under the token that the backend gave. The headers of `caller`, who
    /// brought it, go with it.
    pub fn tell(&self, caller: &Identity, params: Bytes) {
        {
            let mut state = locked(&self.state);
            state.latest = Some((caller.clone(), params));
            if std::mem::replace(&mut state.is_sending, true) {
                return;
            }
        }
        let mut sending = Sending { state: Arc::clone(&self.state), is_over: false };
        let next = move || {
            let (caller, params) = sending.next()?;
            let message = notification("notifications/progress", std::str::from_utf8(&params).ok());
            Some((caller, message.into()))
        };
        self.backend.send_each_beside(&self.session, next);
    }
}

impl Sending {
    fn next(&mut self) -> Option<(Identity, Bytes)> {
        let mut state = locked(&self.state);
        let next = state.latest.take();
        state.is_sending = next.is_some();
        self.is_over = next.is_none();
        next
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.is_over {
            locked(&self.state).is_sending = false;
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ProgressTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressTo").field("backend", self.backend.name()).finish_non_exhaustive()
    }
}
