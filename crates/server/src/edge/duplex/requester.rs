//! A caller at the other end of a pipe.

use super::Peer;
use crate::{
    edge::legacy,
    lane::{Given, Requester, Unanswered},
    session::{OnProgress, Use},
};
use bytes::Bytes;

pub(super) struct AtPipe<'a> {
    pub(super) peer: &'a Peer,
    /// Of a legacy caller.
    pub(super) session: Option<&'a Use>,
}

impl Requester for AtPipe<'_> {
    async fn notified(&self, message: Bytes) {
        self.peer.say(message).await;
    }

    async fn ask(&self, method: &str, params: &[u8], on_progress: Option<OnProgress>) -> Result<Given, Unanswered> {
        let (Some(session), Some(stream)) = (self.session, self.peer.stream()) else { return Err(Unanswered::CannotBeAsked) };
        tokio::select! {
            biased;
            // No answer can come any more.
            () = self.peer.silent() => Err(Unanswered::Gone),
            given = legacy::ask(session, Some(stream), method, params, on_progress) => given,
        }
    }
}
