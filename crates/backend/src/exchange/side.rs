//! What has to be said beside a request: that it is cancelled.

use super::{Exchange, Speech};
use vmcp_core::frame::notification;

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
}
