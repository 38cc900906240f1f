//! Calls without HTTP.

use super::{Inner, Origins, Snapshot};
use crate::{
    failure::Failure,
    lane::{Caller, Carried, Journal, Load, Requester},
    session::EndpointId,
};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::Arc;
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::ListKind,
    frame::{RawObject, json_string},
};

/// Calls without HTTP, on behalf of one caller. Speaks the modern era: no session is kept between calls.
pub struct Direct {
    inner: Arc<Inner>,
    endpoint: EndpointId,
    caller: Identity,
}

/// A JSON-RPC error: the backend's own, or the gateway's.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} (code {code})")]
#[non_exhaustive]
pub struct CallError {
    /// The JSON-RPC code.
    pub code: i64,
    /// What went wrong, naming backend and phase where it was one.
    pub message: String,
    /// The whole error object as JSON text.
    pub object: String,
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        let object = String::from_utf8_lossy(failure.object()).into_owned();
        let message = RawObject::parse(&object).ok().and_then(|object| object.get_str("message").map(std::borrow::Cow::into_owned));
        Self { code: failure.code(), message: message.unwrap_or_default(), object }
    }
}

/// Messages ahead of the answer have nowhere to go.
struct Unheard;

impl Requester for Unheard {
    async fn notified(&self, _message: Bytes) {}
}

impl Direct {
    pub(super) fn new(inner: Arc<Inner>, endpoint: EndpointId, caller: Identity) -> Self {
        Self { inner, endpoint, caller }
    }

    /// Calls a tool by its published name. Returns the result object as JSON text, `content`, `isError` and all.
    ///
    /// # Errors
    /// An unknown name, the backend's own error, or a backend that did not answer.
    pub async fn call_tool(&self, name: &str, arguments: &RawValue) -> Result<Box<RawValue>, CallError> {
        self.carry(Carried::ToolsCall, named(name, arguments)).await
    }

    /// Reads a resource. Returns the result object as JSON text.
    ///
    /// # Errors
    /// As [`Self::call_tool`].
    pub async fn read_resource(&self, uri: &str) -> Result<Box<RawValue>, CallError> {
        let mut params = b"{\"uri\":".to_vec();
        json_string(uri, &mut params);
        params.push(b'}');
        self.carry(Carried::ResourcesRead, params).await
    }

    /// Gets a prompt by its published name. Returns the result object as JSON text.
    ///
    /// # Errors
    /// As [`Self::call_tool`].
    pub async fn get_prompt(&self, name: &str, arguments: &RawValue) -> Result<Box<RawValue>, CallError> {
        self.carry(Carried::PromptsGet, named(name, arguments)).await
    }

    /// One list as its callers see it: a JSON array. Waits for slow backends at most for `aggregation.listWait`.
    ///
    /// # Errors
    /// When the list cannot be made.
    pub async fn list(&self, kind: ListKind) -> Result<Box<RawValue>, CallError> {
        let snapshot = self.snapshot()?;
        let caller = self.caller();
        let viewer = caller.viewer();
        let shown = snapshot.views.show(&viewer, snapshot.view(&viewer), kind).await;
        raw(shown.catalogue.published(kind))
    }

    /// Whose the tools of the list are, and which backends are not in it. Waits as [`Self::list`] does.
    pub async fn origins(&self) -> Origins {
        let Ok(snapshot) = self.snapshot() else { return Origins::default() };
        let caller = self.caller();
        let viewer = caller.viewer();
        let shown = snapshot.views.show(&viewer, snapshot.view(&viewer), ListKind::Tools).await;
        Origins::new(&snapshot, &self.caller, &shown)
    }

    async fn carry(&self, carried: Carried, params: Vec<u8>) -> Result<Box<RawValue>, CallError> {
        let text = String::from_utf8(params).map_err(|_| Failure::invalid_params("not UTF-8"))?;
        let params = RawObject::parse(&text).map_err(|error| Failure::invalid_params(&error.to_string()))?;
        let snapshot = self.snapshot()?;
        let caller = self.caller();
        let load = Load::new(&caller, carried, &params)?;
        // Begun and not ended, it would tell of a caller who has gone.
        let mut journal = Journal::begin(carried.method());
        let outcome = Box::pin(snapshot.carry(&load, &Unheard, &mut journal)).await;
        journal.end(&outcome);
        raw(&outcome?)
    }

    /// The endpoint as it is configured now; a reload may have taken it away.
    fn snapshot(&self) -> Result<Arc<Snapshot>, Failure> {
        let endpoint = self.inner.endpoints().of(&self.endpoint).cloned();
        endpoint.ok_or_else(|| Failure::new(crate::failure::code::INVALID_REQUEST, "the configuration has no such endpoint any more"))
    }

    fn caller(&self) -> Caller {
        Caller { identity: self.caller.clone(), era: Era::Modern, capabilities: CapabilitySet::NONE, log_level: None, session: None }
    }
}

fn raw(json: &Bytes) -> Result<Box<RawValue>, CallError> {
    let text = String::from_utf8(json.to_vec()).map_err(|_| Failure::new(-32603, "the answer is not UTF-8"))?;
    RawValue::from_string(text).map_err(|_| Failure::new(-32603, "the answer is not JSON").into())
}

/// The parameters of a tool's or a prompt's call, as JSON text.
fn named(name: &str, arguments: &RawValue) -> Vec<u8> {
    let mut params = b"{\"name\":".to_vec();
    json_string(name, &mut params);
    params.extend_from_slice(b",\"arguments\":");
    params.extend_from_slice(arguments.get().as_bytes());
    params.push(b'}');
    params
}
