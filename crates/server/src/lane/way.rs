//! A request on its way: where it goes, and what of it is another one there.

use super::{
    Caller, Load, bridge,
    carried::{Carried, Subject},
    input::{MAX, Required, required},
    pages::{error_under_our_uri, under_our_uri},
    question::mode,
    route::Ground,
};
use crate::{
    failure::{Failure, code},
    session::updated,
    views::Told,
};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{ops::Deref, sync::Arc};
use vmcp_backend::{Backend, Call, Exchange};
use vmcp_core::{
    CapabilitySet, Era, LoggingLevel,
    catalogue::ParamHeader,
    frame::{Edit, RawObject, ResultTraits, elements, notification},
};

/// Where a request goes.
pub(super) struct Route {
    pub(super) backend: usize,
    /// The name or URI at the backend; `None` where it is the caller's.
    pub(super) original: Option<Arc<str>>,
    pub(super) param_headers: Arc<[ParamHeader]>,
    /// On what the caller was let through, where somebody decides that.
    pub(super) ground: Option<Ground>,
}

impl Route {
    pub(super) fn new(backend: usize, original: Option<&Arc<str>>, name: &str) -> Self {
        Self { backend, original: original.filter(|original| ***original != *name).cloned(), param_headers: Arc::default(), ground: None }
    }
}

/// One request and the backend that it goes to.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) backend: &'a Arc<Backend>,
    pub(super) load: &'a Load<'a>,
    pub(super) route: &'a Route,
    /// What the parameter that names the subject is at the backend, where it is another one: JSON text.
    pub(super) renamed: Option<&'a str>,
    /// The caller's progress token: JSON text.
    pub(super) token: Option<&'a str>,
}

impl<'a> Deref for Way<'a> {
    type Target = Load<'a>;

    fn deref(&self) -> &Load<'a> {
        self.load
    }
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
            mirror: self.carried.mirrored().map(|_| self.route.original.as_deref().unwrap_or(&self.name)),
            param_headers: &self.route.param_headers,
            caller: &self.caller.identity,
            caller_era: self.caller.era,
            capabilities: self.caller.capabilities,
            sessions: self.caller.session().map(|session| &session.backends),
            progress: self.token.is_some(),
            log_level: self.caller.log_level,
        };
        self.backend.call(call).await.map_err(|error| Failure::backend(&error))
    }

    /// A modern backend's result that asks its modern caller for input: passed on as it is, where it asks for nothing that the caller did
    /// not declare (2026-07-28, basic/patterns/mrtr).
    pub(super) fn asked_by_result(&self, result: Bytes) -> Result<Bytes, Failure> {
        let required = Required::read(std::str::from_utf8(&result).unwrap_or_default())?;
        for asked in &required.asked {
            let mode = mode(&asked.method, &asked.params);
            if !self.caller.capabilities.allows(&asked.method, mode.as_deref()) {
                let why = format!("backend `{}` asks for {}", self.backend.name(), asked.method);
                return Err(Failure::missing_capability(&why, needed(&asked.method, mode.as_deref())));
            }
        }
        Ok(result)
    }

    /// The backend's result as the caller wants it: of the caller's era, and of a resource under the caller's own URI.
    pub(super) fn result(&self, backend: Era, traits: ResultTraits, result: Bytes) -> Result<Bytes, Failure> {
        let result = bridge::result(self.carried, self.caller.era, backend, traits, result)?;
        Ok(match &self.route.original {
            Some(theirs) if self.carried == Carried::ResourcesRead => under_our_uri(result, theirs, &self.name),
            _ => result,
        })
    }

    /// What the caller is told of the backend's own error.
    pub(super) fn error(&self, code: i64, mut object: Bytes, backend: Era) -> Result<Bytes, Failure> {
        if self.carried == Carried::Complete && code == code::METHOD_NOT_FOUND {
            // Whether there are completions is one word for all backends; one that has none knows of no completion.
            return Ok(Bytes::from_static(match self.caller.era {
                Era::Legacy => br#"{"completion":{"values":[]}}"#,
                Era::Modern => br#"{"completion":{"values":[]},"resultType":"complete"}"#,
            }));
        }
        if code == code::URL_ELICITATION_REQUIRED
            && (self.caller.era, backend) == (Era::Modern, Era::Legacy)
            && self.carried.can_ask()
            && self.caller.capabilities.contains(CapabilitySet::ELICITATION_URL)
            && let Some(required) = urls(&object)
        {
            return Ok(required);
        }
        let uri = (self.subject == Subject::Resource).then_some(&*self.name);
        if let (Some(ours), Some(theirs)) = (uri, &self.route.original) {
            object = error_under_our_uri(object, theirs, ours);
        }
        Err(Failure::passed(code, object, self.caller.era, backend, uri))
    }

    /// What the backend says ahead of its answer, as its caller is told it. `None`: it is not for this caller.
    pub(super) fn ahead(&self, method: &str, params: &Bytes, era: Era) -> Option<Bytes> {
        ahead(method, params, self.caller, (self.backend, era), self.token, self.route.ground.as_ref())
    }
}

/// The capability that a question needs, as JSON text.
fn needed(method: &str, mode: Option<&str>) -> &'static str {
    match (method, mode) {
        ("sampling/createMessage", _) => r#"{"sampling":{}}"#,
        ("roots/list", _) => r#"{"roots":{}}"#,
        ("elicitation/create", Some("url")) => r#"{"elicitation":{"url":{}}}"#,
        ("elicitation/create", _) => r#"{"elicitation":{"form":{}}}"#,
        _ => "{}",
    }
}

/// The URLs that a legacy backend's error -32042 asks to be opened (2025-11-25, client/elicitation), as a modern result asks for them.
/// Nothing of it has to be remembered: the request that comes again is a new one.
fn urls(object: &Bytes) -> Option<Bytes> {
    let object = RawObject::parse(std::str::from_utf8(object).ok()?).ok()?;
    let data = object.get_object("data")?;
    let elicitations = elements(data.get("elicitations")?).ok()?;
    let mut asked = Vec::with_capacity(elicitations.len());
    for (index, elicitation) in elicitations.into_iter().take(MAX).enumerate() {
        let params = RawObject::parse(elicitation).ok()?;
        let mut written = Vec::new();
        params.write(&[Edit::Set("mode", "\"url\""), Edit::Remove("elicitationId")], &mut written);
        asked.push((format!("url-{}", index + 1), written));
    }
    let asked = asked.iter().map(|(key, params)| (key.as_str(), "elicitation/create", params.as_slice()));
    (asked.len() > 0).then(|| required(asked, None))
}

/// What the backend says ahead of its answer, as its caller is told it: progress under the caller's own token, log messages that are as
/// severe as the caller wants, and between legacy peers whatever else the caller's revision has, resources under the caller's own URIs.
/// `None`: it is not for this caller. `ground` is on what it was let through, where somebody decides that.
pub(super) fn ahead(
    method: &str,
    params: &Bytes,
    caller: &Caller,
    (backend, era): (&Backend, Era),
    token: Option<&str>,
    ground: Option<&Ground>,
) -> Option<Bytes> {
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
        _ if (caller.era, era) != (Era::Legacy, Era::Legacy) => None,
        "notifications/resources/updated" => {
            let told = caller.session().and_then(|session| session.followed(backend, text));
            // Where not everybody may read everything, of what its session follows alone, and of what it may read of that.
            if ground.is_some_and(|ground| told.as_ref().is_none_or(|told| !ground.tells(caller, backend, told))) {
                return None;
            }
            let renamed = updated(text, told.as_ref().map(Told::uri));
            Some(notification(method, Some(renamed.as_deref().unwrap_or(text))).into())
        }
        _ if caller.revision().has_notification(method) => Some(notification(method, Some(text)).into()),
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
