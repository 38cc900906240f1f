//! Messages to a server, one after another.

use super::queue::Waiting;
use bytes::Buf as _;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// Writes what comes out of the queue until it is closed, the server takes no more, or it is to end. What still waits then is dropped,
/// and so is the pipe: the server sees its input end.
pub(super) async fn write(mut stdin: impl AsyncWrite + Unpin, mut messages: mpsc::Receiver<Waiting>, closing: CancellationToken) {
    let writing = async {
        while let Some(mut waiting) = messages.recv().await {
            let message = &mut waiting.message;
            if stdin.write_all_buf(&mut message.chain(&b"\n"[..])).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = closing.cancelled() => {}
    }
}
