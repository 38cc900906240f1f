//! What servers write to their standard error.

use super::child::how_it_ended;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::watch,
    time::Duration,
};
use vmcp_core::{Seldom, frame::LineReader};

/// The longest line that is shown, in bytes.
const LINE: usize = 4 * 1024;

/// How much is read at a time.
const READ: usize = 8 * 1024;

/// The shortest value that is looked for in what a server writes: shorter ones are words like `info` and `1`.
const SECRET: usize = 8;

/// How long is listened after the end: something that the process has left behind may hold the pipe open.
const AFTER_END: Duration = Duration::from_secs(1);

/// Whose lines they are, and what must not be in them.
pub(super) struct Listener {
    pub(super) backend: Arc<str>,
    /// Values of variables with the variables' names.
    pub(super) secrets: Vec<(String, Bytes)>,
    /// How often they are said at the default level; `debug` shows them all.
    pub(super) lines: Arc<Seldom>,
}

/// Hands on what a server writes, line by line, until it ends.
pub(super) async fn listen(mut errors: impl AsyncRead + Unpin, listener: Listener, ended: watch::Receiver<Option<Arc<str>>>) {
    let mut reader = LineReader::new(LINE);
    let mut buffer = BytesMut::with_capacity(READ);
    let reading = async {
        while errors.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            reader.push(buffer.split().freeze());
            while let Some(line) = reader.next().transpose() {
                listener.say(&line.map_or_else(|_| format!("(a line of more than {LINE} bytes)"), |line| listener.shown(&line)));
            }
            buffer.reserve(READ);
        }
    };
    let end = async {
        how_it_ended(ended).await;
        tokio::time::sleep(AFTER_END).await;
    };
    tokio::select! {
        () = reading => {}
        () = end => {}
    }
}

impl Listener {
    fn say(&self, line: &str) {
        let backend = &*self.backend;
        if self.lines.may() {
            tracing::info!(backend, line, "the server says");
        } else {
            tracing::debug!(backend, line, "the server says");
        }
    }

    /// The line without values of variables and without characters that a terminal acts on.
    fn shown(&self, line: &Bytes) -> String {
        let mut line = line.clone();
        for (name, value) in self.secrets.iter().filter(|(_, value)| value.len() >= SECRET) {
            line = without(&line, value, name);
        }
        String::from_utf8_lossy(&line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

fn without(line: &Bytes, value: &Bytes, name: &str) -> Bytes {
    let mut places = memmem::find_iter(line, value).peekable();
    if places.peek().is_none() {
        return line.clone();
    }
    let (mut kept, mut from) = (BytesMut::with_capacity(line.len()), 0);
    for place in places {
        kept.extend_from_slice(&line[from..place]);
        kept.extend_from_slice(format!("[{name}]").as_bytes());
        from = place + value.len();
    }
    kept.extend_from_slice(&line[from..]);
    kept.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_names_for_values_and_nothing_that_a_terminal_acts_on() {
        let listener = Listener {
            backend: "b".into(),
            secrets: vec![("TOKEN".to_owned(), Bytes::from_static(b"hunter2hunter2")), ("LEVEL".to_owned(), Bytes::from_static(b"info"))],
            lines: Arc::new(Seldom::new(1, Duration::from_secs(60))),
        };
        let shown = |line: &'static [u8]| listener.shown(&Bytes::from_static(line));
        assert_eq!(shown(b"info: hunter2hunter2 and hunter2hunter2."), "info: [TOKEN] and [TOKEN].");
        assert_eq!(shown(b"\x1b[31mred\x07 \xff"), " [31mred  \u{fffd}");
    }
}
