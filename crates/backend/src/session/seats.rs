//! The calls in flight in one session, and what came for each of them and is not read yet.

use super::{
    Switch,
    crowd::{CROWDED, Crowd},
};
use crate::ErrorKind;
use bytes::Bytes;
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// How many messages, and how many bytes of them, wait for one call. A call that does not keep up misses what it can do without, and fails
/// when that is not enough; the others go on.
pub(super) const QUEUE: usize = 256;
const QUEUED_BYTES: usize = 32 << 20;
/// How many of these places progress and log messages do not get.
const RESERVED: usize = QUEUE / 8;

/// The calls in flight.
#[derive(Default)]
pub(super) struct Seats {
    all: Vec<Seat>,
    /// A call that has much before it since somebody looked last.
    crowd: Option<Crowd>,
}

/// A call in flight.
struct Seat {
    id: u64,
    messages: mpsc::Sender<Bytes>,
    queued: Arc<AtomicUsize>,
    waited: Arc<AtomicU64>,
    /// Whether the backend may ask things during it.
    can_be_asked: bool,
}

/// What one event or line held.
pub(super) struct Said<'a> {
    data: &'a Bytes,
    /// Of a batch: the calls that have it. Each looks in the whole of it for its own, so it gets that once.
    had: Option<RefCell<Vec<u64>>>,
}

impl<'a> Said<'a> {
    pub(super) fn new(data: &'a Bytes, is_batch: bool) -> Self {
        Self { data, had: is_batch.then(RefCell::default) }
    }

    pub(super) fn data(&self) -> &'a Bytes {
        self.data
    }

    pub(super) fn is_batch(&self) -> bool {
        self.had.is_some()
    }

    fn is_had_by(&self, id: u64) -> bool {
        self.had.as_ref().is_some_and(|had| had.borrow().contains(&id))
    }

    fn had_by(&self, id: u64) {
        if let Some(had) = &self.had {
            had.borrow_mut().push(id);
        }
    }
}

/// What becomes of a message for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The call fails.
    Needed,
    /// It is left out.
    Spare,
}

impl Seats {
    /// A seat for the request of this id, and where its messages come out.
    pub(super) fn sit(&mut self, id: u64, can_be_asked: bool) -> (mpsc::Receiver<Bytes>, Arc<AtomicUsize>) {
        let (sender, messages) = mpsc::channel(QUEUE);
        let queued = Arc::<AtomicUsize>::default();
        self.all.push(Seat { id, messages: sender, queued: Arc::clone(&queued), waited: Arc::default(), can_be_asked });
        (messages, queued)
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.all.retain(|seat| seat.id != id);
    }

    /// Every call has to see that nothing more comes.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.crowd = None;
    }

    /// The ids of the requests in flight.
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = u64> {
        self.all.iter().map(|seat| seat.id)
    }

    pub(super) fn take_crowd(&mut self) -> Option<Crowd> {
        self.crowd.take()
    }

    /// To the call of this id.
    pub(super) fn give(&mut self, id: u64, said: &Said<'_>, weight: Weight) {
        if let Some(at) = self.all.iter().position(|seat| seat.id == id) {
            self.give_at(at, said, weight);
        }
    }

    pub(super) fn give_all(&mut self, said: &Said<'_>) {
        self.all.retain(|seat| seat.take(said));
    }

    /// To the call that began last, one that can be asked where it is a question. `false` where there is none.
    pub(super) fn give_newest(&mut self, said: &Said<'_>, weight: Weight) -> bool {
        let asks = weight == Weight::Needed;
        let newest = self.all.iter().enumerate().filter(|(_, seat)| !asks || seat.can_be_asked).max_by_key(|(_, seat)| seat.id);
        let Some((at, _)) = newest else { return false };
        self.give_at(at, said, weight);
        true
    }

    fn give_at(&mut self, at: usize, said: &Said<'_>, weight: Weight) {
        let seat = &self.all[at];
        if (weight == Weight::Needed || seat.has_room()) && !seat.take(said) {
            self.all.swap_remove(at);
            return;
        }
        if seat.messages.capacity() < CROWDED {
            self.crowd = Some(Crowd::new(&seat.messages, &seat.waited));
        }
    }
}

impl Seat {
    /// Whether there is room for what can be left out.
    fn has_room(&self) -> bool {
        self.messages.capacity() > RESERVED && self.queued.load(Ordering::Relaxed) < QUEUED_BYTES / 2
    }

    /// `false` where its queue is full: the call will see its queue end.
    fn take(&self, said: &Said<'_>) -> bool {
        if said.is_had_by(self.id) {
            return true;
        }
        said.had_by(self.id);
        let length = said.data.len();
        let before = self.queued.fetch_add(length, Ordering::Relaxed);
        (before == 0 || before + length <= QUEUED_BYTES) && self.messages.try_send(said.data.clone()).is_ok()
    }
}

/// What comes for one call.
pub(crate) struct Inbox {
    switch: Arc<Switch>,
    id: u64,
    messages: mpsc::Receiver<Bytes>,
    queued: Arc<AtomicUsize>,
}

impl Inbox {
    pub(super) fn new(switch: &Arc<Switch>, id: u64, (messages, queued): (mpsc::Receiver<Bytes>, Arc<AtomicUsize>)) -> Self {
        Self { switch: Arc::clone(switch), id, messages, queued }
    }

    /// What comes next; an error when nothing more will.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, ErrorKind>> {
        self.messages.poll_recv(cx).map(|message| match message {
            Some(message) => {
                self.queued.fetch_sub(message.len(), Ordering::Relaxed);
                Ok(message)
            }
            None => Err(self.switch.why_ended().unwrap_or(ErrorKind::TooFast)),
        })
    }

    /// Nothing more comes; what has come and was not read.
    pub(crate) fn close(mut self) -> Vec<Bytes> {
        // The seat goes first, so that nothing comes unseen after the look.
        self.switch.leave(self.id);
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.switch.leave(self.id);
    }
}
