//! Reading the answer: one JSON body, or events until the answer is among them.

use super::{Exchange, Speech, State};
use crate::{ErrorKind, Event, ViewScope, content::Content, http::Reply, sse::SseEvent, sse::SseReader};
use bytes::Bytes;
use http::response::Parts;
use std::{
    mem,
    task::{Context, Poll},
};
use vmcp_core::frame::{ErrorObject, FrameError, Message, Notification, RawObject, Response};

/// How many messages an event may hold; only revision 2025-03-26 has more than one.
const BATCH: usize = 64;
/// How often a stream that broke off is taken up again without anything new.
const TRIES: u32 = 5;

const PROGRESS: &str = "notifications/progress";

fn ended() -> ErrorKind {
    ErrorKind::Malformed("the stream ended without a response".into())
}

fn malformed(error: FrameError) -> ErrorKind {
    ErrorKind::Malformed(error.to_string().into())
}

impl Exchange {
    /// Moves the answer on until something is there to be told. All progress is kept in `self`.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, ErrorKind>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if event.is_final()
                    && let State::Events { reply, .. } = mem::replace(&mut self.state, State::Over)
                {
                    self.backend.drain(reply, cx);
                }
                return Poll::Ready(Ok(event));
            }
            if self.inbox.is_some()
                && let Poll::Ready(heard) = self.poll_inbox(cx)
            {
                heard?;
                continue;
            }
            match &mut self.state {
                State::Piped => return self.deadline.poll(cx).map(Err),
                State::Sending(sending) => match sending.as_mut().poll(cx) {
                    Poll::Pending => return self.deadline.poll(cx).map(Err),
                    Poll::Ready(sent) => {
                        let (parts, reply) = sent?;
                        self.begin_late(&parts, reply)?;
                        continue;
                    }
                },
                State::Json { reply, announced, body } => match reply.poll_data(cx) {
                    Poll::Pending => return self.deadline.poll(cx).map(Err),
                    Poll::Ready(Some(piece)) => {
                        let limit = self.backend.shared().options.max_response_bytes;
                        body.add(piece?, *announced, limit, &mut self.reservation)?;
                        self.deadline.heard();
                        if !reply.is_ended() {
                            continue;
                        }
                    }
                    Poll::Ready(None) => {}
                },
                State::Events { reply, reader, tries } => {
                    if let Some(event) = reader.next().map_err(|_| ErrorKind::TooLarge(self.backend.shared().options.max_response_bytes))? {
                        *tries = 0;
                        self.hear(&event)?;
                        continue;
                    }
                    match reply.poll_data(cx) {
                        Poll::Pending => return self.deadline.poll(cx).map(Err),
                        Poll::Ready(Some(Ok(piece))) => {
                            reader.push(piece);
                            self.reservation.cover(reader.held())?;
                            self.deadline.heard();
                        }
                        Poll::Ready(Some(Err(_)) | None) => self.resume()?,
                    }
                    continue;
                }
                State::Resuming { stream, .. } => match stream.as_mut().poll(cx) {
                    Poll::Pending => return self.deadline.poll(cx).map(Err),
                    Poll::Ready(resumed) => {
                        self.resumed(resumed)?;
                        continue;
                    }
                },
                State::Known(_) => {
                    let State::Known(event) = mem::replace(&mut self.state, State::Over) else { continue };
                    return Poll::Ready(Ok(event));
                }
                State::Waiting | State::Over => return Poll::Ready(Err(ErrorKind::Lost("there is nothing to wait for".to_owned()))),
            }
            let State::Json { mut body, .. } = mem::replace(&mut self.state, State::Over) else { continue };
            let body = body.finish();
            return Poll::Ready(self.whole(&body));
        }
    }

    /// The answer in a JSON body.
    fn whole(&mut self, body: &Bytes) -> Result<Event, ErrorKind> {
        match Message::parse(body).map_err(malformed)? {
            Message::Response(response) => self.result(body, &response),
            Message::Error(id, error) if id.is_some_and(|id| id.is_number(self.id)) || id.is_none() && self.takes_nameless_errors() => {
                Ok(self.error(body, &error))
            }
            Message::Error(..) => Err(ErrorKind::Malformed("an error that answers another request".into())),
            Message::Request(_) | Message::Notification(_) => Err(ErrorKind::Malformed("it is not a response".into())),
        }
    }

    fn result(&mut self, body: &Bytes, response: &Response<'_>) -> Result<Event, ErrorKind> {
        if !response.id.is_number(self.id) {
            return Err(ErrorKind::Malformed("a result that answers another request".into()));
        }
        self.traits = response.traits;
        Ok(Event::Result(self.reservation.hold(body.slice_ref(response.result.as_bytes()))))
    }

    fn error(&mut self, body: &Bytes, error: &ErrorObject<'_>) -> Event {
        Event::Error { code: error.code, object: self.reservation.hold(body.slice_ref(error.object.text().as_bytes())) }
    }

    /// Takes in one event of a stream.
    fn hear(&mut self, event: &SseEvent) -> Result<(), ErrorKind> {
        if event.data.is_empty() || !event.is_message {
            return Ok(());
        }
        self.hear_message(&event.data, |_| true)
    }

    /// Takes in what the session's switch has handed on. Of a batch it has handed on the rest itself.
    pub(super) fn hear_handed_on(&mut self, data: &Bytes) -> Result<(), ErrorKind> {
        self.hear_message(data, |message| match message {
            Message::Response(_) | Message::Error(..) => true,
            Message::Notification(notification) => matches!(&*notification.method, PROGRESS | "notifications/cancelled"),
            Message::Request(_) => false,
        })
    }

    /// Takes in what one event or line holds: one message, or those of a batch that are `meant`.
    fn hear_message(&mut self, data: &Bytes, meant: impl Fn(&Message<'_>) -> bool) -> Result<(), ErrorKind> {
        self.reservation.cover(data.len())?;
        let batches = matches!(&self.speech, Speech::Legacy(session) if session.revision.has_batches());
        if !batches {
            let message = Message::parse(data).map_err(malformed)?;
            return self.message(data, &message);
        }
        let (messages, is_batch) = Message::parse_batch(data, BATCH).map_err(malformed)?;
        messages.iter().filter(|message| !is_batch || meant(message)).try_for_each(|message| self.message(data, message))
    }

    /// The head of an answer that began after the backend had asked something: it was run, so nothing is tried another way.
    fn begin_late(&mut self, parts: &Parts, reply: Reply) -> Result<(), ErrorKind> {
        self.deadline.heard();
        self.status = parts.status;
        if parts.status.is_success() || Content::of(&parts.headers) == Content::Json {
            return self.accept(parts, reply).map(drop);
        }
        Err(ErrorKind::Status { status: parts.status, retry_after: None })
    }

    fn message(&mut self, data: &Bytes, message: &Message<'_>) -> Result<(), ErrorKind> {
        let event = match message {
            Message::Response(response) if response.id.is_number(self.id) => self.result(data, response)?,
            Message::Error(Some(id), error) if id.is_number(self.id) => self.error(data, error),
            Message::Error(None, error) if self.takes_nameless_errors() => self.error(data, error),
            Message::Error(None, _) => return Err(ErrorKind::Malformed("an error without an id".into())),
            // Somebody else's answer has no business here, and does no harm.
            Message::Response(_) | Message::Error(..) => return Ok(()),
            Message::Request(request) => {
                self.take_request(data, request);
                return Ok(());
            }
            Message::Notification(notification) if self.take_withdrawal(notification) => return Ok(()),
            Message::Notification(notification) => match self.notification(data, notification) {
                Some(event) => event,
                None => return Ok(()),
            },
        };
        self.ready.push_back(event);
        Ok(())
    }

    fn notification(&mut self, data: &Bytes, notification: &Notification<'_>) -> Option<Event> {
        let scope = || self.caller.as_ref().map_or(ViewScope::Shared, |caller| self.backend.scope(caller));
        if notification.method.ends_with("/list_changed") && self.backend.hear_change(&notification.method, scope()) {
            return None;
        }
        if notification.method == PROGRESS && notification.params.as_ref().is_some_and(|params| self.is_of_another(params)) {
            return None;
        }
        let params = match &notification.params {
            Some(params) => self.reservation.hold(data.slice_ref(params.text().as_bytes())),
            None => Bytes::from_static(b"{}"),
        };
        Some(Event::Notification { method: notification.method.clone().into_owned(), params })
    }

    /// Whether progress is that of another request: the token that vmcp sends is the request's own id.
    fn is_of_another(&self, params: &RawObject<'_>) -> bool {
        params.get("progressToken").is_some_and(|token| token.parse() != Ok(self.id))
    }

    /// The stream broke off. A legacy one whose events have ids goes on elsewhere (2025-11-25, basic/transports, resumability).
    fn resume(&mut self) -> Result<(), ErrorKind> {
        let State::Events { reader, tries, .. } = mem::replace(&mut self.state, State::Over) else { return Err(ended()) };
        self.resume_from(&reader, tries)
    }

    fn resume_from(&mut self, reader: &SseReader, tries: u32) -> Result<(), ErrorKind> {
        let (Speech::Legacy(session), Some(last)) = (&self.speech, reader.last_id()) else { return Err(ended()) };
        if tries >= TRIES {
            return Err(ended());
        }
        let stream = self.backend.resume_stream(self.caller.clone(), session, last.clone(), reader.retry());
        self.state = State::Resuming { stream, reader: reader.resumed(), tries: tries + 1 };
        Ok(())
    }

    fn resumed(&mut self, stream: Result<Reply, ErrorKind>) -> Result<(), ErrorKind> {
        let State::Resuming { reader, tries, .. } = mem::replace(&mut self.state, State::Over) else { return Err(ended()) };
        match stream {
            Ok(reply) => {
                self.deadline.heard();
                self.state = State::Events { reply, reader, tries };
                Ok(())
            }
            Err(ErrorKind::Connect(_) | ErrorKind::Lost(_)) => self.resume_from(&reader, tries),
            Err(ErrorKind::Status { status, .. }) if status.is_server_error() => self.resume_from(&reader, tries),
            Err(ErrorKind::Status { .. } | ErrorKind::Malformed(_)) => Err(ended()),
            Err(kind) => Err(kind),
        }
    }
}
