//! A connection whose peer has to keep reading.

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
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

pin_project! {
    /// A TCP stream that fails when a write makes no progress for too long: a peer that stops reading must not hold a response,
    /// its buffers and its connection for ever.
    pub(crate) struct StallGuard {
        #[pin]
        stream: TcpStream,
        limit: Duration,
        // Made on the first write that has to wait: most connections never do.
        stalled: Option<Pin<Box<Sleep>>>,
        waiting: bool,
    }
}

impl StallGuard {
    pub(crate) fn new(stream: TcpStream, limit: Duration) -> TokioIo<Self> {
        TokioIo::new(Self { stream, limit, stalled: None, waiting: false })
    }

    /// Passes progress on, and turns waiting for too long into an error.
    fn watch<T>(
        limit: Duration,
        stalled: &mut Option<Pin<Box<Sleep>>>,
        waiting: &mut bool,
        cx: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            *waiting = false;
            return write;
        }
        let until = Instant::now() + limit;
        let sleep = stalled.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if !std::mem::replace(waiting, true) {
            sleep.as_mut().reset(until);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading")))
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, buffer)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = this.stream.poll_write(cx, buffer);
        Self::watch(*this.limit, this.stalled, this.waiting, cx, write)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = this.stream.poll_write_vectored(cx, buffers);
        Self::watch(*this.limit, this.stalled, this.waiting, cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}
