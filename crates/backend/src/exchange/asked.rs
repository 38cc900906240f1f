//! What a backend asks during a request, and its answers.

use super::{Exchange, Speech};
use crate::{Answer, AskId, Event, ProgressTo, ask::nobody_answers, watch::answer_to};
use bytes::Bytes;
use vmcp_auth::Identity;
use vmcp_core::frame::{Message, Notification, Request};

/// How many requests of a backend wait for an answer during one call.
const OPEN: usize = 64;
/// Asks for what is the session's.
const ROOTS: &str = "roots/list";

/// A request of the backend that waits for its answer.
pub(super) struct Unanswered {
    id: AskId,
    method: String,
    params: Bytes,
}

impl Exchange {
    /// Answers what the backend asked during this request. `caller` is who brought the answer: its headers go with it; without one those
    /// of the request do. An answer to what was answered or withdrawn is dropped.
    pub fn respond(&mut self, id: &AskId, answer: &Answer, caller: Option<&Identity>) {
        let Some(at) = self.asked.iter().position(|asked| asked.id == *id) else { return };
        self.asked.swap_remove(at);
        self.deadline.rest(!self.asked.is_empty());
        if let Speech::Legacy(session) = &self.speech {
            let caller = caller.or(self.caller.as_ref()).cloned();
            self.backend.send_answer(caller, session, answer.message(id.raw()));
        }
    }

    /// Where a caller's progress on one of the backend's requests goes. `None` where the backend is not told any (2026-07-28).
    #[must_use]
    pub fn progress(&self) -> Option<ProgressTo> {
        match &self.speech {
            Speech::Legacy(session) => Some(ProgressTo::new(&self.backend, session)),
            Speech::Opening(_) | Speech::Modern(..) => None,
        }
    }

    /// Takes what the backend asks: `ping` is answered at once, and what the session did not declare is refused.
    pub(super) fn take_request(&mut self, data: &Bytes, request: &Request<'_>) {
        let Speech::Legacy(session) = &self.speech else { return };
        let raw = request.id.raw();
        let mode = request.params.as_ref().and_then(|params| params.get_str("mode"));
        let allowed = session.holder().capabilities.allows(&request.method, mode.as_deref()) && self.asked.len() < OPEN;
        let Some(id) = AskId::new(raw) else { return };
        if !allowed {
            let body = answer_to(&request.method, raw);
            self.backend.send_answer(self.caller.clone(), session, body.into());
            return;
        }
        let params = match &request.params {
            // It waits for somebody's answer: until then it takes its part of what all may take.
            Some(params) => self.reservation.hold(data.slice_ref(params.text().as_bytes())),
            None => Bytes::from_static(b"{}"),
        };
        let method = request.method.clone().into_owned();
        // What is left unanswered is asked again only where it is about roots.
        let kept = if method == ROOTS { params.clone() } else { Bytes::new() };
        self.asked.push(Unanswered { id: id.clone(), method: method.clone(), params: kept });
        // Whoever has to ask a person may take long: meanwhile silence is no sign of anything, and others may use the place.
        self.deadline.rest(true);
        self.permit = None;
        self.ready.push_back(Event::Request { id, method, params });
    }

    /// The backend takes a request back. `false` when the notification says something else.
    pub(super) fn take_withdrawal(&mut self, notification: &Notification<'_>) -> bool {
        if notification.method != "notifications/cancelled" {
            return false;
        }
        let id = notification.params.as_ref().and_then(|params| params.get("requestId"));
        if let Some(at) = id.and_then(|id| self.asked.iter().position(|asked| asked.id.raw() == id)) {
            let Unanswered { id, .. } = self.asked.swap_remove(at);
            self.deadline.rest(!self.asked.is_empty());
            self.ready.push_back(Event::Withdrawn { id });
        }
        true
    }

    /// What came for this request and was not read when it ended: the backend may have asked something at the last moment.
    fn take_unread(&mut self) {
        let Some(inbox) = self.inbox.take() else { return };
        for data in inbox.close() {
            match Message::parse(&data) {
                Ok(Message::Request(request)) => self.take_request(&data, &request),
                Ok(Message::Notification(notification)) => _ = self.take_withdrawal(&notification),
                // Nobody waits for the rest.
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// The request is over and the backend still waits. What it asked may not have been about the request at all: where all messages come
    /// on one stream, nothing says so. Roots are the session's, so its holder is asked for them again; the rest is answered with an error.
    pub(super) fn leave_unanswered(&mut self) {
        self.take_unread();
        let Speech::Legacy(session) = &self.speech else { return };
        for Unanswered { id, method, params } in std::mem::take(&mut self.asked) {
            let is_sessions = method == ROOTS && session.switch.ask_holder(&self.backend, session, &id, method, params);
            if !is_sessions {
                self.backend.send_answer(self.caller.clone(), session, nobody_answers().message(id.raw()));
            }
        }
    }
}
