//! The two ends of a stream: the connection that reads it, and the call that writes it.

use super::stream::EventStream;
use crate::edge::sse;
use bytes::Bytes;
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// A connection that reads a stream. Dropping it leaves the stream to the next one.
pub(crate) struct Reader {
    stream: Arc<EventStream>,
    turn: u64,
    opening: Option<Bytes>,
}

impl Reader {
    pub(super) fn new(stream: Arc<EventStream>, turn: u64, opening: Option<Bytes>) -> Self {
        Self { stream, turn, opening }
    }

    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Option<Bytes> {
        match sse::Source::poll_event(self, &mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }
}

impl sse::Source for Reader {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.opening.take() {
            Some(opening) => Poll::Ready(Some(opening)),
            None => self.stream.poll_event(self.turn, cx),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.left(self.turn);
    }
}

/// A call's side of its stream: the stream ends with it.
pub(crate) struct Writer(pub(super) Arc<EventStream>);

impl Writer {
    pub(crate) fn stream(&self) -> &Arc<EventStream> {
        &self.0
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.end();
    }
}
