//! What a process wrote.

use crate::PATIENCE;
use anyhow::{Context, Result};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
    task::JoinSet,
};

/// What a process wrote so far, with a signal at every line.
#[derive(Clone)]
pub(crate) struct Written {
    text: Arc<Mutex<String>>,
    changed: watch::Sender<()>,
}

impl Written {
    pub(crate) fn new() -> Self {
        Self { text: Arc::default(), changed: watch::Sender::new(()) }
    }

    /// Takes down what comes over a pipe, to its end.
    ///
    /// # Errors
    /// When it breaks.
    pub(crate) async fn collect(self, pipe: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut lines = BufReader::new(pipe).split(b'\n');
        while let Some(line) = lines.next_segment().await? {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&String::from_utf8_lossy(&line));
            text.push('\n');
            drop(text);
            self.changed.send_replace(());
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A signal at every line from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

/// Waits until everything that an ended process wrote is taken down.
///
/// # Errors
/// When it is not: what was not read is not known to be free of anything.
pub(super) async fn read_out(pipes: &mut JoinSet<io::Result<()>>) -> Result<()> {
    let read = async {
        while let Some(read) = pipes.join_next().await {
            read??;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, read).await.context("the output of a process that has ended stays open")?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_a_process_wrote_last_is_taken_down_before_its_output_counts_as_read() -> Result<()> {
        let (mut process, pipe) = tokio::io::duplex(64);
        let (written, mut pipes) = (Written::new(), JoinSet::new());
        pipes.spawn(written.clone().collect(pipe));
        process.write_all(b"not \xff text\nlast").await?;
        drop(process);
        read_out(&mut pipes).await?;
        assert_eq!(written.text(), "not \u{fffd} text\nlast\n");
        Ok(())
    }
}
