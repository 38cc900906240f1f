//! A legacy caller: what it is told and asked goes on its call's stream, which it can come back for.

use super::{binding, rights_of, stream::audience};
use crate::{
    edge::{Reply, post::Incoming, sse::KEEP_ALIVE},
    lane::{Given, Requester, Unanswered},
    session::{EventStream, OnProgress, Use},
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;
use vmcp_backend::Alarm;

#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) incoming: &'a Incoming,
    pub(super) session: &'a Use,
    pub(super) reply: &'a Reply,
}

impl Asker<'_> {
    /// The call's stream, opened now where it was not before. `None` where the client reads no streams.
    pub(super) fn open_stream(&self) -> Option<Arc<EventStream>> {
        self.reply.open_kept(|| self.session.open_call_stream(binding(self.incoming), audience(self.incoming, self.session)))
    }

    /// Never ends: opens the stream once the answer takes so long that something between might take the connection for dead.
    pub(super) async fn stream_when_slow(&self) {
        if self.reply.can_stream() {
            Alarm::at(Instant::now() + KEEP_ALIVE).await;
            self.open_stream();
        }
        std::future::pending::<()>().await;
    }
}

impl Requester for Asker<'_> {
    async fn notified(&self, message: Bytes) {
        if let Some(stream) = self.open_stream() {
            stream.send(message).await;
        }
    }

    async fn ask(&self, method: &str, params: &[u8], on_progress: Option<OnProgress>) -> Result<Given, Unanswered> {
        let stream = self.open_stream().or_else(|| self.session.session_stream(rights_of(self.incoming)));
        ask(self.session, stream, method, params, on_progress).await
    }
}

/// Asks on this stream.
pub(crate) async fn ask(
    session: &Use,
    stream: Option<Arc<EventStream>>,
    method: &str,
    params: &[u8],
    on_progress: Option<OnProgress>,
) -> Result<Given, Unanswered> {
    let stream = stream.ok_or(Unanswered::CannotBeAsked)?;
    let mut question = session.ask(method, params, on_progress).ok_or(Unanswered::CannotBeAsked)?;
    question.send_on(&stream).await;
    question.answer().await
}
