//! The Tasks extension (SEP-2663): a task's id names its backend and its owner, so that later requests find their way without a table.

use super::{Caller, Onlooker, Requester, carried::Subject, route::Sought, way::ahead};
use crate::{
    admission::{Asks, rights},
    failure::{Failure, code},
    gateway::Snapshot,
    session::principal_hash,
};
use bytes::Bytes;
use std::sync::Arc;
use vmcp_auth::Identity;
use vmcp_backend::{Backend, Call, Event};
use vmcp_core::{
    CapabilitySet, Era,
    frame::{Edit, RawObject, ResultKind, json_string},
};

/// What a request has to declare for tasks, as JSON text.
const REQUIRED: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
/// The key of `_meta` that names a task.
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// A backend's longer id cannot be sealed, nor that of a task of a tool with a longer name.
const MAX_ID: usize = 1024;

/// The methods of the extension, all about one task.
pub(crate) fn is_task_method(method: &str) -> bool {
    matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel")
}

/// A task at its backend.
pub(crate) struct TaskRoute {
    /// The backend's place in the configuration.
    pub(crate) backend: usize,
    /// The id there.
    pub(crate) original: String,
    pub(crate) began: Began,
}

/// The call that became a task.
pub(crate) struct Began {
    /// The backend's name.
    pub(crate) backend: Arc<str>,
    /// The tool that was called, as its caller knows it.
    pub(crate) tool: Box<str>,
}

impl Snapshot {
    /// Carries a request about a task to the backend that has it.
    pub(crate) async fn carry_task(
        &self,
        caller: &Caller,
        method: &str,
        params: &RawObject<'_>,
        requester: &impl Requester,
    ) -> Result<Bytes, Failure> {
        check_declared(caller)?;
        let id = params.get_str("taskId").ok_or_else(|| Failure::invalid_params("`taskId` has to be a string"))?;
        let unknown =
            || Failure::invalid_params("Unknown task: this id was not given to this caller, or its backend is not there any more");
        let route = self.own_task(caller, &id).ok_or_else(unknown)?;
        let backend = self.backends.get(route.backend).ok_or_else(unknown)?;
        let token = params.meta().and_then(|meta| meta.get("progressToken"));
        let _place = self.shares.enter(caller, !self.authenticator.is_anonymous(), self.limits.max_per_session)?;
        let original = literal(&route.original);
        let set = [Edit::Set("taskId", &original)];
        let call = Call {
            method,
            params,
            set: &set,
            mirror: Some(&route.original),
            param_headers: &[],
            caller: &caller.identity,
            caller_era: Era::Modern,
            capabilities: caller.capabilities,
            sessions: None,
            progress: token.is_some(),
            log_level: caller.log_level,
        };
        let mut exchange = backend.call(call).await.map_err(|error| Failure::backend(&error))?;
        if exchange.era() == Era::Legacy {
            return Err(unknown());
        }
        loop {
            match exchange.next().await.map_err(|error| Failure::backend(&error))? {
                Event::Result(result) => match exchange.result_traits().kind {
                    ResultKind::Complete => return self.told(caller, &route.began, result).await,
                    ResultKind::Absent => {
                        let result = with_type(&result).ok_or_else(unreadable)?;
                        return self.told(caller, &route.began, result).await;
                    }
                    _ => return Err(unreadable()),
                },
                Event::Error { code, object } => return Err(Failure::passed(code, object, Era::Modern, Era::Modern, None)),
                Event::Notification { method, params } => {
                    if let Some(message) = ahead(&method, &params, caller, (backend, Era::Modern), token, None) {
                        requester.notified(message).await;
                    }
                }
                // Modern backends ask in their results.
                Event::Request { .. } | Event::Withdrawn { .. } => {}
            }
        }
    }

    /// What a caller is told of a task.
    async fn told(&self, caller: &Caller, began: &Began, told: Bytes) -> Result<Bytes, Failure> {
        let told = self.with_sealed_ids(told, &began.backend, &began.tool, &caller.identity);
        match Onlooker::new(&self.interceptors, &caller.identity) {
            // Boxed: what is rare must not make every request's future larger.
            Some(onlooker) => Box::pin(onlooker.seen(began, told)).await,
            None => Ok(told),
        }
    }

    /// The result of a call of `tool` that became a task, for a caller that declared the extension.
    pub(super) fn task_begun(&self, caller: &Caller, backend: &Arc<Backend>, tool: &str, result: Bytes) -> Result<Bytes, Failure> {
        check_declared(caller)?;
        if !has_usable_id(&result) || tool.len() > MAX_ID {
            return Err(Failure::new(code::INTERNAL, "the backend made a task of the call without an id that can be carried"));
        }
        Ok(self.with_sealed_ids(result, backend.name(), tool, &caller.identity))
    }

    /// The id by which a caller knows a task of a tool. `None` when it cannot be sealed.
    fn seal_task(&self, caller: &Identity, backend: &str, tool: &str, original: &str) -> Option<String> {
        if original.len() > MAX_ID {
            return None;
        }
        // The id last: what is in front of it has no NUL.
        let plain = [backend, &tool.replace('\0', ""), original].join("\0");
        self.seals.seal_task(&self.bound_task(caller), plain.as_bytes())
    }

    /// The task behind an id that this caller was given, if it may still use the task's tool.
    pub(crate) fn own_task(&self, caller: &Caller, id: &str) -> Option<TaskRoute> {
        let plain = String::from_utf8(self.seals.open_task(&self.bound_task(&caller.identity), id)?).ok()?;
        let (name, rest) = plain.split_once('\0')?;
        let (tool, original) = rest.split_once('\0')?;
        let backend = self.shown().find(|backend| &**backend.name() == name)?;
        if self.admission.is_some() {
            let key = self.key(&caller.viewer());
            let sought = Sought { caller, key: &key, subject: Subject::Tool, name: tool, asks: Asks::Look };
            self.admit(&sought, backend.index()).ok()?;
        }
        let began = Began { backend: Arc::clone(backend.name()), tool: tool.into() };
        Some(TaskRoute { backend: backend.index(), original: original.to_owned(), began })
    }

    /// Whom and what a sealed text is for: a caller at this endpoint.
    pub(super) fn bound(&self, caller: &Identity) -> Vec<u8> {
        let mut bound = principal_hash(caller.principal()).to_vec();
        bound.extend_from_slice(self.endpoint.seal().as_bytes());
        bound
    }

    /// Whom and what a task's id is for. Where arguments decide what a caller may do, those of the call that became the task are known no
    /// more: there the id is good with credentials alone that allow what the one did which began it.
    fn bound_task(&self, caller: &Identity) -> Vec<u8> {
        let mut bound = self.bound(caller);
        if self.admission.as_ref().is_some_and(|admission| admission.reads_arguments()) {
            bound.extend_from_slice(&rights(caller));
        }
        bound
    }

    /// A result, or the parameters of a notification, with the ids that the caller knows.
    fn with_sealed_ids(&self, text: Bytes, backend: &str, tool: &str, caller: &Identity) -> Bytes {
        let sealed = |id: &str| self.seal_task(caller, backend, tool, id).map(|id| literal(&id));
        with_ids(&text, sealed).unwrap_or(text)
    }
}

/// Whether a result names its task by an id that can be sealed: nobody could follow it by another.
fn has_usable_id(result: &Bytes) -> bool {
    let object = std::str::from_utf8(result).ok().and_then(|text| RawObject::parse(text).ok());
    object.and_then(|object| Some(object.get_str("taskId")?.len() <= MAX_ID)).unwrap_or(false)
}

/// The text with every task's id in it changed. `None` where there is none.
fn with_ids(text: &Bytes, sealed: impl Fn(&str) -> Option<String>) -> Option<Bytes> {
    let object = RawObject::parse(std::str::from_utf8(text).ok()?).ok()?;
    let id = object.get_str("taskId").and_then(|id| sealed(&id));
    let meta = object.meta().and_then(|meta| {
        let related = meta.get_object(RELATED)?;
        let id = sealed(&related.get_str("taskId")?)?;
        let related = written(&related, &[Edit::Set("taskId", &id)])?;
        written(meta, &[Edit::Set(RELATED, &related)])
    });
    let edits: Vec<_> = id.iter().map(|id| Edit::Set("taskId", id)).chain(meta.iter().map(|meta| Edit::Set("_meta", meta))).collect();
    if edits.is_empty() { None } else { written(&object, &edits).map(Bytes::from) }
}

fn written(object: &RawObject<'_>, edits: &[Edit<'_>]) -> Option<String> {
    let mut out = Vec::with_capacity(object.text().len() + 128);
    object.write(edits, &mut out);
    String::from_utf8(out).ok()
}

fn with_type(result: &Bytes) -> Option<Bytes> {
    let object = RawObject::parse(std::str::from_utf8(result).ok()?).ok()?;
    written(&object, &[Edit::Set("resultType", "\"complete\"")]).map(Bytes::from)
}

fn literal(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    json_string(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn check_declared(caller: &Caller) -> Result<(), Failure> {
    if caller.era == Era::Legacy {
        return Err(Failure::new(code::INTERNAL, "the backend made a task of the call, which this client's revision cannot follow"));
    }
    if caller.capabilities.contains(CapabilitySet::TASKS) {
        return Ok(());
    }
    Err(Failure::missing_capability("this needs the extension io.modelcontextprotocol/tasks", REQUIRED))
}

fn unreadable() -> Failure {
    Failure::new(code::INTERNAL, "the backend's result is of a type that was not negotiated")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &'static str) -> Option<String> {
        let ids = with_ids(&Bytes::from_static(text.as_bytes()), |id| (id.len() < 5).then(|| literal(&format!("<{id}>"))));
        ids.map(|ids| String::from_utf8(ids.to_vec()).unwrap())
    }

    #[test]
    fn a_task_has_an_id_that_can_be_carried() {
        let usable = |id: &str| has_usable_id(&Bytes::from(format!(r#"{{"resultType":"task","taskId":{id}}}"#)));
        assert!(usable(r#""a""#) && usable(&format!("{:?}", "x".repeat(MAX_ID))));
        assert!(!usable("1") && !usable("null") && !usable(&format!("{:?}", "x".repeat(MAX_ID + 1))));
        assert!(!has_usable_id(&Bytes::from_static(br#"{"resultType":"task"}"#)));
    }

    #[test]
    fn every_id_of_a_task_is_changed_and_nothing_else() {
        assert_eq!(
            changed(r#"{"resultType":"task","taskId":"a","n":1e400,"_meta":{"x":1,"io.modelcontextprotocol/related-task":{"taskId":"b","y":2}}}"#).unwrap(),
            r#"{"resultType":"task","taskId":"<a>","n":1e400,"_meta":{"x":1,"io.modelcontextprotocol/related-task":{"taskId":"<b>","y":2}}}"#
        );
        assert_eq!(changed(r#"{"resultType":"complete","result":{"taskId":"a"}}"#), None);
    }
}
