//! A request's future, which can answer before it has ended and can outlive its connection.
//!
//! A call is owned apart from its connection. While it runs it may open a stream (then the response goes out and the call goes on
//! in a tracked task), and for a legacy caller it goes on when the connection is lost: a disconnect is not a cancel there
//! (2025-11-25, basic/transports). For a modern caller it is, so the future is simply dropped.

use crate::edge::Body;
use atomic_waker::AtomicWaker;
use http::Response;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio_util::task::TaskTracker;

/// Between a request's future and the connection that waits for its response.
///
/// It is also the waker of the request's future. A connection is polled more often than there is something new for the request that it
/// serves; the request is polled only when it was woken itself.
#[derive(Default)]
pub(crate) struct ReplySlot {
    pub(super) early: Mutex<Option<Response<Body>>>,
    pub(super) outlives: AtomicBool,
    /// Nothing has happened since the request's future was polled.
    asleep: AtomicBool,
    connection: AtomicWaker,
}

impl Wake for ReplySlot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.asleep.store(false, Ordering::Release);
        self.connection.wake();
    }
}

impl ReplySlot {
    pub(in crate::edge) fn take_early(&self) -> Option<Response<Body>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The future that a connection polls.
pub(crate) struct PostFuture {
    request: Option<Pin<Box<dyn Future<Output = Response<Body>> + Send>>>,
    slot: Arc<ReplySlot>,
    tracker: TaskTracker,
}

impl PostFuture {
    pub(crate) fn new(request: impl Future<Output = Response<Body>> + Send + 'static, slot: Arc<ReplySlot>, tracker: TaskTracker) -> Self {
        Self { request: Some(Box::pin(request)), slot, tracker }
    }
}

impl Future for PostFuture {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let this = &mut *self;
        let Some(request) = this.request.as_mut() else { return Poll::Pending };
        // Registered before the look, so that no wake is lost between the two.
        this.slot.connection.register(cx.waker());
        if this.slot.asleep.swap(true, Ordering::AcqRel) {
            return Poll::Pending;
        }
        match request.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&this.slot)))) {
            Poll::Ready(response) => {
                this.request = None;
                // A request that ended while it opened its stream has everything in the stream.
                Poll::Ready(this.slot.take_early().unwrap_or(response))
            }
            Poll::Pending => match this.slot.take_early() {
                Some(early) => {
                    if let Some(request) = this.request.take() {
                        this.tracker.spawn(request);
                    }
                    Poll::Ready(early)
                }
                None => Poll::Pending,
            },
        }
    }
}

impl Drop for PostFuture {
    fn drop(&mut self) {
        if let Some(request) = self.request.take()
            && self.slot.outlives.load(Ordering::Acquire)
        {
            self.tracker.spawn(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, sync::atomic::AtomicUsize};

    #[test]
    fn a_request_is_polled_when_it_was_woken_and_not_whenever_its_connection_is() {
        let (polls, waker) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let (counted, kept) = (Arc::clone(&polls), Arc::clone(&waker));
        let request = poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        });
        let mut future = PostFuture::new(request, Arc::default(), TaskTracker::new());
        for wakes in 1..=3 {
            for _ in 0..3 {
                assert!(Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            assert_eq!(polls.load(Ordering::Relaxed), wakes);
            waker.lock().unwrap().take().unwrap().wake();
        }
    }
}
