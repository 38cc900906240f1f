//! What a stream keeps of its events, and where its reader is.

use bytes::Bytes;
use std::{collections::VecDeque, task::Waker, time::Instant};

#[derive(Default)]
pub(super) struct Log {
    pub(super) events: VecDeque<Bytes>,
    /// How many events were dropped in front: the place of the first kept one is one more.
    pub(super) dropped: u64,
    pub(super) bytes: usize,
    pub(super) reader: Option<Place>,
    /// How many readers there have been: the number of the present one.
    pub(super) turn: u64,
    /// Nothing more comes.
    pub(super) ended: bool,
    /// Since when nobody reads it.
    pub(super) alone: Option<Instant>,
    /// The place of the last event that any reader was given.
    pub(super) given: u64,
}

/// Where a reader is.
pub(super) struct Place {
    /// The place of the last event that it was given.
    pub(super) after: u64,
    pub(super) waker: Option<Waker>,
}

impl Log {
    /// The place of the newest event.
    pub(super) fn last(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    pub(super) fn unread(&self) -> u64 {
        self.reader.as_ref().map_or(0, |reader| self.last() - reader.after)
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.reader.as_mut().and_then(|reader| reader.waker.take()) {
            waker.wake();
        }
    }

    /// Nobody reads any more. Whether somebody did.
    pub(super) fn leave(&mut self) -> bool {
        self.wake();
        let reader = self.reader.take();
        if let Some(reader) = &reader {
            self.given = self.given.max(reader.after);
        }
        self.alone = Some(Instant::now());
        reader.is_some()
    }
}
