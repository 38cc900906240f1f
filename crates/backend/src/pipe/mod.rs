//! One pipe for the messages of both directions: a child process, or an address to POST to beside a stream of events.

mod child;
mod events;
mod queue;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use child::{ChildPipe, Inbound, PipeOptions};
pub(crate) use events::open_events;

use crate::{ErrorKind, outgoing::Audience, session::Switch};
use bytes::Bytes;
use std::sync::Arc;
use vmcp_core::plugin::BoxFuture;

/// Both ends of one pipe: where messages go, and who hands on what comes.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) pipe: Arc<dyn Pipe>,
    pub(crate) switch: Arc<Switch>,
}

/// A pipe's end of sending. What comes back is handed to the [`Switch`](crate::session::Switch) that it was opened with.
pub(crate) trait Pipe: Send + Sync {
    /// Writes one message. Waits while the other side does not read.
    fn send<'a>(&'a self, message: Bytes, audience: Audience<'a>) -> BoxFuture<'a, Result<(), ErrorKind>>;

    /// Ends it, in a tracked task: whoever is at the other side is told to go.
    fn close(&self);
}
