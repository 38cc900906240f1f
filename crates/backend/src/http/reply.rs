//! An answer's body, and the way of its connection back into the pool.

use super::{connect::reason, line::Line, pool::Pool};
use crate::ErrorKind;
use bytes::Bytes;
use http::{Version, header::CONNECTION, response::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The body of an answer. Read to its end it gives the connection back; dropped before, it closes it.
pub(crate) struct Reply {
    body: Incoming,
    /// The connection, where this answer has it for itself (HTTP/1.1), and the pool that it goes back to.
    line: Option<(Line, Option<Arc<Pool>>)>,
    /// Nothing was said of the connection's end: whether it is free is asked by whoever takes it from the pool.
    lasting: bool,
    ended: bool,
}

impl Reply {
    pub(super) fn new(head: &Parts, body: Incoming, line: Option<(Line, Arc<Pool>)>) -> Self {
        let lasting = head.version == Version::HTTP_11 && !head.headers.contains_key(CONNECTION);
        Self { body, line: line.map(|(line, pool)| (line, Some(pool))), lasting, ended: false }
    }

    /// An answer over a connection that is not used again.
    pub(super) fn alone(body: Incoming, line: Line) -> Self {
        Self { body, line: Some((line, None)), lasting: false, ended: false }
    }

    /// The length that the head announced.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece; `None` at the end. Trailers are ignored.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ErrorKind>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let body = &mut self.body;
            let mut ask = |cx: &mut Context<'_>| Pin::new(&mut *body).poll_frame(cx);
            let frame = match &mut self.line {
                Some((line, _)) => ready!(line.driver().drive(cx, ask)),
                None => ready!(ask(cx)),
            };
            match frame {
                None => self.settle(),
                Some(Err(error)) => {
                    self.ended = true;
                    self.line = None;
                    return Poll::Ready(Some(Err(ErrorKind::Lost(reason(&error)))));
                }
                Some(Ok(frame)) => {
                    if self.body.is_end_stream() {
                        self.settle();
                    }
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    /// As [`Self::poll_data`], in a task.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, ErrorKind>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Whether everything has been read.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    fn settle(&mut self) {
        self.ended = true;
        if let Some((mut line, Some(pool))) = self.line.take()
            && (self.lasting || line.is_free())
        {
            pool.put(line);
        }
    }
}
