//! How one request is answered: with one message, or with a stream of events that ends with it.

mod future;

use super::{Body, sse};
use crate::session::{EventStream, LONG, Reader, Writer};
use bytes::Bytes;
use http::Response;
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, SystemTime},
};
use tokio::sync::{Notify, mpsc};

pub(crate) use future::{PostFuture, ReplySlot};

/// How many events wait for a slow reader of a stream that ends with its connection; then the call's backend is not read on.
const QUEUE: usize = 8;

/// How one request is answered: with one message, or with a stream of events that ends with it.
pub(crate) struct Reply {
    slot: Arc<ReplySlot>,
    accepts: super::negotiate::Accepts,
    /// When the credential expires with which the request came: its stream ends then.
    expires_at: Option<SystemTime>,
    stream: Mutex<Option<Channel>>,
    opened: Notify,
}

/// The stream that a call has opened.
enum Channel {
    /// It ends with its connection.
    Fleeting(mpsc::Sender<Bytes>),
    /// Its client can come back for the rest.
    Kept(Writer),
}

/// A stream to send on.
enum Out {
    Fleeting(mpsc::Sender<Bytes>),
    Kept(Arc<EventStream>),
}

impl Channel {
    fn out(&self) -> Out {
        match self {
            Self::Fleeting(events) => Out::Fleeting(events.clone()),
            Self::Kept(writer) => Out::Kept(Arc::clone(writer.stream())),
        }
    }
}

impl Out {
    /// Sends a message once a slow reader has made room. A client that has gone is none of the sender's business.
    async fn send(&self, message: Bytes) {
        match self {
            Self::Fleeting(events) => put(events, sse::event(message)).await,
            Self::Kept(stream) => stream.send(message).await,
        }
    }
}

/// Puts a message into a queue once a slow reader has made room; a long one once the reader has made all of it. Whether anybody still
/// reads does not matter.
pub(super) async fn put(queue: &mpsc::Sender<Bytes>, message: Bytes) {
    let places = if message.len() > LONG { queue.max_capacity() } else { 1 };
    if let Ok(mut places) = queue.reserve_many(places).await
        && let Some(place) = places.next()
    {
        place.send(message);
    }
}

impl Reply {
    pub(crate) fn new(slot: Arc<ReplySlot>, accepts: super::negotiate::Accepts) -> Self {
        Self { slot, accepts, expires_at: None, stream: Mutex::default(), opened: Notify::new() }
    }

    /// Its stream is open until then at most.
    pub(crate) fn until(self, expires_at: Option<SystemTime>) -> Self {
        Self { expires_at, ..self }
    }

    fn time_left(&self) -> Option<Duration> {
        self.expires_at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// From now on the request goes on when its connection is lost.
    pub(crate) fn outlive_connection(&self) {
        self.slot.outlives.store(true, Ordering::Release);
    }

    /// Whether the client reads streams.
    pub(crate) fn can_stream(&self) -> bool {
        self.accepts.events
    }

    /// Whether the client reads an answer that is no stream.
    pub(crate) fn can_be_json(&self) -> bool {
        self.accepts.json
    }

    fn out(&self) -> Option<Out> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Channel::out)
    }

    /// Sends the head of a stream now, if the client reads streams and it has not been sent.
    fn open(&self, make: impl FnOnce() -> (Channel, Response<Body>)) -> Option<Out> {
        if !self.accepts.events {
            return None;
        }
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.is_none() {
            let (channel, head) = make();
            *stream = Some(channel);
            *self.slot.early.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
            self.opened.notify_one();
        }
        stream.as_ref().map(Channel::out)
    }

    /// Opens a stream that ends with its connection.
    pub(crate) fn open_stream(&self) {
        self.open_fleeting();
    }

    fn open_fleeting(&self) -> Option<Out> {
        self.open(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            (Channel::Fleeting(sender), sse::response(receiver, self.time_left(), ()))
        })
    }

    /// Opens a stream that its client can come back for. `None` where the client reads no streams.
    pub(crate) fn open_kept(&self, make: impl FnOnce() -> (Writer, Reader)) -> Option<Arc<EventStream>> {
        let opened = self.open(|| {
            let (writer, reader) = make();
            (Channel::Kept(writer), sse::response(reader, self.time_left(), ()))
        });
        match opened {
            Some(Out::Kept(stream)) => Some(stream),
            Some(Out::Fleeting(_)) | None => None,
        }
    }

    /// Sends a message ahead of the answer, on a stream that ends with its connection. It is left out where the client does not read
    /// streams, or has gone.
    pub(crate) async fn notify(&self, message: Bytes) {
        if let Some(out) = self.open_fleeting() {
            out.send(message).await;
        }
    }

    /// Waits until the client has closed the stream, one that is opened later too. Forever while there is none: then the connection
    /// drops the request. Only one may wait.
    pub(crate) async fn closed(&self) {
        loop {
            match self.out() {
                Some(Out::Fleeting(events)) => return events.closed().await,
                // Its client may come back.
                Some(Out::Kept(_)) => return std::future::pending().await,
                None => self.opened.notified().await,
            }
        }
    }

    /// Ends with the answer, or with none where the client cancelled the request. The response is for the connection where no stream was
    /// opened, else it is ignored.
    pub(crate) async fn finish(&self, answer: Option<Response<Body>>) -> Response<Body> {
        match (self.out(), answer) {
            (None, Some(response)) if self.accepts.json || !response.status().is_success() => response,
            // Boxed: most answers are no stream, and their futures are to be small.
            (out, answer) => Box::pin(Self::finish_stream(out, answer)).await,
        }
    }

    async fn finish_stream(out: Option<Out>, answer: Option<Response<Body>>) -> Response<Body> {
        match (out, answer) {
            (Some(out), Some(response)) => {
                out.send(response.into_body().collect().await).await;
                Response::new(Body::empty())
            }
            (Some(_), None) => Response::new(Body::empty()),
            (None, Some(response)) => sse::single(response.into_body().collect().await),
            (None, None) => sse::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::Future,
        task::{Context, Waker},
    };

    #[tokio::test]
    async fn a_long_message_waits_until_the_queue_is_empty() {
        let (queue, mut reader) = mpsc::channel(QUEUE);
        let long = Bytes::from(vec![b'l'; LONG + 1]);
        put(&queue, long.clone()).await;
        put(&queue, Bytes::from_static(b"s")).await;
        let mut second = std::pin::pin!(put(&queue, long));
        let mut poll = || second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        for waiting in [2, 1] {
            assert_eq!((poll().is_pending(), reader.len()), (true, waiting));
            reader.recv().await.unwrap();
        }
        assert_eq!((poll().is_ready(), reader.len()), (true, 1));
    }
}
