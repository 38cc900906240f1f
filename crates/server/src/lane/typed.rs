//! The typed lane: what the gateway answers itself, with the protocol's own types around lists that stay raw.

use super::Caller;
use crate::{failure::Failure, gateway::Snapshot, views::Viewer};
use bytes::Bytes;
use rmcp::model::{CacheScope, DiscoverResult, Implementation, InitializeResult, JsonObject, ServerCapabilities};
use serde::Serialize;
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era, Revision,
    catalogue::{ListKind, merge_instructions},
    frame::{RawObject, json_string},
};

/// The list that a method asks for.
pub(crate) fn list_kind(method: &str) -> Option<ListKind> {
    ListKind::ALL.into_iter().find(|kind| kind.method() == method)
}

/// What the gateway says of itself.
pub(crate) struct ServerFacts {
    pub(crate) info: Implementation,
    /// The operator's instructions.
    pub(crate) instructions: Option<String>,
    /// `"_meta":{…}` for modern list results.
    meta: String,
}

impl ServerFacts {
    pub(crate) fn new(name: &str, version: &str, instructions: Option<String>) -> Self {
        let mut meta = b"\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":".to_vec();
        json_string(name, &mut meta);
        meta.extend_from_slice(b",\"version\":");
        json_string(version, &mut meta);
        meta.extend_from_slice(b"}}");
        let meta = String::from_utf8(meta).unwrap_or_default();
        Self { info: Implementation::new(name, version), instructions, meta }
    }
}

/// How long `server/discover` may be kept: it only changes with the configuration and the backends' instructions.
const DISCOVER_TTL_MS: u64 = 60_000;

/// What `initialize` settled.
pub(crate) struct Initialized {
    pub(crate) revision: Revision,
    pub(crate) capabilities: CapabilitySet,
    /// The result's JSON text.
    pub(crate) result: Bytes,
}

impl Snapshot {
    /// Answers `initialize` without waiting for anybody. Nothing is read but what is used: clients write the rest (`clientInfo`, icons,
    /// capabilities of their own) in more ways than any type has. `oldest` is the oldest revision that the client may ask for.
    pub(crate) fn initialize(&self, caller: &Identity, params: Option<&RawObject<'_>>, oldest: Revision) -> Result<Initialized, Failure> {
        let requested = params.and_then(|params| params.get_str("protocolVersion"));
        let requested = requested.ok_or_else(|| Failure::invalid_params("initialize: `protocolVersion` has to be a string"))?;
        let capabilities = declared(params.and_then(|params| params.get("capabilities")))?;
        let revision = negotiate(&requested, oldest);
        let mut result = InitializeResult::new(offered(self.extensions(caller, Era::Legacy)));
        result.protocol_version = serde_json::from_value(revision.as_str().into()).unwrap_or_default();
        result.server_info = self.facts.info.clone();
        result.instructions = self.instructions(caller, Era::Legacy);
        Ok(Initialized { revision, capabilities, result: json(&result)? })
    }

    /// Answers `server/discover`.
    pub(crate) fn discover(&self, caller: &Identity) -> Result<Bytes, Failure> {
        let versions = Revision::SERVED.iter().filter_map(|revision| serde_json::from_value(revision.as_str().into()).ok()).collect();
        let mut result = DiscoverResult::new(versions, offered(self.extensions(caller, Era::Modern)));
        result.instructions = self.instructions(caller, Era::Modern);
        result.ttl_ms = DISCOVER_TTL_MS;
        result.cache_scope = if self.admission.is_some() { CacheScope::Private } else { CacheScope::Public };
        json(&result.with_server_info(self.facts.info.clone()))
    }

    /// Answers one of the four list methods. Everything is on one page, so no cursor is ever valid.
    pub(crate) async fn list(&self, caller: &Caller, kind: ListKind, params: Option<&RawObject<'_>>) -> Result<Bytes, Failure> {
        if params.and_then(|params| params.get("cursor")).is_some_and(|cursor| cursor != "null") {
            return Err(Failure::invalid_params("unknown cursor: every list is one page"));
        }
        let viewer = caller.viewer();
        let shown = self.views.show(&viewer, self.view(&viewer), kind).await;
        let published = shown.catalogue.published(kind);
        let mut result = Vec::with_capacity(published.len() + 256);
        result.extend_from_slice(format!("{{\"{}\":", kind.result_key()).as_bytes());
        result.extend_from_slice(published);
        if caller.era == Era::Modern {
            let scope = if shown.private { "private" } else { "public" };
            let ttl = shown.ttl.as_millis();
            let hints = format!(",\"resultType\":\"complete\",\"ttlMs\":{ttl},\"cacheScope\":\"{scope}\",{}", self.facts.meta);
            result.extend_from_slice(hints.as_bytes());
        }
        result.push(b'}');
        if let Some(session) = caller.session() {
            session.saw(shown.key, self.generation, kind, *shown.catalogue.hash(kind));
        }
        Ok(result.into())
    }

    /// The extensions of the backends behind this endpoint, of those that are carried: Tasks (SEP-2663) and MCP Apps (SEP-1865). A modern
    /// client hears of them once (2026-07-28, basic/index), so a backend that has not been asked yet may have either. A backend of which the
    /// caller may see nothing has none for it.
    fn extensions(&self, caller: &Identity, era: Era) -> CapabilitySet {
        let either = CapabilitySet::TASKS.union(CapabilitySet::APPS);
        let viewer = Viewer { caller, era, capabilities: CapabilitySet::NONE, session: None };
        let view = self.admission.is_some().then(|| self.view(&viewer));
        let shown = self.shown().filter(|backend| view.as_ref().is_none_or(|view| !self.views.hides(view, backend.index())));
        let all = shown.fold(CapabilitySet::NONE, |all, backend| {
            let unasked = if era == Era::Modern { either } else { CapabilitySet::NONE };
            let pages = if self.views.has_pages(backend, era) { CapabilitySet::APPS } else { CapabilitySet::NONE };
            all.union(backend.extensions(era).unwrap_or(unasked)).union(pages)
        });
        if era == Era::Legacy { all.legacy() } else { all }
    }

    fn instructions(&self, caller: &Identity, era: Era) -> Option<String> {
        let mut backends = self.views.instructions(era, self.lens);
        if self.admission.is_some() {
            // A backend of which a caller may see nothing is not there.
            let viewer = Viewer { caller, era, capabilities: CapabilitySet::NONE, session: None };
            let view = self.view(&viewer);
            let named = |name: &str| self.shown().find(|backend| &**backend.name() == name);
            backends.retain(|(name, _)| named(name).is_some_and(|backend| self.views.sees(&view, backend.index())));
        }
        merge_instructions(self.facts.instructions.as_deref(), backends.iter().map(|(name, text)| (&**name, &**text)))
    }
}

/// What vmcp implements, whatever the backends have, and these extensions of theirs.
fn offered(extensions: CapabilitySet) -> ServerCapabilities {
    let mut offered = ServerCapabilities::builder()
        .enable_tools()
        .enable_tool_list_changed()
        .enable_resources()
        .enable_resources_list_changed()
        .enable_resources_subscribe()
        .enable_prompts()
        .enable_prompts_list_changed()
        .enable_completions()
        .build();
    offered.logging = Some(JsonObject::new());
    if extensions.extensions().next().is_some() {
        offered.extensions = Some(extensions.extensions().map(|name| (name.to_owned(), JsonObject::new())).collect());
    }
    offered
}

/// The revision asked for where it is served with sessions and not too old, else the newest one that is (2025-11-25, basic/lifecycle).
fn negotiate(requested: &str, oldest: Revision) -> Revision {
    Revision::parse(requested).filter(|revision| revision.era() == Era::Legacy && *revision >= oldest).unwrap_or(Revision::LATEST_LEGACY)
}

/// What a client declares. Left out is nothing, and so is an object that cannot be read.
fn declared(capabilities: Option<&str>) -> Result<CapabilitySet, Failure> {
    match capabilities {
        None | Some("null") => Ok(CapabilitySet::NONE),
        Some(text) if text.starts_with('{') => {
            let set = serde_json::from_str(text).ok().and_then(|value| CapabilitySet::from_json(&value)).unwrap_or_default();
            // Tasks as an extension are only for those who can be given one as a result (SEP-2663).
            Ok(CapabilitySet::from_bits(set.bits() & !CapabilitySet::TASKS.bits()))
        }
        Some(_) => Err(Failure::invalid_params("initialize: `capabilities` has to be an object")),
    }
}

fn json<T: Serialize>(value: &T) -> Result<Bytes, Failure> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|_| unwritable())
}

fn unwritable() -> Failure {
    Failure::new(crate::failure::code::INTERNAL, "the answer could not be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gateway;
    use vmcp_core::config::{Backend, Config};

    /// The revision and the capabilities that `initialize` settles, or its error's code.
    async fn initialize(params: &str) -> Result<(Revision, String), i64> {
        initialize_since(Revision::V2025_03_26, params).await
    }

    async fn initialize_since(oldest: Revision, params: &str) -> Result<(Revision, String), i64> {
        let backend = Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
        let gateway = Gateway::builder(Config::with_backends(vec![backend])).build().unwrap();
        let settled = gateway.inner.snapshot().initialize(&Identity::anonymous(), Some(&RawObject::parse(params).unwrap()), oldest);
        gateway.shutdown().await;
        settled.map(|settled| (settled.revision, settled.capabilities.to_json())).map_err(|failure| failure.code())
    }

    #[tokio::test]
    async fn initialize_takes_clients_however_they_write_what_is_not_used() {
        let version = r#""protocolVersion":"2025-06-18""#;
        for rest in [
            String::new(),
            r#","clientInfo":{"name":"x"}"#.to_owned(),
            r#","clientInfo":{"name":"x","version":"1","icons":[{"src":"a","sizes":"48x48"}]}"#.to_owned(),
            r#","clientInfo":7,"capabilities":null"#.to_owned(),
        ] {
            assert_eq!(initialize(&format!("{{{version}{rest}}}")).await, Ok((Revision::V2025_06_18, "{}".to_owned())), "{rest}");
        }
        for (capabilities, declared) in [
            (r#"{"experimental":{"x":true},"extensions":[1],"n":1e3}"#, "{}"),
            (r#"{"sampling":true,"roots":null}"#, r#"{"sampling":{},"roots":{}}"#),
            (r#"{"elicitation":{"form":{"applyDefaults":true},"modes":["form"]}}"#, r#"{"elicitation":{"form":{}}}"#),
            (r#"{"experimental":{"x":1e400}}"#, "{}"),
        ] {
            let settled = initialize(&format!(r#"{{{version},"capabilities":{capabilities}}}"#)).await;
            assert_eq!(settled, Ok((Revision::V2025_06_18, declared.to_owned())), "{capabilities}");
        }
    }

    #[tokio::test]
    async fn initialize_settles_on_a_revision_that_is_served_with_sessions() {
        for requested in ["2026-07-28", "2024-11-05", "DRAFT-2026-v1", ""] {
            let settled = initialize(&format!(r#"{{"protocolVersion":"{requested}"}}"#)).await;
            assert_eq!(settled.map(|(revision, _)| revision), Ok(Revision::LATEST_LEGACY), "{requested}");
        }
    }

    #[tokio::test]
    async fn clients_of_the_oldest_revision_are_served_where_it_can_be_spoken() {
        let settled = initialize_since(Revision::V2024_11_05, r#"{"protocolVersion":"2024-11-05"}"#).await;
        assert_eq!(settled.map(|(revision, _)| revision), Ok(Revision::V2024_11_05));
    }

    #[tokio::test]
    async fn what_initialize_does_use_has_to_be_there() {
        for params in ["{}", r#"{"protocolVersion":1}"#, r#"{"protocolVersion":"2025-11-25","capabilities":[]}"#] {
            assert_eq!(initialize(params).await, Err(-32602), "{params}");
        }
    }
}
