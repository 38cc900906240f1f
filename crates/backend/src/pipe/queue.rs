//! Messages that wait for a server to read them: so many, and so many bytes of them.

use crate::ErrorKind;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many messages wait for a server that does not read. Further ones wait where they come from, within their own deadlines.
pub(super) const QUEUE: usize = 64;
/// How much all of them are at most, in KiB. A longer one waits until it is alone.
pub(super) const QUEUED: u32 = 16 * 1024;

/// Where messages are put.
#[derive(Clone)]
pub(super) struct Queue {
    messages: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// The same, without keeping it open.
pub(super) struct WeakQueue {
    messages: mpsc::WeakSender<Waiting>,
    room: Arc<Semaphore>,
}

/// A message that has not been written.
pub(super) struct Waiting {
    pub(super) message: Bytes,
    /// Given back when it has been.
    _room: OwnedSemaphorePermit,
}

impl Queue {
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (messages, waiting) = mpsc::channel(QUEUE);
        (Self { messages, room: Arc::new(Semaphore::new(QUEUED as usize)) }, waiting)
    }

    pub(super) fn downgrade(&self) -> WeakQueue {
        WeakQueue { messages: self.messages.downgrade(), room: Arc::clone(&self.room) }
    }

    /// Waits for a place.
    pub(super) async fn put(&self, message: Bytes) -> Result<(), ErrorKind> {
        let gone = || ErrorKind::Connect("its process takes no more messages".to_owned());
        let place = tokio::select! {
            biased;
            () = self.messages.closed() => return Err(gone()),
            place = Arc::clone(&self.room).acquire_many_owned(kibibytes(&message)) => place.map_err(|_| gone())?,
        };
        self.messages.send(Waiting { message, _room: place }).await.map_err(|_| gone())
    }
}

impl WeakQueue {
    /// Puts a message in if there is a place now.
    pub(super) fn try_put(&self, message: Bytes) {
        if let Some(messages) = self.messages.upgrade()
            && let Ok(place) = Arc::clone(&self.room).try_acquire_many_owned(kibibytes(&message))
        {
            let _ = messages.try_send(Waiting { message, _room: place });
        }
    }
}

fn kibibytes(message: &Bytes) -> u32 {
    u32::try_from(message.len().div_ceil(1024)).unwrap_or(u32::MAX).min(QUEUED)
}
