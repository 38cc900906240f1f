//! What has to be said beside a request: that it is cancelled, and answers to what a backend asks meanwhile.

use super::{Exchange, Speech};
use crate::watch::answer_to;
use vmcp_core::frame::{Request, notification};

/// Longer ids are not repeated.
const MAX_ID: usize = 1024;

impl Exchange {
    /// Tells a legacy backend that nobody waits any more (2025-11-25, basic/utilities/cancellation). Modern ones see the connection
    /// close.
    pub(super) fn cancel(&mut self) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        if let Speech::Legacy(session) = &self.speech {
            let params = format!(r#"{{"requestId":{},"reason":"nobody waits for the answer any more"}}"#, self.id);
            let body = notification("notifications/cancelled", Some(&params));
            // The session stays as long as this needs it.
            self.backend.send_beside(self.caller.clone(), session, self.lease.take(), body.into());
        }
    }

    /// Answers what a backend asks during a request: `ping`, and no to everything else, since vmcp declares no capability.
    pub(super) fn answer_request(&self, request: &Request<'_>) {
        let Speech::Legacy(session) = &self.speech else { return };
        let id = request.id.raw();
        if id.len() > MAX_ID {
            return;
        }
        let body = answer_to(&request.method, id);
        self.backend.send_beside(self.caller.clone(), session, None, body.into());
    }
}
