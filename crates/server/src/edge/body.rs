//! Response bodies: whole, in up to three pieces around a backend's bytes, or a stream.

use super::Attended;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// The body of every response of a gateway.
pub struct Body {
    kind: Kind,
    /// Its `Content-Type` is JSON's, and still has to be said.
    is_json: bool,
    /// The request that this answers, attended to as long as the body is there.
    attended: Option<Attended>,
}

enum Kind {
    /// What is left to send, last piece first.
    Pieces([Option<Bytes>; 3]),
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Infallible> + Send>>),
}

/// Up to this many bytes are copied into one buffer: one write is cheaper than three pieces.
const COPY_LIMIT: usize = 8 * 1024;

impl Body {
    fn of(kind: Kind) -> Self {
        Self { kind, is_json: false, attended: None }
    }

    pub(super) fn attended(mut self, attended: Attended) -> Self {
        self.attended = Some(attended);
        self
    }

    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Kind::Pieces([None, None, None]))
    }

    /// These bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(Kind::Pieces([(!bytes.is_empty()).then_some(bytes), None, None]))
    }

    /// JSON: `middle` between `head` and `tail`. A large middle is not copied.
    /// `head` is told how many bytes may come behind it.
    pub(crate) fn json(head: impl FnOnce(usize) -> Vec<u8>, middle: Bytes, tail: &'static [u8]) -> Self {
        Self { is_json: true, ..Self::around(head, middle, tail) }
    }

    /// Whether the response still has to say that this is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    fn around(head: impl FnOnce(usize) -> Vec<u8>, middle: Bytes, tail: &'static [u8]) -> Self {
        if middle.len() <= COPY_LIMIT {
            let mut head = head(middle.len() + tail.len());
            head.extend_from_slice(&middle);
            head.extend_from_slice(tail);
            return Self::full(head);
        }
        Self::of(Kind::Pieces([Some(Bytes::from_static(tail)), Some(middle), Some(head(0).into())]))
    }

    pub(crate) fn stream(stream: impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static) -> Self {
        Self::of(Kind::Stream(Box::pin(stream)))
    }

    /// The whole body in one buffer, for callers without HTTP. A stream is read to its end.
    pub(crate) async fn collect(self) -> Bytes {
        let mut collected = BytesMut::new();
        let mut body = self;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await {
            if let Ok(data) = frame.into_data() {
                collected.extend_from_slice(&data);
            }
        }
        collected.freeze()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.kind {
            Kind::Pieces(pieces) => Poll::Ready(pieces.iter_mut().rev().find_map(Option::take).map(|piece| Ok(Frame::data(piece)))),
            Kind::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Pieces(pieces) => pieces.iter().all(Option::is_none),
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Pieces(pieces) => SizeHint::with_exact(pieces.iter().flatten().map(|piece| piece.len() as u64).sum()),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            Kind::Pieces(pieces) => write!(f, "Body({} bytes)", pieces.iter().flatten().map(Bytes::len).sum::<usize>()),
            Kind::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    #[tokio::test]
    async fn pieces_come_in_order_and_their_length_is_known() {
        for size in [0, 10, COPY_LIMIT, COPY_LIMIT + 1] {
            let middle = Bytes::from(vec![b'x'; size]);
            let body = Body::around(|_| b"head".to_vec(), middle.clone(), b"tail");
            assert_eq!(body.size_hint().exact(), Some(size as u64 + 8));
            let all = body.collect().await;
            assert!(all.starts_with(b"head") && all.ends_with(b"tail"), "{size}");
            assert_eq!(all.slice(4..4 + size), middle);
        }
    }

    #[test]
    fn a_large_middle_is_not_copied() {
        let middle = Bytes::from(vec![b'x'; COPY_LIMIT + 1]);
        let Kind::Pieces([_, Some(kept), _]) = Body::around(Vec::with_capacity, middle.clone(), b"").kind else { panic!("copied") };
        assert_eq!(kept.as_ptr(), middle.as_ptr());
    }

    #[test]
    fn an_empty_body_is_at_its_end() {
        assert!(Body::empty().is_end_stream());
        assert!(Body::full("").is_end_stream());
        assert!(!Body::full("x").is_end_stream());
    }
}
