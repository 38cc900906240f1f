//! One pipe for the messages of both directions: a child process, or an address to POST to beside a stream of events.

use crate::{ErrorKind, outgoing::Audience};
use bytes::Bytes;
use vmcp_core::plugin::BoxFuture;

/// A pipe's end of sending. What comes back is handed to the [`Switch`](crate::session::Switch) that it was opened with.
pub(crate) trait Pipe: Send + Sync {
    /// Writes one message. Waits while the other side does not read.
    fn send<'a>(&'a self, message: Bytes, audience: Audience<'a>) -> BoxFuture<'a, Result<(), ErrorKind>>;

    /// Ends it, in a tracked task: whoever is at the other side is told to go.
    fn close(&self);
}
