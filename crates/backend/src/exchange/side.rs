//! What has to be said beside a request: that it is cancelled.

use super::{Exchange, Speech};
use bytes::Bytes;
use vmcp_core::frame::notification;

impl Exchange {
    /// Tells a backend that nobody waits any more: a legacy one (2025-11-25, basic/utilities/cancellation), and a modern one that is
    /// talked to over a pipe (2026-07-28, basic/patterns/cancellation). Others see the connection close.
    pub(super) fn cancel(&mut self) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        match &self.speech {
            Speech::Legacy(session) => {
                let body = cancelled(self.id);
                // The session stays as long as this needs it.
                self.backend.send_cancel(self.caller.clone(), session, self.lease.take(), body);
            }
            Speech::Modern(_, Some(link)) => self.backend.send_cancel_over(self.caller.clone(), link, cancelled(self.id)),
            Speech::Modern(_, None) | Speech::Opening(_) => {}
        }
    }
}

/// Takes back a request of this id.
pub(crate) fn cancelled(id: u64) -> Bytes {
    let params = format!(r#"{{"requestId":{id},"reason":"nobody waits for the answer any more"}}"#);
    notification("notifications/cancelled", Some(&params)).into()
}
