//! Server-sent events, read exactly as the HTML standard says (§9.2.6, "Interpreting an event stream"), within bounds.
//!
//! A data line that lies in one chunk is handed on without being copied.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use std::time::Duration;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The data lines, joined by line feeds.
    pub(crate) data: Bytes,
    /// Whether it is of the type `message`, named or by default; others are none of MCP's.
    pub(crate) is_message: bool,
    /// Whether it is of the type `endpoint`: the address to post to (2024-11-05, basic/transports).
    pub(crate) is_endpoint: bool,
}

/// The event is longer than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventTooLarge;

/// Reads events out of chunks.
pub(crate) struct SseReader {
    limit: usize,
    /// What is not looked at yet.
    chunk: Bytes,
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    at_start: bool,
    /// The last line ended with a carriage return at the end of its chunk: a line feed next belongs to it.
    after_return: bool,
    /// Bytes of the event so far.
    size: usize,
    data: Data,
    is_message: bool,
    is_endpoint: bool,
    /// The id field of the event so far, and that of the last event that ended.
    id: Option<Bytes>,
    last_id: Option<Bytes>,
    retry: Option<Duration>,
}

#[derive(Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl SseReader {
    /// A reader for events of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            at_start: true,
            after_return: false,
            size: 0,
            data: Data::None,
            is_message: true,
            is_endpoint: false,
            id: None,
            last_id: None,
            retry: None,
        }
    }

    /// Gives the reader the next chunk. The last one has to be used up: [`Self::next`] said `None`.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The id of the last event that ended with one; empty ids count as none.
    pub(crate) fn last_id(&self) -> Option<&Bytes> {
        self.last_id.as_ref().filter(|id| !id.is_empty())
    }

    /// How long the server wants to be left alone before a reconnect.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// How many bytes are kept for an event that has not ended.
    pub(crate) fn held(&self) -> usize {
        self.size + self.partial.len()
    }

    /// A reader for the stream that goes on where this one broke off.
    pub(crate) fn resumed(&self) -> Self {
        Self { last_id: self.last_id.clone(), retry: self.retry, ..Self::new(self.limit) }
    }

    /// The next event that is there in whole.
    pub(crate) fn next(&mut self) -> Result<Option<SseEvent>, EventTooLarge> {
        while let Some(line) = self.line()? {
            self.size += line.len();
            if self.size > self.limit {
                return Err(EventTooLarge);
            }
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.field(line);
            }
        }
        Ok(None)
    }

    /// The next line that is there in whole.
    fn line(&mut self) -> Result<Option<Bytes>, EventTooLarge> {
        if self.after_return && !self.chunk.is_empty() {
            self.after_return = false;
            if self.chunk[0] == b'\n' {
                let _ = self.chunk.split_to(1);
            }
        }
        let Some(end) = memchr2(b'\r', b'\n', &self.chunk) else {
            if self.held() + self.chunk.len() > self.limit {
                return Err(EventTooLarge);
            }
            self.partial.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
            return Ok(None);
        };
        let mut line = self.chunk.split_to(end);
        match (self.chunk[0], self.chunk.get(1)) {
            (b'\r', None) => {
                self.after_return = true;
                self.chunk = Bytes::new();
            }
            (b'\r', Some(b'\n')) => {
                let _ = self.chunk.split_to(2);
            }
            _ => {
                let _ = self.chunk.split_to(1);
            }
        }
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(&line);
            line = self.partial.split().freeze();
        }
        if std::mem::take(&mut self.at_start) && line.starts_with(MARK) {
            let _ = line.split_to(MARK.len());
            // It counts, as it did while the line was not whole.
            self.size += MARK.len();
        }
        Ok(Some(line))
    }

    fn field(&mut self, mut line: Bytes) {
        let colon = memchr::memchr(b':', &line).unwrap_or(line.len());
        let name = line.split_to(colon);
        if !line.is_empty() {
            let _ = line.split_to(if line.get(1) == Some(&b' ') { 2 } else { 1 });
        }
        let value = line;
        match &name[..] {
            b"data" => self.data.add(value),
            b"event" => {
                self.is_message = value.is_empty() || &value[..] == b"message";
                self.is_endpoint = &value[..] == b"endpoint";
            }
            b"id" if !value.contains(&0) => self.id = Some(value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(&value).ok().and_then(|digits| digits.parse().ok());
                self.retry = Some(millis.map_or(Duration::MAX, Duration::from_millis));
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        self.size = 0;
        if let Some(id) = self.id.take() {
            self.last_id = Some(id);
        }
        let is_message = std::mem::replace(&mut self.is_message, true);
        let is_endpoint = std::mem::take(&mut self.is_endpoint);
        let data = match std::mem::take(&mut self.data) {
            Data::None => return None,
            Data::One(data) => data,
            Data::Many(lines) => lines.freeze(),
        };
        Some(SseEvent { data, is_message, is_endpoint })
    }
}

impl Data {
    fn add(&mut self, line: Bytes) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(line),
            Self::One(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + 1 + line.len());
                lines.extend_from_slice(&first);
                Self::Many(lines).and(&line)
            }
            many @ Self::Many(_) => many.and(&line),
        };
    }

    fn and(mut self, line: &[u8]) -> Self {
        if let Self::Many(lines) = &mut self {
            lines.extend_from_slice(b"\n");
            lines.extend_from_slice(line);
        }
        self
    }
}

#[cfg(test)]
mod tests;
