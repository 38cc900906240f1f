//! Opening a session: `initialize`, then `notifications/initialized` (2025-11-25, basic/lifecycle).

use super::{Holder, Opened, Session, Switch};
use crate::{
    Backend, Error, ErrorKind, Event, Phase, Speaks,
    era::{Verdict, initialize_verdict},
    exchange::{Ask, Exchange, Speech},
    offers::{Offers, instructions},
    outgoing::Audience,
    pipe::Link,
};
use http::HeaderValue;
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;
use vmcp_core::{
    Era, Revision,
    frame::{RawObject, notification},
    plugin::BoxFuture,
};

/// A handshake is not waited for longer than this, however patient calls are.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a process that is known to be modern may be silent on `initialize`.
const MODERN_LIMIT: Duration = Duration::from_secs(10);
/// How long a handshake may go on when the gateway stops.
const GRACE: Duration = Duration::from_secs(2);
const MAX_SESSION_ID: usize = 1024;

impl Backend {
    /// Opens a session, and takes down what that says about the eras.
    ///
    /// It is opened in a task of its own: a handshake that was begun ends, also when nobody waits for it any more. Otherwise the backend
    /// would keep a session whose id nobody learned, one for each caller who gave up.
    pub(crate) async fn open_session(self: &Arc<Self>, audience: Audience<'_>, holder: &Arc<Holder>) -> Result<Arc<Session>, Error> {
        let caller = match audience {
            Audience::Caller(caller) => Some(caller.clone()),
            Audience::Gateway => None,
        };
        let (tell, told) = oneshot::channel();
        let (backend, holder) = (Arc::clone(self), Arc::clone(holder));
        let counted = self.opening().token();
        self.shared().spawn(async move {
            let _counted = counted;
            let opened = backend.shake_hands_or_stop(Audience::from(caller.as_ref()), holder).await;
            match opened {
                Some(Ok(unwanted)) if backend.is_stopping() => backend.delete(Audience::Gateway, &unwanted).await,
                Some(opened) => {
                    if let Err(Ok(unwanted)) = tell.send(opened) {
                        backend.close_session(unwanted);
                    }
                }
                None => {}
            }
        });
        told.await.unwrap_or_else(|_| Err(self.error(Phase::Initialize, ErrorKind::ShuttingDown)))
    }

    /// A handshake that was begun when the gateway stops has a little time to bring its session, so that it can be ended.
    async fn shake_hands_or_stop(self: &Arc<Self>, audience: Audience<'_>, holder: Arc<Holder>) -> Option<Result<Arc<Session>, Error>> {
        let mut hands = Box::pin(self.shake_hands(audience, holder));
        tokio::select! {
            opened = &mut hands => return Some(opened),
            () = self.stopping().cancelled() => {}
            () = self.shared().shutdown().cancelled() => {}
        }
        tokio::time::timeout(GRACE, hands).await.ok()
    }

    async fn shake_hands(self: &Arc<Self>, audience: Audience<'_>, holder: Arc<Holder>) -> Result<Arc<Session>, Error> {
        let is_modern_process = self.wire().programs().is_some() && self.eras().speaks(Era::Modern) == Speaks::Yes;
        let limit = self.silence().min(if is_modern_process { MODERN_LIMIT } else { LIMIT });
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            Revision::LATEST_LEGACY,
            holder.capabilities.to_json(),
            self.shared().client_info
        );
        let fail = |kind| self.fail(Phase::Initialize, kind);
        let params = RawObject::parse(&params).map_err(|error| fail(ErrorKind::Malformed(error.to_string().into())))?;
        let link = self.open_link(audience, &holder).await.map_err(fail)?;
        let ending = Ending(link.clone());
        let mut exchange = Exchange::new(self, audience, Phase::Initialize, Speech::Opening(link.clone()), (limit, limit));
        let answer = match exchange.open(&Ask::plain("initialize", &params)).await {
            Ok(_) => exchange.answer().await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| error.kind().clone());
        let verdict = match &answer {
            // It answers what it knows; of what it does not know it says nothing.
            Err(ErrorKind::Timeout(_)) if is_modern_process => Verdict::No,
            answer => initialize_verdict(exchange.status(), answer),
        };
        if verdict == Verdict::Modern {
            self.learn(Era::Modern, Speaks::Yes);
        }
        if verdict == Verdict::No
            && let Some(session) = self.try_sse(audience, &holder).await
        {
            return session;
        }
        let refused = matches!(verdict, Verdict::No | Verdict::Modern);
        if refused {
            self.learn(Era::Legacy, Speaks::No);
        }
        let result = match answer {
            Ok(Event::Result(result)) => result,
            Ok(Event::Error { code, object }) => {
                let error = fail(ErrorKind::Refused { code, object });
                return Err(if refused { error.refusing_era() } else { error });
            }
            Ok(Event::Notification { .. } | Event::Request { .. } | Event::Withdrawn { .. }) => {
                return Err(fail(ErrorKind::Malformed("it is not a response".into())));
            }
            Err(kind) => return Err(if refused { fail(kind).refusing_era() } else { fail(kind) }),
        };
        let id = exchange.given_session().map(session_id).transpose().map_err(fail)?;
        drop(exchange);
        let result = std::str::from_utf8(&result).ok().and_then(|text| RawObject::parse(text).ok());
        let result = result.ok_or_else(|| fail(ErrorKind::Malformed("the result is not an object".into())))?;
        let revision = result.get_str("protocolVersion").and_then(|version| Revision::parse(&version));
        let Some(revision) = revision.filter(|revision| revision.era() == Era::Legacy) else {
            self.learn(Era::Legacy, Speaks::No);
            return Err(fail(ErrorKind::NoEra).refusing_era());
        };
        self.learn_revision(revision);
        let instructions = instructions(&result).map(|text| self.intern_instructions(text));
        let (pipe, switch) = match ending.into_link() {
            Some(Link { pipe, switch }) => (Some(pipe), switch),
            None => (None, Switch::new(holder, self.scope_of(audience), false)),
        };
        let offers = Offers::read(&result);
        self.learn_extensions(Era::Legacy, offers.extensions());
        let opened = Opened { id, revision, offers, instructions, switch, pipe };
        let session = Session::new(opened, self.open_sessions());
        let told = tokio::time::timeout(limit, self.tell(audience, &session, notification("notifications/initialized", None).into())).await;
        let failed = match told {
            Ok(Ok(status)) if status.is_success() => None,
            Ok(Ok(status)) => Some(ErrorKind::Status { status, retry_after: None }),
            Ok(Err(kind)) => Some(kind),
            Err(_) => Some(ErrorKind::Timeout(limit)),
        };
        if let Some(kind) = failed {
            self.close_session(session);
            return Err(fail(kind));
        }
        tracing::debug!(backend = &**self.name(), %revision, "opened a session");
        self.tell_wishes(audience, &session);
        Ok(session)
    }

    /// Where streamable HTTP was refused, the older transport may be there (2025-11-25, basic/transports, backwards compatibility).
    fn try_sse<'a>(
        self: &'a Arc<Self>,
        audience: Audience<'a>,
        holder: &'a Arc<Holder>,
    ) -> BoxFuture<'a, Option<Result<Arc<Session>, Error>>> {
        Box::pin(async move {
            if !self.wire().may_be_sse() {
                return None;
            }
            let link = self.open_events(audience, holder).await.ok()?;
            link.pipe.close();
            self.wire().found_sse();
            tracing::info!(backend = &**self.name(), "the backend speaks HTTP+SSE (2024-11-05)");
            Some(self.shake_hands(audience, Arc::clone(holder)).await)
        })
    }
}

/// Closes a pipe over which no session was opened.
struct Ending(Option<Link>);

impl Ending {
    fn into_link(mut self) -> Option<Link> {
        self.0.take()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            link.pipe.close();
        }
    }
}

/// A session id that can be sent back: visible ASCII (2025-11-25, basic/transports, session management).
fn session_id(mut id: HeaderValue) -> Result<HeaderValue, ErrorKind> {
    if id.is_empty() || id.len() > MAX_SESSION_ID || !id.as_bytes().iter().all(u8::is_ascii_graphic) {
        return Err(ErrorKind::Malformed("its session id is not made of 1 to 1024 visible ASCII characters".into()));
    }
    id.set_sensitive(true);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_visible_ascii() {
        let id = |text: &str| session_id(HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert!(id("abc-!~").unwrap().is_sensitive());
        assert!(id(&"x".repeat(1024)).is_ok());
        for wrong in ["", "a b", "é", &"x".repeat(1025)] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }
}
