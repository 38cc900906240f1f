//! What streams keep for clients that come back for it: bounds, and the names that events have.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// How many events of one stream are kept.
pub(super) const STREAM_EVENTS: usize = 256;
/// How many bytes of one stream are kept: room for the longest answer of a backend, as far as that is not configured to be longer.
pub(super) const STREAM_BYTES: usize = 16 << 20;
/// How many bytes all streams of one session keep.
pub(super) const SESSION_BYTES: usize = 32 << 20;
/// How many bytes all streams keep, those of all sessions together.
const ALL_BYTES: usize = 64 << 20;

/// What the streams of all sessions share.
#[derive(Debug)]
pub(crate) struct Replay {
    /// This process, in the names of events: those of another process, or of an earlier one, name nothing here.
    issuer: u32,
    /// How many streams were ever opened: the next one's number, in whatever session.
    opened: AtomicU64,
    /// How many streams are read.
    readers: AtomicUsize,
    bytes: AtomicUsize,
    limit: usize,
}

impl Replay {
    pub(super) fn new(issuer: [u8; 4]) -> Self {
        let issuer = u32::from_be_bytes(issuer);
        Self { issuer, opened: AtomicU64::new(1), readers: AtomicUsize::new(0), bytes: AtomicUsize::new(0), limit: ALL_BYTES }
    }

    #[cfg(test)]
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { limit, ..Self::new([1; 4]) }
    }

    pub(super) fn next_stream(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn reader_came(&self) {
        self.readers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn reader_left(&self) {
        self.readers.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many streams are read at this moment.
    pub(super) fn readers(&self) -> usize {
        self.readers.load(Ordering::Acquire)
    }

    pub(super) fn take(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Whether there is no room left for what nobody has read.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) > self.limit
    }

    /// Whether there is no room left for what was read once: half of all, so that the other half is for what was not.
    pub(super) fn is_half_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) > self.limit / 2
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(super) fn name(&self, stream: u64, place: u64) -> EventName {
        EventName { issuer: self.issuer, stream, place }
    }

    /// The stream and the place in it that an id names; `None` for ids that this process did not make.
    pub(super) fn find(&self, id: &str) -> Option<(u64, u64)> {
        let mut parts = id.split('-');
        let mut next = || parts.next().and_then(|part| u64::from_str_radix(part, 16).ok());
        let (issuer, stream, place) = (next()?, next()?, next()?);
        (issuer == u64::from(self.issuer) && parts.next().is_none()).then_some((stream, place))
    }
}

/// The id of an event: which stream it belongs to, and its place there. Place 0 is the stream's beginning. No secret: an id is worth
/// something in its own session only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventName {
    issuer: u32,
    stream: u64,
    place: u64,
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.issuer, self.stream, self.place)
    }
}

/// To which configuration and credentials a stream belongs: a hash over the session keys that its request had at all backends, and over what it
/// was allowed where that is not the same for everybody. Only a request with the same ones is shown what the stream kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Counts configurations.
    pub(super) generation: u64,
    credentials: [u8; 16],
}

impl Binding {
    pub(crate) fn of(generation: u64, keys: impl Iterator<Item = impl Hash>) -> Self {
        let mut hasher = Blake(blake3::Hasher::new());
        for key in keys {
            key.hash(&mut hasher);
        }
        let mut credentials = [0; 16];
        hasher.0.finalize_xof().fill(&mut credentials);
        Self { generation, credentials }
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding")
    }
}

struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for: the whole hash is taken instead.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_stream_and_a_place_of_this_process_alone() {
        let replay = Replay::new([0xab, 0, 0, 1]);
        let id = replay.name(0x1f, 7).to_string();
        assert_eq!((id.as_str(), replay.find(&id)), ("ab000001-1f-7", Some((0x1f, 7))));
        assert_eq!(Replay::new([0xab, 0, 0, 2]).find(&id), None);
        for wrong in
            ["", "1", "ab000001", "ab000001-1f", "ab000001-1f-7-1", "ab000001-1f-x", "ab000001--7", "ab000001-1f-11111111111111111"]
        {
            assert_eq!(replay.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn other_keys_and_other_configurations_are_another_binding() {
        let of = |keys: &[[u8; 2]]| Binding::of(1, keys.iter());
        assert_eq!(of(&[[1, 2], [3, 4]]), of(&[[1, 2], [3, 4]]));
        assert_ne!(of(&[[1, 2], [3, 4]]), of(&[[1, 2], [3, 5]]));
        assert_ne!(of(&[[1, 2]]), of(&[]));
        assert_ne!(of(&[[1, 2]]), Binding::of(2, [[1, 2]].iter()), "another configuration");
    }
}
