//! The streams of one session: those that are read, and those that wait for their client to come back.

use super::{
    client::ClientSession,
    locked,
    reader::{Reader, Writer},
    replay::{Binding, Replay},
    stream::{EventStream, Purpose, Style},
};
use crate::views::{Audience, ViewerKey};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use vmcp_backend::Backend;
use vmcp_core::Revision;

/// How many GET streams one session may have, those that wait for their client among them; a further one ends the oldest.
const MAX_STREAMS: usize = 4;
/// How many streams of calls that are over wait for their client; a further one lets the oldest go.
const MAX_ENDED: usize = 16;

/// The streams of one session, newest last. Made with the first one: most sessions have none.
pub(super) struct Streams {
    list: Mutex<Vec<Arc<EventStream>>>,
    bytes: AtomicUsize,
    replay: Arc<Replay>,
}

impl Streams {
    pub(super) fn new(replay: &Arc<Replay>) -> Arc<Self> {
        Arc::new(Self { list: Mutex::default(), bytes: AtomicUsize::new(0), replay: Arc::clone(replay) })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(super) fn take(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn open(self: &Arc<Self>, purpose: Purpose, style: Style, binding: Binding, audience: Option<Audience>) -> (Arc<EventStream>, Reader) {
        let (stream, reader) = EventStream::open(self, &self.replay, purpose, style, binding, audience);
        let mut list = locked(&self.list);
        // One of a kind that is full makes room: of GET streams the oldest, of calls the one that was over first.
        let is_rival = |other: &Arc<EventStream>| other.purpose == purpose && (purpose == Purpose::Session || other.has_ended());
        let limit = if purpose == Purpose::Session { MAX_STREAMS } else { MAX_ENDED };
        if list.iter().filter(|other| is_rival(other)).count() >= limit
            && let Some(oldest) = list.iter().position(is_rival)
        {
            list.remove(oldest).close();
        }
        list.push(Arc::clone(&stream));
        (stream, reader)
    }

    /// The newest stream of which this holds.
    fn newest(&self, suits: impl Fn(&EventStream) -> bool) -> Option<Arc<EventStream>> {
        locked(&self.list).iter().rev().find(|stream| suits(stream)).cloned()
    }

    /// Those for this purpose, newest first.
    fn all(&self, purpose: Purpose) -> SmallVec<[Arc<EventStream>; MAX_STREAMS]> {
        locked(&self.list).iter().rev().filter(|stream| stream.purpose == purpose).cloned().collect()
    }

    fn retain(&self, keep: impl Fn(&EventStream) -> bool) {
        let mut list = locked(&self.list);
        list.retain(|stream| keep(stream));
        if list.is_empty() {
            *list = Vec::new();
        }
    }
}

/// Whether something is for who listens on a stream.
pub(crate) type IsFor<'a> = &'a dyn Fn(&EventStream) -> bool;

/// Where a question can be asked that belongs to no call.
pub(super) enum ForQuestions {
    Stream(Arc<EventStream>),
    /// There are streams, and it is not known yet whether one of these may know of who asks.
    Unsettled(Vec<Arc<Audience>>),
    /// There are streams, and none may know of who asks.
    Denied,
    /// No stream is read.
    Nobody,
}

impl ClientSession {
    fn streams(&self) -> &Arc<Streams> {
        self.streams.get_or_init(|| Streams::new(&self.common.replay))
    }

    fn style(&self) -> Style {
        if self.revision >= Revision::V2025_11_25 { Style::Primed } else { Style::Plain }
    }

    /// Opens a GET stream for whoever `audience` is. The oldest ends when there are too many.
    pub(crate) fn open_stream(&self, binding: Binding, audience: Option<Audience>) -> (Arc<EventStream>, Reader) {
        self.open_listening(self.style(), binding, audience)
    }

    /// Opens the stream of a client at the other end of a pipe: all that belongs to no request, and questions.
    pub(crate) fn open_pipe(&self, binding: Binding, audience: Option<Audience>) -> (Arc<EventStream>, Reader) {
        self.open_listening(Style::Bare, binding, audience)
    }

    fn open_listening(&self, style: Style, binding: Binding, audience: Option<Audience>) -> (Arc<EventStream>, Reader) {
        let opened = self.streams().open(Purpose::Session, style, binding, audience);
        self.stream_opened();
        opened
    }

    /// Opens the stream of a call of whoever `audience` is.
    pub(crate) fn open_call_stream(&self, binding: Binding, audience: Option<Audience>) -> (Writer, Reader) {
        let (stream, reader) = self.streams().open(Purpose::Call, self.style(), binding, audience);
        self.stream_opened();
        (Writer(stream), reader)
    }

    /// The stream that an event id names, read on behind that event by whoever `audience` is. `None` where there is no such stream any more,
    /// or the request comes with other credentials than the one that opened it.
    pub(crate) fn resume(
        &self,
        last_event_id: &str,
        binding: Binding,
        audience: impl FnOnce() -> Option<Audience>,
    ) -> Option<(Arc<EventStream>, Reader)> {
        let (number, place) = self.common.replay.find(last_event_id)?;
        let stream = self.streams.get()?.newest(|stream| stream.number == number && stream.binding == binding)?;
        if stream.purpose == Purpose::Session && stream.has_ended() {
            return None;
        }
        let reader = stream.read_after(place, audience())?;
        self.stream_opened();
        Some((stream, reader))
    }

    /// Ends every GET stream, for good: nobody goes on reading them.
    pub(crate) fn close_streams(&self) {
        let Some(streams) = self.streams.get() else { return };
        streams.retain(|stream| {
            let stays = stream.purpose == Purpose::Call;
            if !stays {
                stream.close();
            }
            stays
        });
    }

    /// Whether the client reads a GET stream.
    pub(crate) fn has_stream(&self) -> bool {
        self.streams.get().and_then(|streams| streams.newest(|stream| stream.purpose == Purpose::Session && stream.has_reader())).is_some()
    }

    /// Sends a message on one GET stream that is read, the newest that takes it and whose audience it is for (2025-11-25, basic/transports:
    /// never on more than one). A reader that does not keep up is ended: the client comes back and is told what it missed.
    pub(crate) fn send(&self, message: &Bytes, is_for: IsFor<'_>) -> bool {
        let mut streams = self.streams_for(Purpose::Session, is_for);
        streams.any(|stream| stream.has_reader() && stream.push_to_reader(message.clone()))
    }

    /// As [`Self::send`], for whoever may see the same as this viewer.
    pub(crate) fn send_to(&self, viewer: &ViewerKey, message: &Bytes) -> bool {
        let rights = viewer.rights();
        self.send(message, &|stream| stream.rights() == rights)
    }

    /// As [`Self::send`], what a backend says, for audiences of which this holds; none is where everybody may see everything. Where nobody
    /// reads whom it is for, it is for the client to find when it goes on with its newest GET stream. Whether there is one.
    pub(crate) fn leave(&self, backend: &Backend, message: &Bytes, hears: impl Fn(&Audience) -> bool) -> bool {
        let is_for = |stream: &EventStream| stream.is_as_new_as(backend) && stream.audience().is_none_or(|audience| hears(&audience));
        if self.send(message, &is_for) {
            return true;
        }
        match self.streams_for(Purpose::Session, &is_for).find(|stream| !stream.has_ended()) {
            Some(stream) => {
                stream.push(message.clone());
                true
            }
            None => false,
        }
    }

    /// The streams for this purpose that something is for, newest first.
    fn streams_for(&self, purpose: Purpose, is_for: IsFor<'_>) -> impl Iterator<Item = Arc<EventStream>> {
        // Whom it is for is found out without the lock: catalogues may have to be made for it.
        let all: SmallVec<[_; MAX_STREAMS]> = self.streams.get().map(|streams| streams.all(purpose)).unwrap_or_default();
        all.into_iter().filter(move |stream| is_for(stream))
    }

    /// The stream for a question of this backend that belongs to no call: the newest GET stream that is read, else that of a call; in either
    /// case one whose audience may know of the backend.
    pub(super) fn stream_for_questions(&self, backend: &Backend) -> ForQuestions {
        let (mut unsettled, mut is_read) = (Vec::new(), false);
        for stream in [Purpose::Session, Purpose::Call].into_iter().flat_map(|purpose| self.streams_for(purpose, &|_| true)) {
            if !stream.has_reader() || stream.has_ended() || !stream.is_as_new_as(backend) {
                continue;
            }
            is_read = true;
            match stream.audience() {
                Some(audience) if !audience.hears(backend) => {
                    if !audience.is_settled(backend) {
                        unsettled.push(audience);
                    }
                }
                _ => return ForQuestions::Stream(stream),
            }
        }
        match (unsettled.is_empty(), is_read) {
            (false, _) => ForQuestions::Unsettled(unsettled),
            (true, true) => ForQuestions::Denied,
            (true, false) => ForQuestions::Nobody,
        }
    }

    /// The newest GET stream that is read by somebody with these rights. `None` for where everybody may see everything.
    pub(crate) fn session_stream(&self, rights: Option<[u8; 16]>) -> Option<Arc<EventStream>> {
        self.streams_for(Purpose::Session, &|stream| stream.rights() == rights).find(|stream| stream.has_reader())
    }

    /// Lets go of streams that nobody came back for.
    pub(super) fn forget_streams(&self) {
        if let Some(streams) = self.streams.get() {
            let now = Instant::now();
            streams.retain(|stream| !stream.is_forgotten(now));
        }
    }
}
