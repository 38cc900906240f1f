//! One stream of events towards a client: what its connection still has to send, and what is kept for the next connection.
//!
//! A stream is more than the connection that reads it: the connection may break and another one may go on behind the last event that
//! arrived (2025-11-25, basic/transports, resumability and redelivery). So the events wait here, and a connection is a reader with a place.

use super::{
    locked,
    log::{Log, Place},
    reader::Reader,
    replay::{Binding, Replay, SESSION_BYTES, STREAM_BYTES, STREAM_EVENTS},
    streams::Streams,
};
use crate::{edge::sse, views::Audience};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::{
    pin::pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use vmcp_backend::Backend;

/// How many events wait for a slow reader of a call's stream; then the call's backend is not read on.
const CALL_QUEUE: u64 = 8;
/// A longer message waits until nothing else does, so that what a slow reader costs is no multiple of the longest message.
pub(crate) const LONG: usize = 64 * 1024;
/// How many events wait for a slow reader of a GET stream before the reader is ended.
pub(crate) const STREAM_QUEUE: u64 = 16;
/// How long a stream that is at its end, and was read to it, is kept: its last bytes may have been lost with the connection.
const KEPT_READ: Duration = Duration::from_secs(30);
/// How long a stream that nobody reads is kept.
const KEPT: Duration = Duration::from_secs(300);

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The messages of one request, its answer the last.
    Call,
    /// GET: what belongs to no request.
    Session,
}

/// How a stream begins and names its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// An event without data comes first, so that the client has an id to come back with (2025-11-25).
    Primed,
    /// Clients of older revisions take an event without data for a broken message.
    Plain,
    /// A pipe carries the messages as they are. Its client does not come back for what it was sent.
    Bare,
}

pub(crate) struct EventStream {
    pub(super) number: u64,
    pub(super) purpose: Purpose,
    pub(super) binding: Binding,
    /// Who listens, known before anything is said. `None` where everybody may see everything.
    audience: ArcSwapOption<Audience>,
    style: Style,
    home: Weak<Streams>,
    replay: Arc<Replay>,
    log: Mutex<Log>,
    /// A reader has read, or there is none any more.
    room: Notify,
}

impl EventStream {
    /// A new stream and its first reader.
    pub(super) fn open(
        home: &Arc<Streams>,
        replay: &Arc<Replay>,
        purpose: Purpose,
        style: Style,
        binding: Binding,
        audience: Option<Audience>,
    ) -> (Arc<Self>, Reader) {
        let stream = Arc::new(Self {
            number: replay.next_stream(),
            purpose,
            binding,
            audience: ArcSwapOption::new(audience.map(Arc::new)),
            style,
            home: Arc::downgrade(home),
            replay: Arc::clone(replay),
            log: Mutex::default(),
            room: Notify::new(),
        });
        let reader = stream.read(&mut locked(&stream.log), 0);
        (stream, reader)
    }

    /// A reader behind this place: 0 is the beginning. An earlier reader is ended. What is not kept any more is left out. `None` for a place
    /// that the stream never had.
    pub(super) fn read_after(self: &Arc<Self>, place: u64, audience: Option<Audience>) -> Option<Reader> {
        let mut log = locked(&self.log);
        if place > log.last() {
            return None;
        }
        self.audience.store(audience.map(Arc::new));
        Some(self.read(&mut log, place))
    }

    /// A reader behind what was given, for a pipe whose reader was ended because it did not keep up. `None` when nothing more comes.
    pub(crate) fn read_on(self: &Arc<Self>) -> Option<Reader> {
        let mut log = locked(&self.log);
        if log.ended {
            return None;
        }
        let place = log.given;
        Some(self.read(&mut log, place))
    }

    fn read(self: &Arc<Self>, log: &mut Log, place: u64) -> Reader {
        self.leave(log);
        log.turn += 1;
        log.reader = Some(Place { after: place.max(log.dropped), waker: None });
        self.replay.reader_came();
        log.alone = None;
        let opening = (self.style == Style::Primed).then(|| sse::priming(self.replay.name(self.number, place)));
        Reader::new(Arc::clone(self), log.turn, opening)
    }

    fn leave(&self, log: &mut Log) {
        if log.leave() {
            self.replay.reader_left();
        }
    }

    /// Adds a message, whoever reads: the next reader finds it as far as the bounds allow. Whether a reader is there to take it.
    pub(crate) fn push(&self, message: Bytes) -> bool {
        self.add(message, false)
    }

    /// Adds a message if a reader is there that keeps up; one that does not is ended.
    pub(super) fn push_to_reader(&self, message: Bytes) -> bool {
        self.add(message, true)
    }

    fn add(&self, message: Bytes, readers_only: bool) -> bool {
        let mut log = locked(&self.log);
        // What is kept beyond the bound is what the reader has yet to be given.
        let lags = log.unread() >= STREAM_QUEUE || log.unread() > 1 && log.bytes > STREAM_BYTES;
        if self.purpose == Purpose::Session && log.reader.is_some() && lags {
            self.leave(&mut log);
        }
        if log.ended || (readers_only && log.reader.is_none()) {
            return false;
        }
        let event = match self.style {
            Style::Bare => message,
            Style::Primed | Style::Plain => sse::named_event(self.replay.name(self.number, log.last() + 1), message),
        };
        let home = self.home.upgrade();
        self.replay.take(event.len());
        if let Some(home) = &home {
            home.take(event.len());
        }
        log.bytes += event.len();
        log.events.push_back(event);
        self.trim(&mut log, home.as_deref());
        log.wake();
        log.reader.is_some()
    }

    /// Adds a message once a slow reader has made room for it.
    pub(crate) async fn send(&self, message: Bytes) {
        let queue = if message.len() > LONG { 1 } else { CALL_QUEUE };
        loop {
            let mut room = pin!(self.room.notified());
            // Listening from before the look, so that no room is made unheard in between.
            room.as_mut().enable();
            if locked(&self.log).unread() < queue {
                break;
            }
            room.await;
        }
        self.push(message);
    }

    /// Drops what is beyond the bounds, oldest first, and never what a reader has yet to be given.
    fn trim(&self, log: &mut Log, home: Option<&Streams>) {
        loop {
            let given = log.reader.as_ref().map_or(u64::MAX, |reader| reader.after);
            // What a reader was given is kept while there is plenty of room; what nobody was given, while there is any.
            let full = if log.reader.is_some() { self.replay.is_half_full() } else { self.replay.is_full() };
            let over = full
                || (self.style == Style::Bare && log.reader.is_some())
                || log.events.len() > STREAM_EVENTS
                || log.bytes > STREAM_BYTES
                || home.is_some_and(|home| home.bytes() > SESSION_BYTES);
            if !over || log.dropped + 1 > given {
                return;
            }
            let Some(event) = log.events.pop_front() else { return };
            log.dropped += 1;
            log.bytes -= event.len();
            self.replay.give_back(event.len());
            if let Some(home) = home {
                home.give_back(event.len());
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        let mut log = locked(&self.log);
        log.ended = true;
        log.wake();
        drop(log);
        self.room.notify_waiters();
    }

    /// Nothing more comes, and nothing is read on.
    pub(crate) fn close(&self) {
        let mut log = locked(&self.log);
        log.ended = true;
        self.leave(&mut log);
        drop(log);
        self.room.notify_waiters();
    }

    /// Who listens. `None` where everybody may see everything.
    pub(super) fn audience(&self) -> Option<Arc<Audience>> {
        self.audience.load_full()
    }

    /// What who listens may do; equal where that is the same. `None` where everybody may see everything.
    pub(super) fn rights(&self) -> Option<[u8; 16]> {
        self.audience.load().as_ref().and_then(|audience| audience.key().rights())
    }

    /// Whether it was opened under this backend's configuration or a later one. An earlier one is not for it, nor its calls' streams: nobody
    /// looked at what their callers may see of it.
    pub(super) fn is_as_new_as(&self, backend: &Backend) -> bool {
        self.binding.generation >= backend.generation()
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(crate) fn has_reader(&self) -> bool {
        locked(&self.log).reader.is_some()
    }

    pub(super) fn has_ended(&self) -> bool {
        locked(&self.log).ended
    }

    /// Whether nobody is going to come back for it any more.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        let log = locked(&self.log);
        let Some(since) = log.alone.filter(|_| self.style != Style::Bare) else { return false };
        // A call that still runs has somebody who writes, and the bounds of calls end it.
        let waits = self.purpose == Purpose::Call && !log.ended;
        let kept = if log.ended && log.given == log.last() { KEPT_READ } else { KEPT };
        !waits && now.saturating_duration_since(since) >= kept
    }

    /// What the reader of this turn is given next.
    pub(super) fn poll_event(&self, turn: u64, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut log = locked(&self.log);
        if log.turn != turn {
            return Poll::Ready(None);
        }
        let dropped = log.dropped;
        let (last, ended) = (log.last(), log.ended);
        let Some(reader) = log.reader.as_mut() else { return Poll::Ready(None) };
        if reader.after < last {
            let index = usize::try_from(reader.after - dropped).unwrap_or(usize::MAX);
            reader.after += 1;
            let event = log.events.get(index).cloned();
            self.trim(&mut log, self.home.upgrade().as_deref());
            drop(log);
            self.room.notify_waiters();
            return Poll::Ready(event);
        }
        if ended {
            return Poll::Ready(None);
        }
        if !reader.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            reader.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The reader of this turn has gone.
    pub(super) fn left(&self, turn: u64) {
        let mut log = locked(&self.log);
        if log.turn == turn && log.reader.is_some() {
            self.leave(&mut log);
            self.trim(&mut log, self.home.upgrade().as_deref());
        }
        drop(log);
        self.room.notify_waiters();
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let bytes = locked(&self.log).bytes;
        self.replay.give_back(bytes);
        if let Some(home) = self.home.upgrade() {
            home.give_back(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
