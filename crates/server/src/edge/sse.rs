//! Server-sent events towards clients.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use std::{
    convert::Infallible,
    fmt::Display,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at},
};
use vmcp_core::frame::single_line;

use super::Body;
use crate::views::Inbox;

/// A comment goes out this often, so that nothing between client and gateway takes the stream for dead.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client waits before it comes back for a stream whose connection ended.
const RETRY_MILLISECONDS: u32 = 1000;

/// Where the events of a response come from.
pub(crate) trait Source: Send + Unpin + 'static {
    /// The next event as bytes; `None` when there is none to come.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl Source for mpsc::Receiver<Bytes> {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_recv(cx)
    }
}

/// The messages of a subscription, each an event without an id.
pub(crate) struct Messages(pub(crate) Inbox);

impl Source for Messages {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(cx).map(|message| message.map(event))
    }
}

/// The first event of a stream: an id to come back with, and no data (2025-11-25, basic/transports).
pub(crate) fn priming(id: impl Display) -> Bytes {
    format!("id: {id}\nretry: {RETRY_MILLISECONDS}\ndata:\n\n").into()
}

/// One message as an event with an id.
pub(crate) fn named_event(id: impl Display, message: Bytes) -> Bytes {
    let line = single_line(message);
    let mut event = BytesMut::with_capacity(line.len() + 72);
    event.put_slice(format!("id: {id}\n").as_bytes());
    put_message(&mut event, &line);
    event.freeze()
}

/// One message as an event.
pub(crate) fn event(message: Bytes) -> Bytes {
    let line = single_line(message);
    let mut event = BytesMut::with_capacity(line.len() + 24);
    put_message(&mut event, &line);
    event.freeze()
}

fn put_message(event: &mut BytesMut, line: &[u8]) {
    event.put_slice(b"event: message\ndata: ");
    event.put_slice(line);
    event.put_slice(b"\n\n");
}

/// A response whose events come out of a channel or a stream; it ends when that does, or at `until`.
pub(crate) fn response<G: Send + Unpin + 'static>(events: impl Source, until: Option<Duration>, guard: G) -> Response<Body> {
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let body = EventBody { events, keep_alive, until: until.map(|left| Box::pin(tokio::time::sleep(left))), _guard: guard };
    with_headers(Body::stream(body))
}

/// A response that is one event.
pub(crate) fn single(message: Bytes) -> Response<Body> {
    with_headers(Body::full(event(message)))
}

/// A response that is a stream without any event: of a request that its sender cancelled.
pub(crate) fn empty() -> Response<Body> {
    with_headers(Body::empty())
}

fn with_headers(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

struct EventBody<S, G> {
    events: S,
    keep_alive: Interval,
    until: Option<Pin<Box<Sleep>>>,
    /// Whatever has to live as long as the stream.
    _guard: G,
}

impl<S: Source, G: Send + Unpin> http_body::Body for EventBody<S, G> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        // First, so that it ends however much there is to say.
        if let Some(until) = &mut this.until
            && until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = this.events.poll_event(cx) {
            this.keep_alive.reset();
            return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
        }
        if this.keep_alive.poll_tick(cx).is_ready() {
            // Registers for the next tick as well.
            let _ = this.keep_alive.poll_tick(cx);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_line_ends_is_still_one_event() {
        assert_eq!(event(Bytes::from_static(b"{\n\"a\":\r\n1}")), "event: message\ndata: { \"a\":  1}\n\n");
    }

    #[test]
    fn an_event_has_an_id_where_its_stream_can_be_come_back_to() {
        assert_eq!(priming("1-2-0"), "id: 1-2-0\nretry: 1000\ndata:\n\n");
        assert_eq!(named_event("1-2-3", Bytes::from_static(b"{}")), "id: 1-2-3\nevent: message\ndata: {}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_sends_comments_and_ends_with_its_channel() {
        let (events, receiver) = mpsc::channel(4);
        let body = response(receiver, None, ()).into_body();
        let writer = async {
            tokio::time::sleep(KEEP_ALIVE + Duration::from_millis(1)).await;
            events.send(event(Bytes::from_static(b"{}"))).await.unwrap();
            drop(events);
        };
        let (all, ()) = tokio::join!(body.collect(), writer);
        assert_eq!(all, ":\n\nevent: message\ndata: {}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_the_time_of_its_caller_is_over() {
        let (_events, receiver) = mpsc::channel(4);
        let start = Instant::now();
        let body = response(receiver, Some(KEEP_ALIVE + Duration::from_secs(5)), ()).into_body();
        let all = tokio::time::timeout(4 * KEEP_ALIVE, body.collect()).await.expect("it goes on");
        assert_eq!((all.as_ref(), start.elapsed().as_secs()), (&b":\n\n"[..], 20));
    }

    /// Says something whenever it is asked.
    struct Chatter;

    impl Source for Chatter {
        fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Bytes>> {
            Poll::Ready(Some(Bytes::from_static(b":")))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_in_time_though_there_is_always_more_to_say() {
        let mut body = std::pin::pin!(response(Chatter, Some(Duration::from_secs(5)), ()).into_body());
        let mut next = async || std::future::poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await;
        assert!(next().await.is_some());
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(next().await.is_none(), "it goes on");
    }
}
