//! The headers of a request: vmcp's own, the backend's policy, the strategy's credentials. Nothing else.

use super::{
    Mirrors,
    mirror::{MCP_METHOD, MCP_NAME},
};
use crate::{Backend, ErrorKind, http::Target, session::Session};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT},
};
use std::sync::Arc;
use vmcp_auth::Identity;
use vmcp_core::{
    Era, Revision,
    header::{BackendPolicy, normalise},
    plugin::{Credentials, SignRequest, Signer},
};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// On whose behalf a request is made.
#[derive(Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// A caller's: with its headers and its credentials.
    Caller(&'a Identity),
    /// The gateway's own: with static headers and service credentials.
    Gateway,
}

impl<'a> From<Option<&'a Identity>> for Audience<'a> {
    fn from(caller: Option<&'a Identity>) -> Self {
        caller.map_or(Self::Gateway, Self::Caller)
    }
}

/// What the protocol wants in the headers.
#[derive(Clone, Copy)]
pub(crate) enum Protocol<'a> {
    /// `initialize`: nothing is agreed on yet.
    Opening,
    Legacy(&'a Session),
    Modern(Revision, Mirrors<'a>),
}

/// A request to be sent.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) audience: Audience<'a>,
    pub(crate) protocol: Protocol<'a>,
    pub(crate) last_event_id: Option<&'a Bytes>,
    pub(crate) body: Bytes,
    /// The answer is a stream that stays open.
    pub(crate) is_stream: bool,
}

/// The headers that never change, by method.
pub(crate) struct Bases {
    post: HeaderMap,
    get: HeaderMap,
    delete: HeaderMap,
    /// Those of messages in a session that has an id, and of modern requests with a name: with a place for everything that each of them
    /// says, so that nothing is moved for it.
    full: Vec<(Revision, HeaderMap)>,
    /// What vmcp calls itself where the request that it is made for calls itself nothing.
    user_agent: Option<HeaderValue>,
}

impl Bases {
    /// `user_agent` is what vmcp calls itself, since some servers refuse requests that say nothing; `managed` is what the strategy writes.
    pub(crate) fn new(target: &Target, user_agent: &str, policy: &BackendPolicy, managed: &[HeaderName]) -> Self {
        let mut delete = HeaderMap::with_capacity(13);
        delete.insert(HOST, target.host().clone());
        delete.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut user_agent = HeaderValue::from_str(user_agent).ok();
        let listed = || policy.outgoing().filter_map(|row| row.outbound.header()).filter(|name| normalise(name) == USER_AGENT);
        if managed.iter().any(|name| normalise(name) == USER_AGENT) || listed().any(|name| *name != USER_AGENT) {
            // A strategy sees to it by itself, and no server is to take another spelling for a second value.
            user_agent = None;
        } else if listed().next().is_none() {
            // Nobody else writes it: it never changes.
            delete.extend(user_agent.take().map(|own| (USER_AGENT, own)));
        }
        let mut get = delete.clone();
        get.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let mut post = delete.clone();
        post.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        post.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let full = Revision::SERVED.map(|revision| {
            let (mut full, places): (_, &[HeaderName]) = match revision.era() {
                Era::Legacy => (post.clone(), &[SESSION_ID]),
                Era::Modern => (post.clone(), &[MCP_METHOD, MCP_NAME]),
            };
            full.insert(PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
            full.extend(places.iter().chain([&CONTENT_LENGTH]).map(|place| (place.clone(), HeaderValue::from_static(""))));
            (revision, full)
        });
        Self { post, get, delete, full: full.into(), user_agent }
    }

    /// The headers of a request, but for the caller's and the strategy's. `whole` adds the body's length, which else follows later.
    fn of(&self, outgoing: &Outgoing<'_>, whole: bool) -> HeaderMap {
        let base = match outgoing.method {
            Method::GET => &self.get,
            Method::DELETE => &self.delete,
            _ if whole && let Some(full) = self.full(&outgoing.protocol) => {
                let mut headers = full.clone();
                headers.insert(CONTENT_LENGTH, outgoing.body.len().into());
                outgoing.protocol.fill(&mut headers);
                return headers;
            }
            _ => &self.post,
        };
        let mut headers = base.clone();
        outgoing.protocol.write(&mut headers);
        headers
    }

    fn full(&self, protocol: &Protocol<'_>) -> Option<&HeaderMap> {
        let revision = match protocol {
            Protocol::Legacy(session) if session.id.is_some() => session.revision,
            Protocol::Modern(revision, Mirrors { name: Some(_), .. }) => *revision,
            Protocol::Opening | Protocol::Legacy(_) | Protocol::Modern(..) => return None,
        };
        self.full.iter().find(|(known, _)| *known == revision).map(|(_, full)| full)
    }
}

impl Protocol<'_> {
    /// What each request says for itself.
    fn fill(&self, out: &mut HeaderMap) {
        match self {
            Self::Opening => {}
            Self::Legacy(session) => drop(session.id.as_ref().map(|id| out.insert(SESSION_ID, id.clone()))),
            Self::Modern(_, mirrors) => mirrors.write(out),
        }
    }

    fn write(&self, out: &mut HeaderMap) {
        self.fill(out);
        let revision = match self {
            Self::Opening => return,
            Self::Legacy(session) => session.revision,
            Self::Modern(revision, _) => *revision,
        };
        out.insert(PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
    }
}

impl Backend {
    /// The headers of a request, made anew for each, and which credentials are among them where newer ones may do better.
    pub(crate) async fn headers(&self, outgoing: &Outgoing<'_>, target: &Target) -> Result<(HeaderMap, Option<u64>), ErrorKind> {
        let used = self.credentials(outgoing.audience).await?;
        // What signs a request is shown no more than it always was.
        let mut headers = self.bases().of(outgoing, matches!(used.credentials, Credentials::Headers { .. }));
        if let Some(mut id) = outgoing.last_event_id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            id.set_sensitive(true);
            headers.insert(LAST_EVENT_ID, id);
        }
        match outgoing.audience {
            Audience::Caller(caller) => self.policy().apply(caller.forwarded(), &mut headers),
            Audience::Gateway => self.policy().apply_static(&mut headers),
        }
        if let Some(own) = &self.bases().user_agent {
            headers.entry(USER_AGENT).or_insert_with(|| own.clone());
        }
        match used.credentials {
            Credentials::Headers { headers: given, .. } if used.is_admitted => append(&given, &mut headers),
            Credentials::Headers { headers: given, .. } => self.admit_shared(&given, &mut headers)?,
            Credentials::Signer(signer) => self.sign(&*signer, outgoing, target, &mut headers)?,
            _ => return Err(ErrorKind::Credentials("the strategy gave credentials of an unknown form".to_owned())),
        }
        Ok((headers, used.stamp))
    }

    fn sign(&self, signer: &dyn Signer, outgoing: &Outgoing<'_>, target: &Target, headers: &mut HeaderMap) -> Result<(), ErrorKind> {
        let request = SignRequest::new(&outgoing.method, target.url(), headers, &outgoing.body);
        let signed = signer.sign(&request).map_err(|error| ErrorKind::Credentials(error.to_string()))?;
        self.admit(&signed)?;
        append(&signed, headers);
        Ok(())
    }

    /// Adds credentials that are the same map for many requests: they are looked at once.
    fn admit_shared(&self, given: &Arc<HeaderMap>, headers: &mut HeaderMap) -> Result<(), ErrorKind> {
        if given.is_empty() {
            return Ok(());
        }
        let known = self.admitted().load();
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, given)) {
            self.admit(given)?;
            self.admitted().store(Some(Arc::clone(given)));
        }
        append(given, headers);
        Ok(())
    }

    fn admit(&self, given: &HeaderMap) -> Result<(), ErrorKind> {
        let managed = self.strategy().managed_headers();
        let refused = |name| ErrorKind::Credentials(format!("the strategy gave the header `{name}`, which it may not write"));
        self.policy().admits_credentials(given, managed).map_err(refused)
    }
}

fn append(given: &HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in given {
        let mut value = value.clone();
        value.set_sensitive(true);
        headers.append(name, value);
    }
}
