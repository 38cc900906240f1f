//! The events of a stream that is open as long as somebody listens.

use crate::{
    ErrorKind,
    budget::{Budget, Reservation},
    http::Reply,
    sse::{SseEvent, SseReader},
};
use std::sync::Arc;

/// A stream of events, each within a limit and all that is kept of them within the budget of answers.
pub(crate) struct Events {
    reply: Reply,
    reader: SseReader,
    limit: usize,
    kept: Reservation,
}

impl Events {
    /// Reads events of at most `limit` bytes.
    pub(crate) fn new(reply: Reply, limit: usize, budget: &Arc<Budget>) -> Self {
        Self { reply, reader: SseReader::new(limit), limit, kept: budget.reserve() }
    }

    /// The next event; `None` at the end. What is kept of it counts until its data is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::Budget`], or how the connection broke. Nothing comes after that.
    pub(crate) async fn next(&mut self) -> Result<Option<SseEvent>, ErrorKind> {
        loop {
            if let Some(mut event) = self.reader.next().map_err(|_| ErrorKind::TooLarge(self.limit))? {
                self.kept.cover(event.data.len())?;
                event.data = self.kept.hold(event.data);
                return Ok(Some(event));
            }
            self.kept.cover(self.reader.held())?;
            match self.reply.data().await {
                Some(piece) => self.reader.push(piece?),
                None => return Ok(None),
            }
        }
    }
}
