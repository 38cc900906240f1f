//! A body that is a stream of events.

use super::{conn::Conn, reply::Event};
use crate::PATIENCE;
use anyhow::{Context, Result, ensure};
use std::time::Instant;

impl Conn {
    /// The next event of an SSE body, comments left out; `None` at the end of the body.
    ///
    /// # Errors
    /// When the connection ends in the middle of the body.
    pub async fn event(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Event>> {
        let begun = Instant::now();
        loop {
            // Comments keep a connection alive, but they are not what anybody waits for.
            ensure!(begun.elapsed() < PATIENCE, "timed out: no event came");
            if let Some(end) = buffer.windows(2).position(|window| window == b"\n\n") {
                let text: Vec<u8> = buffer.drain(..end + 2).collect();
                match Event::parse(&String::from_utf8_lossy(&text)) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            match self.piece().await? {
                Some(piece) => buffer.extend(piece.into_iter().filter(|&byte| byte != b'\r')),
                None => return Ok(None),
            }
        }
    }

    /// The text of a stream up to the end of its first event, comments and fields without data included.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn opening(&mut self) -> Result<String> {
        let mut text = String::new();
        while !text.contains("\n\n") {
            text += &String::from_utf8(self.piece().await?.context("the stream ended")?)?;
        }
        Ok(text)
    }
}
