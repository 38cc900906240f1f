//! The way to a process (specification, "stdio": one JSON-RPC message on each line).

use super::{queue::Queue, reader, writer};
use crate::{
    ErrorKind,
    budget::Budget,
    process::{Process, Started},
    session::Crowd,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio_util::task::TaskTracker;
use vmcp_core::Seldom;

/// Hears what a server sends, in order, from the task that reads it. Must not block.
pub(crate) trait Inbound: Send + Sync + 'static {
    /// One line that can be a message: it begins as an object or a list does. Whether it is one is for the receiver to find out.
    /// `say` sends a message back where there is room for it. Gives the call to wait for before more is read.
    fn message(&self, line: Bytes, say: &dyn Fn(Bytes)) -> Option<Crowd>;

    /// A message came that could not be kept: [`ErrorKind::TooLarge`] or [`ErrorKind::Budget`]. Nothing is known of it but perhaps its id.
    fn dropped(&self, why: ErrorKind, id: Option<u64>);

    /// Nothing more will come. Said once, at last.
    fn ended(&self, why: ErrorKind);
}

/// What a pipe has to know of its backend.
#[derive(Clone)]
pub(crate) struct PipeOptions {
    pub(crate) backend: Arc<str>,
    /// The longest message, in bytes.
    pub(crate) max_message: usize,
    pub(crate) budget: Arc<Budget>,
    pub(crate) tracker: TaskTracker,
    /// How often lines are complained of that are no message.
    pub(crate) garbage: Arc<Seldom>,
}

/// The way to one process. Dropping it ends the process.
pub(crate) struct ChildPipe {
    queue: Queue,
    process: Process,
}

impl ChildPipe {
    /// Reads from and writes to a process in tasks of the present runtime, until it ends or the pipe is closed or dropped.
    pub(crate) fn open(started: Started, inbound: Arc<dyn Inbound>, options: &PipeOptions) -> Self {
        let Started { process, stdin, stdout } = started;
        let (queue, messages) = Queue::new();
        options.tracker.spawn(writer::write(stdin, messages, process.closing().clone()));
        let reader = reader::Reader::new(stdout, options.clone(), process.watch(), process.closing().clone(), queue.downgrade());
        options.tracker.spawn(reader.run(inbound));
        Self { queue, process }
    }

    /// Puts a message into the queue, waiting for a place: the caller's deadline bounds that. It must have no line feed in it.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the process takes no more; the message was not sent then.
    pub(crate) async fn put(&self, message: Bytes) -> Result<(), ErrorKind> {
        debug_assert!(!message.contains(&b'\n'), "a message is one line");
        self.queue.put(message).await
    }

    /// The process at the other end.
    #[cfg(test)]
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends the process: closes its input, then asks, then kills.
    pub(crate) fn end(&self) {
        self.process.close();
    }
}

impl std::fmt::Debug for ChildPipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildPipe").field("process", &self.process).finish_non_exhaustive()
    }
}
