//! What one subscription at a modern backend hears of, while that may change.

use super::End;
use crate::{
    session::{Holder, Wish},
    subscribe::refused,
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};
use tokio::sync::watch::Receiver;
use vmcp_core::frame::RawObject;

/// For whom a subscription is heard, and what of.
pub(super) struct Hearing {
    backend: u64,
    pub(super) holder: Option<Arc<Holder>>,
    wishes: Vec<Wish>,
    /// The last change of the wishes that is in there.
    change: AtomicU64,
    /// The wishes that the backend refused, once it has acknowledged the others.
    refused: OnceLock<Vec<Wish>>,
}

impl Hearing {
    /// `change` is the change of the wishes that is in there.
    pub(super) fn new(backend: u64, holder: Option<Arc<Holder>>, wishes: Vec<Wish>, change: u64) -> Self {
        Self { backend, holder, wishes, change: AtomicU64::new(change), refused: OnceLock::new() }
    }

    /// The backend has acknowledged. `params` are those of its notification.
    pub(super) fn opened(&self, params: Option<&RawObject<'_>>) {
        let honoured = params.and_then(|params| params.get_object("notifications"));
        let refused = honoured.map_or_else(Vec::new, |honoured| refused(&self.wishes, &honoured));
        let _ = self.refused.set(refused);
        self.take_up();
    }

    /// Whether the backend has acknowledged it.
    pub(super) fn is_open(&self) -> bool {
        self.refused.get().is_some()
    }

    /// The backend has refused it all, and acknowledged nothing.
    pub(super) fn refused(&self) {
        let _ = self.refused.set(self.wishes.clone());
        self.take_up();
    }

    fn take_up(&self) {
        if let (Some(holder), Some(refused)) = (&self.holder, self.refused.get()) {
            holder.take_up(self.backend, self.change.load(Ordering::Relaxed), refused.clone());
        }
    }

    /// Whether a change of the wishes leaves those of this backend as they are: then the stream is good for it.
    fn covers(&self, change: u64) -> bool {
        let covers = self.holder.as_ref().is_some_and(|holder| holder.wishes(self.backend) == self.wishes);
        if covers {
            self.change.store(change, Ordering::Relaxed);
            self.take_up();
        }
        covers
    }
}

/// Waits for the end of a subscription, or until other things are to be heard of.
pub(super) async fn until_changed(hear: impl Future<Output = End>, changes: Option<Receiver<u64>>, hearing: &Hearing) -> End {
    let mut hear = pin!(hear);
    let Some(mut changes) = changes else { return hear.await };
    let mut changed = pin!(async {
        while changes.changed().await.is_ok() {
            let change = *changes.borrow_and_update();
            if !hearing.covers(change) {
                break;
            }
        }
    });
    poll_fn(|cx| match hear.as_mut().poll(cx) {
        Poll::Ready(end) => Poll::Ready(end),
        Poll::Pending => changed.as_mut().poll(cx).map(|()| End::Changed),
    })
    .await
}
