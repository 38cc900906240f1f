//! Lines out of a stream of bytes, within bounds.
//!
//! A line ends with a line feed; a carriage return before it belongs to the end. Lines with nothing in them are passed over. A line that lies
//! in one chunk is handed on without being copied.

use super::Ends;
use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// A line is longer than the bound. What is left of it is passed over, so that reading can go on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {limit} bytes")]
pub struct TooLong {
    /// The bound, in bytes.
    pub limit: usize,
}

/// Reads lines out of chunks.
pub struct LineReader {
    limit: usize,
    /// What is not looked at yet.
    chunk: Bytes,
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    /// The line that is being read was refused: nothing but its ends is kept up to its end.
    refused: Option<Ends>,
    /// The ends of the last line that was refused and is over.
    over: Option<Ends>,
}

impl LineReader {
    /// A reader for lines of at most `limit` bytes, a carriage return at the end counted and the line feed not.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, chunk: Bytes::new(), partial: BytesMut::new(), refused: None, over: None }
    }

    /// Gives the reader the next chunk. The last one has to be used up: [`Self::next`] said `None`.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk is not used up");
        self.chunk = chunk;
    }

    /// Drops what is kept for a line that has not ended, and what is still to come of it.
    pub fn refuse(&mut self) {
        if !self.partial.is_empty() {
            self.refused = Some(Ends::of(&self.partial));
        }
        self.partial = BytesMut::new();
    }

    /// The ends of a line that was refused, once it is over.
    pub fn passed_over(&mut self) -> Option<Ends> {
        self.over.take()
    }

    /// How many bytes are kept for a line that has not ended; never more than the limit.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// The next line that is there in whole, without its end; never an empty one.
    ///
    /// # Errors
    /// [`TooLong`], once for each such line and as soon as the bound is passed. The reader can be asked again.
    #[expect(clippy::should_implement_trait, reason = "an iterator that said `None` would be at its end")]
    pub fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        while let Some(end) = memchr(b'\n', &self.chunk) {
            let mut line = self.chunk.split_to(end);
            let _ = self.chunk.split_to(1);
            if let Some(mut ends) = self.refused.take() {
                ends.push(&line);
                self.over = Some(ends);
                continue;
            }
            if self.partial.len() + line.len() > self.limit {
                let mut ends = Ends::of(&self.partial);
                ends.push(&line);
                self.over = Some(ends);
                self.partial = BytesMut::new();
                return Err(TooLong { limit: self.limit });
            }
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(&line);
                line = self.partial.split().freeze();
            }
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        self.keep()
    }

    /// Keeps what is left of the chunk for the line that it begins or goes on with.
    fn keep(&mut self) -> Result<Option<Bytes>, TooLong> {
        let rest = std::mem::take(&mut self.chunk);
        if let Some(ends) = &mut self.refused {
            ends.push(&rest);
            return Ok(None);
        }
        if self.partial.len() + rest.len() > self.limit {
            let mut ends = Ends::of(&self.partial);
            ends.push(&rest);
            self.partial = BytesMut::new();
            self.refused = Some(ends);
            return Err(TooLong { limit: self.limit });
        }
        self.partial.extend_from_slice(&rest);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 16;

    /// What a reader says to the chunks; it never holds more than its limit.
    fn read(chunks: &[&[u8]]) -> Vec<Result<Vec<u8>, TooLong>> {
        let mut reader = LineReader::new(LIMIT);
        let mut said = Vec::new();
        for chunk in chunks {
            reader.push(Bytes::copy_from_slice(chunk));
            while let Some(line) = reader.next().transpose() {
                said.push(line.map(|line| line.to_vec()));
            }
            assert!(reader.held() <= LIMIT);
        }
        said
    }

    fn lines(text: &str) -> Vec<String> {
        read(&[text.as_bytes()]).into_iter().map(|line| String::from_utf8(line.unwrap()).unwrap()).collect()
    }

    #[test]
    fn a_line_ends_with_a_line_feed_and_a_carriage_return_before_it_is_dropped() {
        assert_eq!(lines("{}\n[]\r\na\rb\nc\r\r\n"), ["{}", "[]", "a\rb", "c\r"]);
    }

    #[test]
    fn lines_with_nothing_in_them_are_passed_over() {
        assert_eq!(lines("\n\r\n\n{}\n\r\n"), ["{}"]);
        assert_eq!(lines("cut off"), [""; 0]);
    }

    #[test]
    fn a_line_in_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"{}\n{\"a\":1}\n");
        let mut reader = LineReader::new(LIMIT);
        reader.push(chunk.clone());
        assert_eq!(reader.next().unwrap().unwrap().as_ptr(), chunk.as_ptr());
        assert_eq!(reader.next().unwrap().unwrap().as_ptr(), chunk[3..].as_ptr());
        assert_eq!((reader.next(), reader.held()), (Ok(None), 0));
    }

    #[test]
    fn a_line_has_a_limit_however_it_is_cut_and_those_behind_it_are_read() {
        let text = format!("{}\n{}\n{{}}\n", "x".repeat(LIMIT), "y".repeat(5 * LIMIT));
        for size in 1..=text.len() {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(read(&chunks), [Ok(vec![b'x'; LIMIT]), Err(TooLong { limit: LIMIT }), Ok(b"{}".to_vec())], "cut at {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_when_it_passes_the_limit_and_kept_no_longer() {
        let mut reader = LineReader::new(LIMIT);
        reader.push(Bytes::from(vec![b'x'; LIMIT]));
        assert_eq!((reader.next(), reader.held()), (Ok(None), LIMIT));
        reader.push(Bytes::from_static(b"x"));
        let refused = reader.next().unwrap_err();
        assert_eq!((refused.to_string().as_str(), reader.held()), ("a line is longer than 16 bytes", 0));
        reader.push(Bytes::from(vec![b'x'; 10 * LIMIT]));
        assert_eq!((reader.next(), reader.held()), (Ok(None), 0));
    }

    #[test]
    fn a_line_can_be_given_up_before_it_ends() {
        let mut reader = LineReader::new(LIMIT);
        reader.refuse();
        reader.push(Bytes::from_static(b"{}\nabc"));
        assert_eq!(reader.next().unwrap().unwrap(), "{}");
        assert_eq!((reader.next(), reader.held()), (Ok(None), 3));
        reader.refuse();
        assert_eq!(reader.held(), 0);
        reader.push(Bytes::from_static(b"def\n[]\n"));
        assert_eq!(reader.next().unwrap().unwrap(), "[]");
    }

    proptest! {
        #[test]
        fn however_it_is_cut_a_text_has_the_same_lines(text in "[ax\r\n]{0,120}", cuts in prop::collection::vec(0usize..120, 0..20)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let mut pieces: Vec<&str> = text.split('\n').collect();
            pieces.last_mut().into_iter().for_each(|last| if last.len() <= LIMIT { *last = "" });
            let expected: Vec<_> = pieces
                .into_iter()
                .filter(|piece| !matches!(*piece, "" | "\r"))
                .map(|piece| match piece.len() > LIMIT {
                    true => Err(TooLong { limit: LIMIT }),
                    false => Ok(piece.strip_suffix('\r').unwrap_or(piece).as_bytes().to_vec()),
                })
                .collect();
            prop_assert_eq!(read(&chunks), expected);
        }
    }
}
