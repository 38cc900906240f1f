//! One HTTP/1.1 connection, driven by whoever uses it.

use super::{Body, connect::Io};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use tokio::runtime::{Handle, Id};

/// A connection between two requests, or with one in flight.
pub(super) struct Line {
    sender: http1::SendRequest<Body>,
    connection: Driver,
    runtime: Id,
}

/// The side that moves bytes; `None` when it has ended.
pub(super) struct Driver(Option<Box<http1::Connection<Io, Body>>>);

/// A request that failed. `unsent` has it back when none of it was written.
pub(super) struct SendError {
    pub(super) unsent: Option<Request<Body>>,
    pub(super) error: hyper::Error,
}

impl From<TrySendError<Request<Body>>> for SendError {
    fn from(mut failed: TrySendError<Request<Body>>) -> Self {
        Self { unsent: failed.take_message(), error: failed.into_error() }
    }
}

impl Driver {
    /// Moves the connection on, then asks again. What is asked becomes ready only through the connection, so that only the
    /// connection needs the waker, and only when there is something to wait for: asking calls the waker that the connection was moved
    /// with, which would have the task polled once more for nothing.
    pub(super) fn drive<T>(&mut self, cx: &mut Context<'_>, mut ask: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let mut quiet = Context::from_waker(Waker::noop());
        if let Poll::Ready(ready) = ask(&mut quiet) {
            return Poll::Ready(ready);
        }
        self.turn(&mut quiet);
        if let Poll::Ready(ready) = ask(&mut quiet) {
            return Poll::Ready(ready);
        }
        self.turn(cx);
        ask(&mut quiet)
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(cx).is_ready()
        {
            // Dropping it tells whoever still waits for an answer.
            self.0 = None;
        }
    }
}

impl Line {
    pub(super) async fn open(io: Io) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new().handshake(io).await?;
        Ok(Self { sender, connection: Driver(Some(Box::new(connection))), runtime: Handle::current().id() })
    }

    /// The runtime that opened the connection, and moves its bytes.
    pub(super) fn runtime(&self) -> Id {
        self.runtime
    }

    /// Whether a request may be sent: the server has not closed, and everything of the last answer has been read.
    ///
    /// Nobody is woken later for what happens on an idle connection. The waker of this task would be called when the next request is
    /// handed to the connection: by the very task that is about to drive it, or in place of some other.
    pub(super) fn is_free(&mut self) -> bool {
        self.connection.turn(&mut Context::from_waker(Waker::noop()));
        self.connection.0.is_some() && self.sender.is_ready()
    }

    /// Whether everything of the last answer had been read when the connection was moved on last. Whether the server has closed since is
    /// seen when a request is handed over: reading comes before writing, and the request comes back unsent.
    pub(super) fn is_settled(&self) -> bool {
        self.connection.0.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the answer's head.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut begun = true;
        let answer = poll_fn(|cx| {
            if std::mem::take(&mut begun) {
                // Writes it. Its answer is nearly always still to come.
                self.connection.turn(cx);
                return answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            self.connection.drive(cx, |cx| answer.as_mut().poll(cx))
        })
        .await;
        answer.map_err(SendError::from)
    }

    pub(super) fn driver(&mut self) -> &mut Driver {
        &mut self.connection
    }
}
