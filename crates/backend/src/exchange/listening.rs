//! Sending where the backend can say things beside the answer: on the session's stream, or because everything goes through one pipe.

use super::{Ask, Exchange, Speech, State};
use crate::{
    ErrorKind, Phase,
    http::Reply,
    outgoing::{Audience, Mirrors, Outgoing},
};
use bytes::Bytes;
use http::{Method, response::Parts};
use std::{future::poll_fn, sync::Arc, task::Poll};

impl Exchange {
    /// Takes a seat at the session's switch, where something can come there for this request.
    pub(super) async fn listen(&mut self, ask: &Ask<'_>) -> Result<(), ErrorKind> {
        self.inbox = None;
        let session = match &self.speech {
            Speech::Opening(None) | Speech::Modern(_, None) => return Ok(()),
            Speech::Opening(Some(link)) | Speech::Modern(_, Some(link)) => {
                self.inbox = Some(link.switch.sit(self.id, false)?);
                return Ok(());
            }
            Speech::Legacy(session) => session,
        };
        let can_be_asked = self.phase == Phase::Call && session.holder().capabilities.can_be_asked();
        if session.pipe.is_none() {
            let needs_stream = can_be_asked || self.phase == Phase::Call && ask.log_level.is_some();
            if !needs_stream {
                return Ok(());
            }
            let kept = self.backend.keep_stream(self.caller.as_ref(), session);
            match self.deadline.hold(std::pin::pin!(kept)).await? {
                // The request itself will find out.
                Ok(()) | Err(ErrorKind::SessionLost) => {}
                Err(kind) => return Err(kind),
            }
        }
        self.inbox = Some(session.switch.sit(self.id, can_be_asked)?);
        Ok(())
    }

    /// Sends over the pipe that everything of this session goes through.
    pub(super) async fn send_piped(&mut self, pipe: &dyn crate::pipe::Pipe, body: Bytes) -> Result<(), ErrorKind> {
        let caller = self.caller.clone();
        let sent = pipe.send(body, Audience::from(caller.as_ref()));
        self.deadline.hold(std::pin::pin!(sent)).await??;
        self.deadline.heard();
        self.state = State::Piped;
        Ok(())
    }

    /// Sends, and hears meanwhile what comes beside the answer. `None` when the backend asked something before its answer began.
    pub(super) async fn send_listening(&mut self, body: Bytes) -> Result<Option<(Parts, Reply)>, ErrorKind> {
        let Speech::Legacy(session) = &self.speech else { return Err(ErrorKind::SessionLost) };
        let (backend, session, caller) = (Arc::clone(&self.backend), Arc::clone(session), self.caller.clone());
        let speech = Speech::Legacy(session);
        let mut sending: super::Sending = Box::pin(async move {
            let outgoing = Outgoing {
                method: Method::POST,
                audience: Audience::from(caller.as_ref()),
                protocol: speech.protocol(Mirrors { method: "", name: None, params: &[], arguments: None }),
                last_event_id: None,
                body,
                is_stream: false,
            };
            backend.transmit(&outgoing).await
        });
        let sent = poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(sent.map(Some));
            }
            loop {
                match self.poll_inbox(cx) {
                    Poll::Ready(Ok(())) if self.ready.is_empty() => {}
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(None)),
                    Poll::Ready(Err(kind)) => return Poll::Ready(Err(kind)),
                    Poll::Pending => break,
                }
            }
            self.deadline.poll(cx).map(Err)
        })
        .await?;
        if sent.is_none() {
            self.state = State::Sending(sending);
        }
        Ok(sent)
    }

    /// The next message from the inbox, taken in. Pending also where there is no inbox.
    pub(super) fn poll_inbox(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), ErrorKind>> {
        let Some(inbox) = &mut self.inbox else { return Poll::Pending };
        match inbox.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(data)) => {
                self.deadline.heard();
                Poll::Ready(self.hear_handed_on(&data))
            }
            Poll::Ready(Err(kind)) => {
                // Without a pipe the answer comes another way.
                if matches!(self.state, State::Piped) || matches!(kind, ErrorKind::TooFast) {
                    return Poll::Ready(Err(kind));
                }
                self.inbox = None;
                Poll::Pending
            }
        }
    }
}
