//! Reading a request's body: bounded in size and in patience.

use super::room::Room;
use crate::failure::{Failure, code};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::time::Instant;

/// So much of a body has to arrive within each pause: a byte now and then does not count as sending.
const STRIDE: usize = 16 * 1024;

/// Reads the whole body. Trailers are ignored.
pub(crate) async fn read_body<B>(body: B, limit: usize, pause: Duration, room: &mut Room) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let expected = body.size_hint();
    if expected.lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut body = pin!(body);
    let mut next = async || {
        loop {
            let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                None => return Ok(None),
                Some(Ok(Ok(data))) => return Ok(Some(data)),
                Some(Ok(Err(_trailers))) => {}
                Some(Err(_)) => {
                    return Err(Failure::http(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, "the body could not be read to its end"));
                }
            }
        }
    };
    let Some(first) = in_time(pause, next()).await?? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(too_large(limit));
    }
    room.cover(first.len())?;
    if expected.exact() == Some(first.len() as u64) {
        // The whole body in one piece: it is not copied.
        return Ok(first);
    }
    let capacity = expected.exact().map_or(first.len() * 2, |exact| usize::try_from(exact).unwrap_or(limit)).min(limit);
    let mut whole = BytesMut::with_capacity(capacity);
    whole.extend_from_slice(&first);
    let (mut due, mut stride) = (Instant::now() + pause, 0);
    while let Some(data) = in_time(due.saturating_duration_since(Instant::now()), next()).await?? {
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        room.cover(whole.len() + data.len())?;
        whole.extend_from_slice(&data);
        stride += data.len();
        if stride >= STRIDE {
            (due, stride) = (Instant::now() + pause, 0);
        }
    }
    Ok(whole.freeze())
}

async fn in_time<T>(pause: Duration, reading: impl Future<Output = T>) -> Result<T, Failure> {
    let mut reading = pin!(reading);
    // A small body mostly came together with the head: then there is nothing to wait for and no timer to set.
    if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return Ok(read);
    }
    tokio::time::timeout(pause, reading).await.map_err(|_| {
        Failure::http(StatusCode::REQUEST_TIMEOUT, code::INVALID_REQUEST, "the body took too long to arrive (limits.readTimeout)")
    })
}

fn too_large(limit: usize) -> Failure {
    let message = format!("the body is longer than {limit} bytes (limits.maxRequestBytes)");
    Failure::http(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID_REQUEST, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};

    async fn status(result: Result<Bytes, Failure>) -> Result<usize, u16> {
        result.map(|bytes| bytes.len()).map_err(|failure| failure.into_response(None, vmcp_core::Era::Legacy).status().as_u16())
    }

    fn room() -> Room {
        Room::new(&std::sync::Arc::default(), usize::MAX)
    }

    #[tokio::test]
    async fn a_body_of_the_limit_is_read_and_one_more_byte_is_413() {
        let pause = Duration::from_secs(1);
        assert_eq!(status(read_body(Full::new(Bytes::from(vec![0; 10])), 10, pause, &mut room()).await).await, Ok(10));
        assert_eq!(status(read_body(Full::new(Bytes::from(vec![0; 11])), 10, pause, &mut room()).await).await, Err(413));
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_counted_as_it_comes() {
        let chunks = |n: usize| {
            StreamBody::new(futures_chunks((0..n).map(|_| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(b"abc"))))))
        };
        let pause = Duration::from_secs(1);
        assert_eq!(status(read_body(chunks(3), 9, pause, &mut room()).await).await, Ok(9));
        assert_eq!(status(read_body(chunks(4), 9, pause, &mut room()).await).await, Err(413));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stops_is_a_408() {
        let silent = StreamBody::new(Silent);
        assert_eq!(status(read_body(silent, 9, Duration::from_secs(30), &mut room()).await).await, Err(408));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_of_a_byte_now_and_then_is_a_408() {
        let (pause, mut sent) = (Duration::from_secs(30), 0);
        let started = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_secs(20));
        let body = StreamBody::new(Polled(move |cx: &mut std::task::Context<'_>| {
            tick.poll_tick(cx).map(|_| {
                sent += 1;
                (sent <= 100).then(|| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(b"x"))))
            })
        }));
        assert_eq!(status(read_body(body, 1 << 20, pause, &mut room()).await).await, Err(408));
        assert!(started.elapsed() <= 2 * pause);
    }

    struct Polled<F>(F);

    impl<T, F: FnMut(&mut std::task::Context<'_>) -> Poll<Option<T>> + Unpin> futures_core::Stream for Polled<F> {
        type Item = T;
        fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<T>> {
            (self.0)(cx)
        }
    }

    fn futures_chunks<I: Iterator + Unpin>(iter: I) -> impl futures_core::Stream<Item = I::Item> {
        struct Chunks<I>(I);
        impl<I: Iterator + Unpin> futures_core::Stream for Chunks<I> {
            type Item = I::Item;
            fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<I::Item>> {
                std::task::Poll::Ready(self.0.next())
            }
        }
        Chunks(iter)
    }

    struct Silent;

    impl futures_core::Stream for Silent {
        type Item = Result<http_body::Frame<Bytes>, std::io::Error>;
        fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Pending
        }
    }
}
