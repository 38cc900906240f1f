//! A request on its way: where it goes, and what of it is another one there.

use super::{
    Caller,
    carried::{Carried, Subject},
};
use crate::failure::{Failure, code};
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;
use vmcp_backend::{Backend, Call, Exchange};
use vmcp_core::{
    Era, LoggingLevel,
    catalogue::ParamHeader,
    frame::{Edit, RawObject, notification},
};

/// Where a request goes.
pub(super) struct Route {
    pub(super) backend: usize,
    /// The name or URI at the backend; `None` where it is the caller's.
    pub(super) original: Option<Arc<str>>,
    pub(super) param_headers: Arc<[ParamHeader]>,
}

impl Route {
    pub(super) fn new(backend: usize, original: Option<&Arc<str>>, name: &str) -> Self {
        Self { backend, original: original.filter(|original| ***original != *name).cloned(), param_headers: Arc::default() }
    }
}

/// One request and the backend that it goes to.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) backend: &'a Arc<Backend>,
    pub(super) carried: Carried,
    pub(super) subject: Subject,
    /// The caller's name or URI for it.
    pub(super) name: &'a str,
    pub(super) params: &'a RawObject<'a>,
    pub(super) route: &'a Route,
    /// What the parameter that names the subject is at the backend, where it is another one: JSON text.
    pub(super) renamed: Option<&'a str>,
    pub(super) caller: &'a Caller,
    /// The caller's progress token: JSON text.
    pub(super) token: Option<&'a str>,
}

impl Way<'_> {
    /// Sends the request with these changes besides the name.
    pub(super) async fn send(&self, changes: &[Edit<'_>]) -> Result<Exchange, Failure> {
        let mut edits = SmallVec::<[Edit<'_>; 4]>::new();
        edits.extend(self.renamed.map(|literal| Edit::Set(self.carried.key(), literal)));
        edits.extend_from_slice(changes);
        let call = Call {
            method: self.carried.method(),
            params: self.params,
            set: &edits,
            mirror: self.carried.mirrored().map(|_| self.route.original.as_deref().unwrap_or(self.name)),
            param_headers: &self.route.param_headers,
            caller: &self.caller.identity,
            caller_era: self.caller.era,
            capabilities: self.caller.capabilities,
            sessions: self.caller.session().map(|session| &session.backends),
            progress: self.token.is_some(),
            log_level: None,
        };
        self.backend.call(call).await.map_err(|error| Failure::backend(&error))
    }

    /// What the caller is told of the backend's own error.
    pub(super) fn error(&self, code: i64, object: Bytes, backend: Era) -> Result<Bytes, Failure> {
        if self.carried == Carried::Complete && code == code::METHOD_NOT_FOUND {
            // Whether there are completions is one word for all backends; one that has none knows of no completion.
            return Ok(Bytes::from_static(match self.caller.era {
                Era::Legacy => br#"{"completion":{"values":[]}}"#,
                Era::Modern => br#"{"completion":{"values":[]},"resultType":"complete"}"#,
            }));
        }
        let uri = (self.subject == Subject::Resource).then_some(self.name);
        Err(Failure::passed(code, object, self.caller.era, backend, uri))
    }
}

/// What the backend says ahead of its answer, as its caller is told it: progress under the caller's own token, log messages that are as
/// severe as the caller wants, and between legacy peers whatever else there is. `None`: it is not for this caller.
pub(super) fn ahead(method: &str, params: &Bytes, caller: &Caller, backend: Era, token: Option<&str>) -> Option<Bytes> {
    let text = std::str::from_utf8(params).ok()?;
    match method {
        "notifications/progress" => {
            let params = RawObject::parse(text).ok()?;
            let mut rewritten = Vec::with_capacity(text.len() + token?.len());
            params.write(&[Edit::Set("progressToken", token?)], &mut rewritten);
            Some(notification(method, std::str::from_utf8(&rewritten).ok()).into())
        }
        "notifications/message" => {
            let level = RawObject::parse(text).ok()?.get_str("level").and_then(|level| LoggingLevel::parse(&level));
            is_wanted(caller, level).then(|| notification(method, Some(text)).into())
        }
        _ if caller.era == Era::Legacy && backend == Era::Legacy => Some(notification(method, Some(text)).into()),
        _ => None,
    }
}

/// Whether a caller wants a log message of this level: a modern one what its request asks for and nothing without that (2026-07-28,
/// server/utilities/logging), a legacy one what its session asks for, everything where it has not said (2025-11-25).
fn is_wanted(caller: &Caller, level: Option<LoggingLevel>) -> bool {
    match (caller.log_level, caller.era) {
        (Some(wanted), _) => level.is_some_and(|level| level >= wanted),
        (None, era) => era == Era::Legacy,
    }
}
