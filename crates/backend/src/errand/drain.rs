//! Reading what is left of answers, so that their connections can be used again.

use crate::{Backend, http::Reply};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// What is read of a stream behind its answer.
pub(super) const DRAIN_TIME: Duration = Duration::from_millis(50);
const DRAIN_BYTES: usize = 64 * 1024;
impl Backend {
    /// Reads what is left behind an answer, so that its connection can be used again: at once where it is there already.
    pub(crate) fn drain(self: &Arc<Self>, mut reply: Reply, cx: &mut Context<'_>) {
        let mut left = DRAIN_BYTES;
        loop {
            match reply.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.len() <= left => left -= piece.len(),
                Poll::Ready(_) => return,
                Poll::Pending => break,
            }
        }
        self.shared().spawn(async move {
            let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
        });
    }

    /// Reads what is left of an answer that nobody needs, in a task.
    pub(crate) fn drain_later(self: &Arc<Self>, mut reply: Reply) {
        if !reply.is_ended() {
            self.shared().spawn(async move {
                let _ = timeout(DRAIN_TIME, drained(&mut reply)).await;
            });
        }
    }
}

/// Reads a reply to its end, or to the point where closing the connection is cheaper.
pub(super) async fn drained(reply: &mut Reply) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(piece)) = reply.data().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
