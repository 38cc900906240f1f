//! The questions that a client has been asked and has not answered: sampling, elicitation, roots (2025-11-25, client/*).

use super::{client::ClientSession, locked, stream::EventStream, streams::ForQuestions};
use crate::lane::{Given, Unanswered};
use bytes::Bytes;
use futures_util::future::select_all;
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::{Notify, oneshot};
use vmcp_auth::Identity;
use vmcp_backend::Backend;
use vmcp_core::frame::{Edit, RawObject, notification, request_text};

/// How many questions one client may have before it.
const MAX_QUESTIONS: usize = 64;

/// Takes the `params` of the client's progress on a question, under the token that the question came with, and who sent it.
pub(crate) type OnProgress = Box<dyn Fn(Bytes, &Identity) + Send + Sync>;

/// The open questions of one session. Made with the first one: most sessions have none.
#[derive(Default)]
pub(super) struct Asks {
    open: Vec<Open>,
    /// Told when a stream opens.
    opened: Option<Arc<Notify>>,
}

struct Open {
    id: u64,
    answer: oneshot::Sender<(Result<Bytes, Bytes>, Identity)>,
    /// The progress token that the question came with, as JSON text, and who wants to hear.
    progress: Option<(Box<str>, OnProgress)>,
}

/// A question to a client. Dropped before its answer it is taken back: the client is told on the stream that carried the question.
pub(crate) struct Question {
    session: Arc<ClientSession>,
    id: u64,
    message: Bytes,
    answer: oneshot::Receiver<(Result<Bytes, Bytes>, Identity)>,
    sent_on: Option<Arc<EventStream>>,
    is_settled: bool,
    /// Who sent the request that brought the answer.
    answered_by: Option<Identity>,
}

impl ClientSession {
    /// Makes a question. `params` is the JSON text of an object; a progress token in it is replaced by one of ours, and what the client
    /// says under that goes to `on_progress`. `None` when there are too many questions already, or `params` is no object.
    pub(crate) fn ask(self: &Arc<Self>, method: &str, params: &[u8], on_progress: Option<OnProgress>) -> Option<Question> {
        let params = RawObject::parse(std::str::from_utf8(params).ok()?).ok()?;
        let (sender, answer) = oneshot::channel();
        let (id, token) = {
            let mut asks = locked(&self.asks);
            let asks = asks.get_or_insert_default();
            if asks.open.len() >= MAX_QUESTIONS {
                return None;
            }
            let id = self.next_question.fetch_add(1, Ordering::Relaxed);
            let token = params.meta().and_then(|meta| meta.get("progressToken"));
            let progress = token.zip(on_progress).map(|(token, hears)| (token.into(), hears));
            asks.open.push(Open { id, answer: sender, progress });
            (id.to_string(), token)
        };
        let mut written = Vec::with_capacity(params.text().len() + 16);
        match params.meta() {
            Some(meta) if token.is_some() => {
                let mut own = Vec::with_capacity(meta.text().len() + 16);
                meta.write(&[Edit::Set("progressToken", &id)], &mut own);
                params.write(&[Edit::Set("_meta", std::str::from_utf8(&own).ok()?)], &mut written);
            }
            _ => written.extend_from_slice(params.text().as_bytes()),
        }
        let message = request_text(&id, method, std::str::from_utf8(&written).ok()).into();
        Some(Question {
            session: Arc::clone(self),
            id: id.parse().ok()?,
            message,
            answer,
            sent_on: None,
            is_settled: false,
            answered_by: None,
        })
    }

    /// Takes the client's answer to a question: `id` is JSON text, an error the text of its object. Whether there was such a question.
    pub(crate) fn answered(&self, id: &str, answer: Result<&str, &str>, identity: &Identity) -> bool {
        let Some(open) = id.parse().ok().and_then(|id| self.take_question(id)) else { return false };
        let copied = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        // Whoever asked may have just stopped waiting.
        open.answer.send((answer.map(copied).map_err(copied), identity.clone())).is_ok()
    }

    /// Takes the client's progress on a question, whose token is the question's id.
    pub(crate) fn progressed(&self, params: &RawObject<'_>, identity: &Identity) {
        let id = params.get("progressToken").and_then(|token| token.parse::<u64>().ok());
        let asks = locked(&self.asks);
        let open = asks.as_ref().and_then(|asks| asks.open.iter().find(|open| Some(open.id) == id));
        let Some((token, hears)) = open.and_then(|open| open.progress.as_ref()) else { return };
        let mut written = Vec::with_capacity(params.text().len() + token.len());
        params.write(&[Edit::Set("progressToken", token)], &mut written);
        hears(written.into(), identity);
    }

    fn take_question(&self, id: u64) -> Option<Open> {
        let mut asks = locked(&self.asks);
        let open = &mut asks.as_mut()?.open;
        let at = open.iter().position(|open| open.id == id)?;
        let taken = open.swap_remove(at);
        if open.is_empty() {
            *open = Vec::new();
        }
        Some(taken)
    }

    /// Forgets every question: the session ends.
    pub(super) fn forget_questions(&self) {
        // Whoever waits for an answer sees its sender go.
        locked(&self.asks).take();
    }

    /// Tells those who wait for one that a stream has opened.
    pub(super) fn stream_opened(&self) {
        if let Some(opened) = locked(&self.asks).as_ref().and_then(|asks| asks.opened.as_ref()) {
            opened.notify_waiters();
        }
    }

    /// Waits for a stream that can carry a question of this backend which belongs to no call. `None` where all that are read belong to
    /// somebody who may see nothing of the backend.
    pub(crate) async fn stream_to_ask(&self, backend: &Backend) -> Option<Arc<EventStream>> {
        let opened = Arc::clone(locked(&self.asks).get_or_insert_default().opened.get_or_insert_default());
        loop {
            let mut next = std::pin::pin!(opened.notified());
            // Listening from before the look, so that no stream opens unheard in between.
            next.as_mut().enable();
            match self.stream_for_questions(backend) {
                ForQuestions::Stream(stream) => return Some(stream),
                ForQuestions::Denied => return None,
                ForQuestions::Nobody => next.await,
                ForQuestions::Unsettled(audiences) => {
                    let settled = audiences.iter().map(|audience| Box::pin(audience.settled(backend)));
                    tokio::select! {
                        () = next => {}
                        _ = select_all(settled) => {}
                    }
                }
            }
        }
    }
}

impl Question {
    /// Sends the question on this stream, once there is room.
    pub(crate) async fn send_on(&mut self, stream: &Arc<EventStream>) {
        stream.send(self.message.clone()).await;
        self.sent_on = Some(Arc::clone(stream));
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// The client's error, or that its session has ended.
    pub(crate) async fn answer(&mut self) -> Result<Given, Unanswered> {
        let answer = (&mut self.answer).await;
        self.is_settled = true;
        let (answer, identity) = answer.map_err(|_| Unanswered::Gone)?;
        self.answered_by = Some(identity.clone());
        let result = answer.map_err(Unanswered::Error)?;
        Ok(Given { result, identity: Some(identity) })
    }

    /// Who sent the request that brought the answer, an error too.
    pub(crate) fn answered_by(&self) -> Option<Identity> {
        self.answered_by.clone()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let was_open = self.session.take_question(self.id).is_some();
        if let (true, Some(stream)) = (was_open, &self.sent_on) {
            let params = format!("{{\"requestId\":{}}}", self.id);
            stream.push(notification("notifications/cancelled", Some(&params)).into());
        }
    }
}

#[cfg(test)]
mod tests;
