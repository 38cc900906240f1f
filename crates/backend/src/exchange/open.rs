//! Sending the request, and what the answer's head says.

use super::{Collect, Exchange, Speech, State};
use crate::{
    Error, ErrorKind, Event, Phase, Speaks,
    content::Content,
    era::{UNSUPPORTED_VERSION, is_modern_error, offered},
    http::Reply,
    outgoing::{Audience, Meta, Mirrors, Outgoing, SESSION_ID, request_body},
    sse::SseReader,
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, response::Parts};
use std::{pin::pin, time::Duration};
use vmcp_core::{
    CapabilitySet, Era, LoggingLevel, Revision,
    catalogue::ParamHeader,
    frame::{Edit, Message, RawObject},
    plugin::BoxFuture,
};

const METHOD_NOT_FOUND: i64 = -32601;
/// The longest error page that is read, so that its connection can be used again.
const ERROR_PAGE: usize = 64 * 1024;

/// What to ask.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) params: &'a RawObject<'a>,
    pub(crate) set: &'a [Edit<'a>],
    pub(crate) name: Option<&'a str>,
    pub(crate) param_headers: &'a [ParamHeader],
    pub(crate) capabilities: CapabilitySet,
    pub(crate) progress: bool,
    pub(crate) log_level: Option<LoggingLevel>,
}

impl<'a> Ask<'a> {
    /// A request without parts of interest.
    pub(crate) fn plain(method: &'a str, params: &'a RawObject<'a>) -> Self {
        Self {
            method,
            params,
            set: &[],
            name: None,
            param_headers: &[],
            capabilities: CapabilitySet::NONE,
            progress: false,
            log_level: None,
        }
    }
}

/// What became of sending a request.
pub(crate) enum Opened {
    /// An answer comes, or has come.
    Answering,
    /// Not run: the backend does not know the session any more.
    SessionLost,
    /// Not run: the backend does not speak that revision, but maybe this one.
    Version(Option<Revision>),
}

impl Exchange {
    /// Sends the request and reads the answer's head.
    pub(crate) async fn open(&mut self, ask: &Ask<'_>) -> Result<Opened, Error> {
        match self.send(ask).await {
            Ok(opened) => {
                self.pending &= matches!(opened, Opened::Answering);
                Ok(opened)
            }
            Err(kind) => Err(self.fail(kind)),
        }
    }

    async fn send(&mut self, ask: &Ask<'_>) -> Result<Opened, ErrorKind> {
        if self.id != 0 {
            // It was sent before, and the time for a handshake since was its own.
            self.deadline.heard();
        }
        self.id = self.backend.next_id();
        self.state = State::Waiting;
        let meta = match self.speech {
            Speech::Opening(_) | Speech::Legacy(_) => Meta::Legacy,
            Speech::Modern(revision, _) => {
                let client_info = &self.backend.shared().client_info;
                Meta::Modern { revision, client_info, capabilities: ask.capabilities, log_level: ask.log_level }
            }
        };
        let body = request_body(self.id, ask.method, ask.params, ask.set, meta, ask.progress).into();
        let has_side = match &self.speech {
            Speech::Legacy(session) => session.pipe.is_some() || ask.log_level.is_some() || session.holder().capabilities.can_be_asked(),
            Speech::Opening(link) | Speech::Modern(_, link) => link.is_some(),
        };
        if has_side {
            // A type of its own, so that those who wait for it need not know everything that is in it.
            let sent: BoxFuture<'_, Result<Opened, ErrorKind>> = Box::pin(self.send_with_side(ask, body));
            return sent.await;
        }
        let arguments = if ask.param_headers.is_empty() { None } else { ask.params.get_object("arguments") };
        let mirrors = Mirrors { method: ask.method, name: ask.name, params: ask.param_headers, arguments: arguments.as_ref() };
        let outgoing = Outgoing {
            method: Method::POST,
            audience: Audience::from(self.caller.as_ref()),
            protocol: self.speech.protocol(mirrors),
            last_event_id: None,
            body,
            is_stream: false,
        };
        // `initialize` is never cancelled (2025-11-25, basic/utilities/cancellation); the gateway's own requests end by themselves.
        self.pending = self.phase == Phase::Call;
        let (parts, reply) = self.deadline.hold(pin!(self.backend.transmit(&outgoing))).await??;
        self.answered(&parts, reply).await
    }

    /// Sends where something may come beside the answer.
    async fn send_with_side(&mut self, ask: &Ask<'_>, body: Bytes) -> Result<Opened, ErrorKind> {
        match self.listen(ask).await {
            Ok(()) => {}
            // It ended since it was chosen, and nothing was written.
            Err(ErrorKind::Lost(why)) => {
                return if matches!(self.speech, Speech::Legacy(_)) { Ok(Opened::SessionLost) } else { Err(ErrorKind::Connect(why)) };
            }
            Err(kind) => return Err(kind),
        }
        self.pending = self.phase == Phase::Call;
        if let Some(pipe) = self.speech.pipe().cloned() {
            self.send_piped(&*pipe, body).await?;
            return Ok(Opened::Answering);
        }
        match self.send_listening(body).await? {
            Some((parts, reply)) => self.answered(&parts, reply).await,
            None => Ok(Opened::Answering),
        }
    }

    /// What the answer's head says.
    async fn answered(&mut self, parts: &Parts, reply: Reply) -> Result<Opened, ErrorKind> {
        self.deadline.heard();
        self.status = parts.status;
        if self.phase == Phase::Initialize {
            self.given_session = parts.headers.get(SESSION_ID).cloned();
        }
        if parts.status.is_success() { self.accept(parts, reply) } else { Box::pin(self.refused(parts, reply)).await }
    }

    pub(super) fn accept(&mut self, parts: &Parts, reply: Reply) -> Result<Opened, ErrorKind> {
        if matches!(parts.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Err(ErrorKind::Malformed("it accepted the request without answering it".into()));
        }
        let limit = self.backend.shared().options.max_response_bytes;
        self.state = match Content::of(&parts.headers) {
            Content::Json => {
                let announced = reply.announced();
                if announced.is_some_and(|length| length > limit as u64) {
                    return Err(ErrorKind::TooLarge(limit));
                }
                State::Json { reply, announced, body: Collect::default() }
            }
            Content::Events => State::Events { reply, reader: SseReader::new(limit), tries: 0 },
            Content::Other => return Err(ErrorKind::Malformed("it is neither JSON nor an event stream".into())),
        };
        Ok(Opened::Answering)
    }

    /// A status that is no success: a JSON-RPC error in it counts more than the status.
    async fn refused(&mut self, parts: &Parts, mut reply: Reply) -> Result<Opened, ErrorKind> {
        let content = Content::of(&parts.headers);
        let limit = if matches!(content, Content::Json) { self.backend.shared().options.max_response_bytes } else { ERROR_PAGE };
        let mut body = Bytes::new();
        if !matches!(content, Content::Events) {
            let mut collect = Collect::default();
            let announced = reply.announced();
            let reservation = &mut self.reservation;
            let read = async {
                while let Some(piece) = reply.data().await {
                    collect.add(piece?, announced, limit, reservation)?;
                }
                Ok(collect.finish())
            };
            match self.deadline.hold(pin!(read)).await? {
                Ok(whole) => body = whole,
                // The status alone says what is to be said.
                Err(ErrorKind::TooLarge(_) | ErrorKind::Lost(_)) => {}
                Err(kind) => return Err(kind),
            }
        }
        let error = if matches!(content, Content::Json) { self.error_in(&body) } else { None };
        let has_session = matches!(&self.speech, Speech::Legacy(session) if session.id.is_some());
        let code = error.as_ref().map(|(code, ..)| *code);
        if parts.status == StatusCode::NOT_FOUND && has_session && code != Some(METHOD_NOT_FOUND) {
            return Ok(Opened::SessionLost);
        }
        if let (Speech::Modern(..), StatusCode::BAD_REQUEST, Some((UNSUPPORTED_VERSION, object, _))) = (&self.speech, parts.status, &error)
        {
            let offered = offered(object);
            // As an answer too, for who does not ask again.
            self.state = State::Known(Event::Error { code: UNSUPPORTED_VERSION, object: object.clone() });
            return Ok(Opened::Version(offered));
        }
        let own = error.as_ref().is_some_and(|(.., own)| *own);
        self.reexamine(parts.status, code, own);
        match error {
            Some((code, object, own)) if own || code == METHOD_NOT_FOUND || self.takes_nameless_errors() => {
                self.state = State::Known(Event::Error { code, object });
                Ok(Opened::Answering)
            }
            _ => Err(ErrorKind::Status { status: parts.status, retry_after: retry_after(&parts.headers) }),
        }
    }

    /// The JSON-RPC error in a body: its code, its text, and whether it has this request's id rather than none.
    fn error_in(&mut self, body: &Bytes) -> Option<(i64, Bytes, bool)> {
        let Ok(Message::Error(id, error)) = Message::parse(body) else { return None };
        let own = match id {
            Some(id) if id.is_number(self.id) => true,
            Some(_) => return None,
            None => false,
        };
        Some((error.code, self.reservation.hold(body.slice_ref(error.object.text().as_bytes())), own))
    }

    /// Whether an error without an id is taken for the answer: where servers refuse before they read the body.
    pub(super) fn takes_nameless_errors(&self) -> bool {
        matches!(self.speech, Speech::Modern(..) | Speech::Opening(_))
    }

    /// A backend that refuses what it spoke until now may have become another one.
    fn reexamine(&self, status: StatusCode, code: Option<i64>, own: bool) {
        const REFUSALS: [StatusCode; 3] = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        const LEGACY_ONLY: std::ops::RangeInclusive<i64> = -32019..=-32000;
        const INVALID_REQUEST: i64 = -32600;
        if !matches!(self.phase, Phase::Call | Phase::ListOf(_)) || !REFUSALS.contains(&status) {
            return;
        }
        let forget = |era| self.backend.learn(era, Speaks::Unknown);
        match &self.speech {
            Speech::Modern(..) if code.is_none_or(|code| code == INVALID_REQUEST || LEGACY_ONLY.contains(&code)) => forget(Era::Modern),
            Speech::Legacy(session) => {
                if code.is_some_and(is_modern_error) || code.is_none() && session.id.is_none() {
                    forget(Era::Legacy);
                }
                if session.id.is_some() && (!own || code.is_some_and(|code| LEGACY_ONLY.contains(&code))) {
                    self.backend.doubt_session(self.caller.clone(), session);
                }
            }
            Speech::Modern(..) | Speech::Opening(_) => {}
        }
    }
}

/// Seconds in `Retry-After`; dates are ignored.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
