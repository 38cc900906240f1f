//! What the reader of a subscription has not read yet.

use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// How many messages wait for a slow reader before its stream is ended, and how many bytes.
const MESSAGES: usize = 2048;
const BYTES: usize = 256 * 1024;

/// Where messages go in. Nothing ever waits for the reader: one that is too slow is ended.
pub(super) struct Outbox(Arc<Mutex<Waiting>>);

/// Where they come out.
pub(crate) struct Inbox(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// Nothing more goes in.
    is_closed: bool,
    reader: Option<Waker>,
}

pub(super) fn outbox() -> (Outbox, Inbox) {
    let waiting = Arc::default();
    (Outbox(Arc::clone(&waiting)), Inbox(waiting))
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outbox {
    /// Adds a message. `false` where nobody reads any more, or not fast enough: then this was the end.
    pub(super) fn push(&self, message: Bytes) -> bool {
        self.add(|waiting| {
            waiting.bytes += message.len();
            waiting.messages.push_back(message);
        })
    }

    /// As [`Self::push`], for a message that says no more when it is said twice: one that waits is enough.
    pub(super) fn push_once(&self, message: Bytes) -> bool {
        self.add(|waiting| {
            if !waiting.messages.contains(&message) {
                waiting.bytes += message.len();
                waiting.messages.push_back(message);
            }
        })
    }

    /// Adds a message ahead of those that wait.
    pub(super) fn push_first(&self, message: Bytes) -> bool {
        self.add(|waiting| {
            waiting.bytes += message.len();
            waiting.messages.push_front(message);
        })
    }

    fn add(&self, change: impl FnOnce(&mut Waiting)) -> bool {
        let mut waiting = locked(&self.0);
        if waiting.is_closed {
            return false;
        }
        change(&mut waiting);
        if waiting.messages.len() > MESSAGES || (waiting.bytes > BYTES && waiting.messages.len() > 1) {
            waiting.messages = VecDeque::new();
            waiting.bytes = 0;
            waiting.is_closed = true;
        }
        let (reader, is_open) = (waiting.reader.take(), !waiting.is_closed);
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        is_open
    }

    /// Ends it once what waits has been read.
    pub(super) fn finish(&self) {
        let reader = {
            let mut waiting = locked(&self.0);
            waiting.is_closed = true;
            waiting.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Inbox {
    /// The next message; `None` when there is none to come.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut waiting = locked(&self.0);
        if let Some(message) = waiting.messages.pop_front() {
            waiting.bytes -= message.len();
            return Poll::Ready(Some(message));
        }
        if waiting.is_closed {
            return Poll::Ready(None);
        }
        waiting.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// As [`Self::poll_recv`]. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        *locked(&self.0) = Waiting { is_closed: true, ..Waiting::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[tokio::test]
    async fn what_waits_is_read_in_order_behind_what_goes_first() {
        let (outbox, mut inbox) = outbox();
        assert!(outbox.push(text("b")) && outbox.push_once(text("c")) && outbox.push_once(text("b")) && outbox.push_first(text("a")));
        outbox.finish();
        assert!(!outbox.push(text("d")));
        for expected in ["a", "b", "c"] {
            assert_eq!(inbox.recv().await.as_deref(), Some(expected.as_bytes()));
        }
        assert_eq!(inbox.recv().await, None);
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_a_message_and_by_the_end() {
        let (outbox, mut inbox) = outbox();
        let (read, ()) = tokio::join!(inbox.recv(), async { assert!(outbox.push(text("a"))) });
        assert_eq!(read, Some(text("a")));
        let (read, ()) = tokio::join!(inbox.recv(), async { drop(outbox) });
        assert_eq!(read, None);
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_ended_and_keeps_no_memory() {
        let (outbox, mut inbox) = super::outbox();
        assert!((0..MESSAGES).all(|number| outbox.push(text(&number.to_string()))));
        assert!(!outbox.push(text("one more")));
        assert_eq!(inbox.recv().await, None);
        let (outbox, mut inbox) = super::outbox();
        // One alone may be of any size: a backend's messages have a limit of their own.
        assert!(outbox.push(vec![0; 2 * BYTES].into()) && !outbox.push(text("one more")));
        assert_eq!((inbox.recv().await, locked(&inbox.0).messages.capacity()), (None, 0));
    }

    #[test]
    fn a_message_that_says_the_same_is_not_kept_twice() {
        let (outbox, inbox) = outbox();
        assert!((0..2 * MESSAGES).all(|_| outbox.push_once(text("changed"))));
        assert_eq!(locked(&inbox.0).messages.len(), 1);
        drop(inbox);
        assert!(!outbox.push_once(text("changed")));
    }
}
