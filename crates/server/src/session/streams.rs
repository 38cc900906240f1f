//! The streams of one session: those that are read, and those that wait for their client to come back.

use super::{
    client::ClientSession,
    locked,
    reader::{Reader, Writer},
    replay::{Binding, Replay},
    stream::{EventStream, Purpose, Style},
};
use bytes::Bytes;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
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

    fn open(self: &Arc<Self>, purpose: Purpose, style: Style, binding: Binding) -> (Arc<EventStream>, Reader) {
        let (stream, reader) = EventStream::open(self, &self.replay, purpose, style, binding);
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

    fn retain(&self, keep: impl Fn(&EventStream) -> bool) {
        let mut list = locked(&self.list);
        list.retain(|stream| keep(stream));
        if list.is_empty() {
            *list = Vec::new();
        }
    }
}

impl ClientSession {
    fn streams(&self) -> &Arc<Streams> {
        self.streams.get_or_init(|| Streams::new(&self.common.replay))
    }

    fn style(&self) -> Style {
        if self.revision >= Revision::V2025_11_25 { Style::Primed } else { Style::Plain }
    }

    /// Opens a GET stream. The oldest ends when there are too many.
    pub(crate) fn open_stream(&self, binding: Binding) -> (Arc<EventStream>, Reader) {
        let opened = self.streams().open(Purpose::Session, self.style(), binding);
        self.stream_opened();
        opened
    }

    /// Opens the stream of a client at the other end of a pipe: all that belongs to no request, and questions.
    pub(crate) fn open_pipe(&self, binding: Binding) -> (Arc<EventStream>, Reader) {
        let opened = self.streams().open(Purpose::Session, Style::Bare, binding);
        self.stream_opened();
        opened
    }

    /// Opens the stream of a call.
    pub(crate) fn open_call_stream(&self, binding: Binding) -> (Writer, Reader) {
        let (stream, reader) = self.streams().open(Purpose::Call, self.style(), binding);
        self.stream_opened();
        (Writer(stream), reader)
    }

    /// The stream that an event id names, read on behind that event. `None` where there is no such stream any more, or the request comes
    /// with other credentials than the one that opened it.
    pub(crate) fn resume(&self, last_event_id: &str, binding: Binding) -> Option<(Arc<EventStream>, Reader)> {
        let (number, place) = self.common.replay.find(last_event_id)?;
        let stream = self.streams.get()?.newest(|stream| stream.number == number && stream.binding == binding)?;
        if stream.purpose == Purpose::Session && stream.has_ended() {
            return None;
        }
        let reader = stream.read_after(place)?;
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
        self.newest(|stream| stream.purpose == Purpose::Session && stream.has_reader()).is_some()
    }

    fn newest(&self, suits: impl Fn(&EventStream) -> bool) -> Option<Arc<EventStream>> {
        self.streams.get()?.newest(suits)
    }

    /// Sends a message on one GET stream that is read, the newest that takes it (2025-11-25, basic/transports: never on more than one).
    /// A reader that does not keep up is ended: the client comes back and is told what it missed.
    pub(crate) fn send(&self, message: &Bytes) -> bool {
        while let Some(stream) = self.newest(|stream| stream.purpose == Purpose::Session && stream.has_reader()) {
            if stream.push_to_reader(message.clone()) {
                return true;
            }
        }
        false
    }

    /// As [`Self::send`], and where nobody reads, for the client to find when it goes on with its newest GET stream. Whether there is one.
    pub(crate) fn leave(&self, message: &Bytes) -> bool {
        if self.send(message) {
            return true;
        }
        match self.newest(|stream| stream.purpose == Purpose::Session && !stream.has_ended()) {
            Some(stream) => {
                stream.push(message.clone());
                true
            }
            None => false,
        }
    }

    /// The stream for a question that belongs to no call: the newest GET stream that is read, else that of a call.
    pub(super) fn stream_for_questions(&self) -> Option<Arc<EventStream>> {
        let read = |purpose| self.newest(|stream| stream.purpose == purpose && stream.has_reader() && !stream.has_ended());
        read(Purpose::Session).or_else(|| read(Purpose::Call))
    }

    /// The newest GET stream that is read.
    pub(crate) fn session_stream(&self) -> Option<Arc<EventStream>> {
        self.newest(|stream| stream.purpose == Purpose::Session && stream.has_reader())
    }

    /// Lets go of streams that nobody came back for.
    pub(super) fn forget_streams(&self) {
        if let Some(streams) = self.streams.get() {
            let now = Instant::now();
            streams.retain(|stream| !stream.is_forgotten(now));
        }
    }
}
