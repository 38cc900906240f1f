//! The event stream reader says what the HTML standard says (§9.2.6), however the stream is cut, and holds no more than its limit.
//!
//! The first byte of an input is the limit, in units of four bytes, the second a seed for the cuts; the stream follows.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sse::{SseEvent, SseReader};
use std::time::Duration;
use vmcp_fuzz::ways_to_cut;

#[allow(dead_code)]
#[path = "../../crates/backend/src/sse/mod.rs"]
mod sse;

fuzz_target!(|input: &[u8]| {
    let [limit, seed, stream @ ..] = input else { return };
    let limit = usize::from(*limit) * 4;
    let expected = model(stream, limit);
    for pieces in ways_to_cut(stream, *seed) {
        assert_eq!(read(&pieces, limit), expected, "cut into {:?}", pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>());
    }
});

/// All that a stream says: its events, the last id, the time to wait, and whether an event was too long to go on.
#[derive(Debug, Default, PartialEq)]
struct Said {
    events: Vec<(Vec<u8>, bool)>,
    last_id: Option<Vec<u8>>,
    retry: Option<Duration>,
    too_large: bool,
}

fn read(pieces: &[&[u8]], limit: usize) -> Said {
    let mut reader = SseReader::new(limit);
    let mut said = Said::default();
    'pieces: for piece in pieces {
        reader.push(Bytes::copy_from_slice(piece));
        loop {
            match reader.next() {
                Ok(Some(SseEvent { data, is_message, .. })) => said.events.push((data.to_vec(), is_message)),
                Ok(None) => break,
                Err(_) => {
                    said.too_large = true;
                    break 'pieces;
                }
            }
        }
        assert!(reader.held() <= limit, "{} of {limit} bytes are held", reader.held());
    }
    let resumed = reader.resumed();
    assert_eq!((resumed.held(), resumed.last_id(), resumed.retry()), (0, reader.last_id(), reader.retry()));
    said.last_id = reader.last_id().map(|id| id.to_vec());
    // What a line said that came before the one that was too long does not matter any more, as the stream is given up.
    said.retry = reader.retry();
    said
}

/// The standard's algorithm over the whole stream, and the limit for what lies between two empty lines.
fn model(stream: &[u8], limit: usize) -> Said {
    let mut said = Said::default();
    let (mut data, mut id, mut event, mut size) = (Vec::new(), None, Vec::new(), 0);
    let (lines, rest) = lines(stream);
    for (at, line) in lines.into_iter().enumerate() {
        size += line.len();
        if size > limit {
            said.too_large = true;
            break;
        }
        let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| at == 0).unwrap_or(line);
        if line.is_empty() {
            if let Some(id) = id.take() {
                said.last_id = Some(id);
            }
            if data.pop().is_some() {
                said.events.push((std::mem::take(&mut data), event.is_empty() || event == b"message"));
            }
            (event, size) = (Vec::new(), 0);
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                data.extend(value);
                data.push(b'\n');
            }
            b"event" => event = value.to_vec(),
            b"id" if !value.contains(&0) => id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = String::from_utf8_lossy(value).parse();
                said.retry = Some(millis.map_or(Duration::MAX, Duration::from_millis));
            }
            _ => {}
        }
    }
    said.too_large |= size + rest.len() > limit;
    said.last_id = said.last_id.filter(|id| !id.is_empty());
    said
}

/// The lines that have an end, and what is left.
fn lines(mut stream: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    while let Some(end) = stream.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        lines.push(&stream[..end]);
        let after = if stream[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        stream = &stream[after..];
    }
    (lines, stream)
}
