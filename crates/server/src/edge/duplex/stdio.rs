//! A pipe of lines: a message in each (2025-11-25 and 2026-07-28, basic/transports, stdio).

use super::{Opener, Peer};
use crate::{
    Gateway,
    failure::{Failure, code},
};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use std::{io, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter},
    sync::mpsc::{self, error::TryRecvError},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use vmcp_auth::Identity;
use vmcp_core::frame::{LineReader, single_line};

/// So much is read at once.
const CHUNK: usize = 64 * 1024;

impl Gateway {
    /// Serves one client over a pipe of lines, as a process serves its parent over standard input and output. `caller` is who the client is,
    /// `headers` are what its requests would bring over HTTP: the listed ones of them go to the backends that list them.
    ///
    /// Who the caller is was decided by whoever calls this, so a reload does not change that, and does not end it.
    ///
    /// Ends when the reader does, when the client does not read any more, or at [`Gateway::shutdown`]. Requests in flight may end within
    /// `limits.shutdownTimeout`; then what the client has at the backends is closed.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn serve_stdio<R, W>(&self, reader: R, writer: W, caller: Identity, headers: HeaderMap) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let inner = &self.inner;
        // The gateway's shutdown waits for the last answers.
        let _served = inner.tracker.token();
        let (peer, messages) = Peer::new(inner, Opener::new(caller, headers));
        let all_said = CancellationToken::new();
        let mut writing = pin!(write(messages, writer, &all_said));
        let read = tokio::select! {
            read = read(&peer, reader) => read,
            () = inner.shutdown.cancelled() => Ok(()),
            _ = &mut writing => {
                tracing::debug!("the client at the pipe does not read any more");
                peer.abandon();
                return Ok(());
            }
        };
        let time = inner.snapshot().config.limits.shutdown_timeout.0;
        let deadline = Instant::now() + time;
        tokio::select! {
            _ = &mut writing => peer.abandon(),
            // What is left of the time is for the last answers and for the sessions at the backends.
            () = peer.end(deadline - time * 2 / 5) => {
                all_said.cancel();
                let _ = timeout_at(deadline - time / 5, writing).await;
            }
        }
        read
    }
}

/// Reads lines to the end. What stands behind the last line end is a line as well.
async fn read<R: AsyncRead + Unpin>(peer: &Arc<Peer>, mut reader: R) -> io::Result<()> {
    let mut lines = LineReader::new(peer.inner.snapshot().limits.max_request_bytes);
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK);
        let is_end = reader.read_buf(&mut chunk).await? == 0;
        lines.push(if is_end { Bytes::from_static(b"\n") } else { chunk.split().freeze() });
        loop {
            match lines.next() {
                Ok(Some(line)) => match peer.opener.incoming(&peer.inner) {
                    Ok(incoming) => {
                        if let Err(failure) = peer.receive(line, incoming, &peer.opener).await {
                            peer.say(failure.message(None)).await;
                        }
                    }
                    Err(failure) => peer.refuse(&line, &failure).await,
                },
                Ok(None) => break,
                Err(too_long) => {
                    let message = format!("{too_long} (limits.maxRequestBytes)");
                    peer.say(Failure::new(code::INVALID_REQUEST, &message).message(None)).await;
                }
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Writes messages as lines until all was said.
async fn write<W: AsyncWrite + Unpin>(mut messages: mpsc::Receiver<Bytes>, writer: W, all_said: &CancellationToken) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    loop {
        let message = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => return writer.flush().await,
            Err(TryRecvError::Empty) => {
                writer.flush().await?;
                let next = tokio::select! {
                    next = messages.recv() => next,
                    () = all_said.cancelled(), if !messages.is_closed() => {
                        messages.close();
                        continue;
                    }
                };
                let Some(message) = next else { return Ok(()) };
                message
            }
        };
        writer.write_all(&single_line(message)).await?;
        writer.write_all(b"\n").await?;
    }
}
