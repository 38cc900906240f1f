//! The line reader gives the same lines however the stream is cut, refuses those beyond its limit, each once, and holds no more than that.
//!
//! The first byte of an input is the limit in bytes, the second a seed for the cuts; the stream follows.

#![no_main]

use bytes::Bytes;
use ends::Ends;
use libfuzzer_sys::fuzz_target;
use lines::{LineReader, TooLong};
use vmcp_fuzz::ways_to_cut;

#[allow(dead_code)]
#[path = "../../crates/core/src/frame/ends.rs"]
mod ends;

#[allow(dead_code)]
#[path = "../../crates/core/src/frame/lines.rs"]
mod lines;

type Lines = Vec<Result<Vec<u8>, TooLong>>;

fuzz_target!(|input: &[u8]| {
    let [limit, seed, stream @ ..] = input else { return };
    let limit = usize::from(*limit);
    let expected = model(stream, limit);
    for pieces in ways_to_cut(stream, *seed) {
        assert_eq!(read(&pieces, limit), expected, "cut into {:?}", pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>());
    }
});

fn read(pieces: &[&[u8]], limit: usize) -> Lines {
    let mut reader = LineReader::new(limit);
    let mut said = Vec::new();
    for piece in pieces {
        reader.push(Bytes::copy_from_slice(piece));
        while let Some(line) = reader.next().transpose() {
            said.push(line.map(|line| line.to_vec()));
        }
        assert!(reader.held() <= limit, "{} of {limit} bytes are held", reader.held());
        assert_eq!(reader.next(), Ok(None), "a reader that has said everything says no more");
    }
    said
}

fn model(stream: &[u8], limit: usize) -> Lines {
    let mut pieces: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    // What has no end is no line, but too long all the same.
    if pieces.last().is_some_and(|rest| rest.len() <= limit) {
        pieces.pop();
    }
    let lines = pieces.into_iter().map(|piece| match piece.len() > limit {
        true => Err(TooLong { limit }),
        false => Ok(piece.strip_suffix(b"\r").unwrap_or(piece).to_vec()),
    });
    lines.filter(|line| line.as_ref() != Ok(&Vec::new())).collect()
}
