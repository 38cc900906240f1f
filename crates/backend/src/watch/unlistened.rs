//! Modern backends that have no `subscriptions/listen`: what they answer instead, and that they did.

use crate::http::Reply;
use http::StatusCode;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};
use vmcp_core::frame::{ErrorObject, Message};

/// How long it is taken for granted.
const KNOWN: Duration = Duration::from_secs(300);
/// What is read of an answer that is no stream, and for how long.
const READ_BYTES: usize = 64 * 1024;
const READ_TIME: Duration = Duration::from_secs(1);
/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// When a backend last said that it has no such method.
#[derive(Default)]
pub(crate) struct Unlistened(Mutex<Option<Instant>>);

impl Unlistened {
    /// Whether it said so not long ago.
    pub(crate) fn is_known(&self) -> bool {
        self.said().is_some_and(|said| said.elapsed() < KNOWN)
    }

    pub(super) fn note(&self) {
        *self.said() = Some(Instant::now());
    }

    /// Something else is known of the backend now.
    pub(crate) fn forget(&self) {
        *self.said() = None;
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error says that there is no such method, for whomever: others depend on the caller, or on the moment.
pub(super) fn is_unknown_method(error: &ErrorObject<'_>) -> bool {
    error.code == METHOD_NOT_FOUND
}

/// As [`is_unknown_method`], of an answer that is no stream (2026-07-28, basic/transports: 404 where there is no such method).
pub(super) async fn says_unknown_method(status: StatusCode, mut reply: Reply) -> bool {
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return true;
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(Ok(piece)) = reply.data().await {
            if body.len() + piece.len() > READ_BYTES {
                return;
            }
            body.extend_from_slice(&piece);
        }
    };
    let _ = timeout(READ_TIME, read).await;
    matches!(Message::parse(&body), Ok(Message::Error(_, error)) if is_unknown_method(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_backend_has_not_is_asked_for_again_after_a_while_and_when_something_is_learned_of_it() {
        let unlistened = Unlistened::default();
        assert!(!unlistened.is_known());
        unlistened.note();
        tokio::time::advance(KNOWN - Duration::from_millis(1)).await;
        assert!(unlistened.is_known());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!unlistened.is_known());
        unlistened.note();
        unlistened.forget();
        assert!(!unlistened.is_known());
    }
}
