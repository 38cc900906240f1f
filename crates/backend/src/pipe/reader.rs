//! Messages from a server, until it ends.

use super::{Inbound, PipeOptions, queue::WeakQueue};
use crate::{ErrorKind, process::how_it_ended, session::Crowd};
use bytes::{Bytes, BytesMut};
use std::{ops::ControlFlow, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::watch,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use vmcp_core::frame::{Ends, LineReader};

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// How long is waited for the one of the two ends, of the process and of its output, that comes second. Something that the process has
/// left behind may hold its output open.
const BETWEEN_ENDS: Duration = Duration::from_secs(1);

/// Reads the output of one process.
pub(super) struct Reader<R> {
    output: R,
    options: PipeOptions,
    ended: watch::Receiver<Option<Arc<str>>>,
    closing: CancellationToken,
    queue: WeakQueue,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(
        output: R,
        options: PipeOptions,
        ended: watch::Receiver<Option<Arc<str>>>,
        closing: CancellationToken,
        queue: WeakQueue,
    ) -> Self {
        Self { output, options, ended, closing, queue }
    }

    /// Hands on messages until there are no more, then says why.
    pub(super) async fn run(mut self, inbound: Arc<dyn Inbound>) {
        let ended = self.ended.clone();
        let gone = async {
            how_it_ended(ended).await;
            sleep(BETWEEN_ENDS).await;
        };
        tokio::select! {
            // What was written before the end is read before it is told.
            biased;
            () = self.read(&*inbound) => {}
            () = gone => {}
        }
        // It may have closed its output and go on; nothing can come of that.
        let how = timeout(BETWEEN_ENDS, how_it_ended(self.ended.clone())).await;
        self.closing.cancel();
        inbound.ended(ErrorKind::Lost(how.map_or_else(|_| "its process closed its output".to_owned(), |how| how.to_string())));
    }

    async fn read(&mut self, inbound: &dyn Inbound) {
        let mut lines = LineReader::new(self.options.max_message);
        let mut kept = self.options.budget.reserve();
        // Why the line is not kept that is passed over. Whose answer it is may be known when it is over.
        let mut refused = ErrorKind::TooLarge(self.options.max_message);
        let mut buffer = BytesMut::with_capacity(READ);
        while self.output.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            lines.push(buffer.split().freeze());
            while let ControlFlow::Continue(line) = next(&mut lines) {
                if let Err(why) = &line {
                    refused = why.clone();
                }
                if let Some(ends) = lines.passed_over() {
                    inbound.dropped(refused.clone(), ends.id());
                }
                let Ok(line) = line else { continue };
                match kept.cover(line.len()) {
                    Ok(()) => {
                        if let Some(crowd) = self.hand_on(kept.hold(line), inbound) {
                            crowd.wait().await;
                        }
                    }
                    Err(why) => inbound.dropped(why, Ends::of(&line).id()),
                }
            }
            if let Some(ends) = lines.passed_over() {
                inbound.dropped(refused.clone(), ends.id());
            }
            if let Err(why) = kept.cover(lines.held()) {
                lines.refuse();
                refused = why;
            }
            buffer.reserve(READ);
        }
    }

    /// Answers what needs nobody. A server that asks and does not read is not waited for.
    fn say(&self, message: Bytes) {
        self.queue.try_put(message);
    }

    fn hand_on(&self, line: Bytes, inbound: &dyn Inbound) -> Option<Crowd> {
        match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => return inbound.message(line, &|message| self.say(message)),
            _ if self.options.garbage.may() => {
                let (backend, bytes) = (&*self.options.backend, line.len());
                tracing::warn!(
                    backend,
                    bytes,
                    "the server wrote a line to its standard output that is no message; only messages belong there"
                );
            }
            _ => {}
        }
        None
    }
}

/// The next line or refusal, while there is one.
fn next(lines: &mut LineReader) -> ControlFlow<(), Result<Bytes, ErrorKind>> {
    match lines.next() {
        Ok(Some(line)) => ControlFlow::Continue(Ok(line)),
        Ok(None) => ControlFlow::Break(()),
        Err(refused) => ControlFlow::Continue(Err(ErrorKind::TooLarge(refused.limit))),
    }
}
