//! A connection that does not wait for its peer for ever.

use super::{Attending, listener::Socket};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use vmcp_backend::Alarm;

/// How long a connection waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// From the first byte of a request's head to its last; on a new connection, from the beginning.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// For a peer that does not read what is written to it.
    pub(crate) write: Duration,
}

pin_project! {
    /// A stream that fails when its peer makes no progress for too long: one that sends nothing, or stops reading, must not hold a
    /// connection, a response and its buffers for ever.
    ///
    /// Reading does not fail while a request is attended to.
    pub(crate) struct PatientStream {
        #[pin]
        stream: Socket,
        patience: Patience,
        silence: Silence,
        // Made on the first write that has to wait: most connections never do.
        stalled: Option<Alarm>,
    }
}

/// The wait for what the peer sends next.
struct Silence {
    attending: Attending,
    awaited: Awaited,
    /// How many requests there were at the last look.
    requests: usize,
    /// The next wait is a new one, with the whole time before it.
    anew: bool,
    alarm: Alarm,
}

/// What is to be read next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The first byte of a request.
    Request,
    /// The rest of its head.
    Head,
}

impl Silence {
    fn look(&mut self) {
        let requests = self.attending.requests();
        if std::mem::replace(&mut self.requests, requests) != requests {
            self.await_anew(Awaited::Request);
        }
    }

    fn heard(&mut self) {
        if self.awaited == Awaited::Request {
            self.await_anew(Awaited::Head);
        }
    }

    fn await_anew(&mut self, awaited: Awaited) {
        (self.awaited, self.anew) = (awaited, true);
    }

    /// Ready when it has lasted for too long.
    fn poll(&mut self, patience: Patience, cx: &mut Context<'_>) -> Poll<()> {
        if self.attending.is_busy() {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.anew) {
            let limit = if self.awaited == Awaited::Head { patience.head } else { patience.idle };
            self.alarm.set(Instant::now() + limit);
        }
        Pin::new(&mut self.alarm).poll(cx)
    }
}

impl PatientStream {
    pub(crate) fn new(stream: Socket, patience: Patience, attending: Attending) -> TokioIo<Self> {
        let silence = Silence { attending, awaited: Awaited::Head, requests: 0, anew: true, alarm: Alarm::at(Instant::now()) };
        TokioIo::new(Self { stream, patience, silence, stalled: None })
    }

    /// Passes progress on, and turns waiting for too long into an error.
    fn watch<T>(
        limit: Duration,
        stalled: &mut Option<Alarm>,
        silence: &mut Silence,
        cx: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            *stalled = None;
            silence.anew = true;
            return write;
        }
        let stalled = stalled.get_or_insert_with(|| Alarm::at(Instant::now() + limit));
        ready!(Pin::new(stalled).poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading")))
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let read = this.stream.poll_read(cx, buffer);
        this.silence.look();
        if read.is_ready() {
            if buffer.filled().len() > before {
                this.silence.heard();
            }
            return read;
        }
        ready!(this.silence.poll(*this.patience, cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has sent nothing for too long")))
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = this.stream.poll_write(cx, buffer);
        Self::watch(this.patience.write, this.stalled, this.silence, cx, write)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = this.stream.poll_write_vectored(cx, buffers);
        Self::watch(this.patience.write, this.stalled, this.silence, cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        // A response that was there at once is flushed without another look for the next request, so the wait for it begins here.
        this.silence.look();
        if this.silence.anew && this.silence.poll(*this.patience, cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        this.stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::Body;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    const PATIENCE: Patience = Patience { head: Duration::from_secs(2), idle: Duration::from_secs(20), write: Duration::from_secs(5) };

    async fn pair() -> (PatientStream, TcpStream, Attending) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let attending = Attending::default();
        (PatientStream::new(Socket::Tcp(stream), PATIENCE, attending.clone()).into_inner(), client, attending)
    }

    /// How long it takes until reading fails.
    async fn fails_after(stream: &mut PatientStream) -> Duration {
        let start = Instant::now();
        tokio::time::pause();
        let failed = stream.read_u8().await;
        tokio::time::resume();
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        Duration::from_secs(start.elapsed().as_secs())
    }

    #[tokio::test]
    async fn a_new_connection_has_to_send_its_first_head_in_time() {
        let (mut stream, _client, _) = pair().await;
        assert_eq!(fails_after(&mut stream).await, PATIENCE.head);
    }

    #[tokio::test]
    async fn between_requests_there_is_more_time_and_within_a_head_there_is_not() {
        let (mut stream, mut client, attending) = pair().await;
        client.write_all(b"xy").await.unwrap();
        stream.read_u8().await.unwrap();
        drop(attending.begin());
        stream.read_u8().await.unwrap();
        assert_eq!(fails_after(&mut stream).await, PATIENCE.head, "`y` began another head");

        let (mut stream, mut client, attending) = pair().await;
        client.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        drop(attending.begin());
        assert_eq!(fails_after(&mut stream).await, PATIENCE.idle);
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_peer_whose_request_is_attended_to_or_whose_answer_is_on_its_way() {
        let (mut stream, mut client, attending) = pair().await;
        client.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        let body = Body::full("x").attended(attending.begin());
        tokio::time::pause();
        let waited = tokio::time::timeout(10 * PATIENCE.idle, stream.read_u8()).await;
        tokio::time::resume();
        assert!(waited.is_err(), "failed while the response's body was there");
        drop(body);
        assert_eq!(fails_after(&mut stream).await, PATIENCE.idle);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (mut stream, _client, _) = pair().await;
        let piece = vec![0; 1 << 20];
        let start = Instant::now();
        tokio::time::pause();
        let failed = loop {
            if let Err(error) = stream.write_all(&piece).await {
                break error;
            }
        };
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= PATIENCE.write);
    }
}
