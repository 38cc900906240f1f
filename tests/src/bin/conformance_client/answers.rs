//! A user and a model that answer everything they are asked.

#![expect(deprecated, reason = "roots and sampling are part of all revisions that the suite speaks")]

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction,
        Implementation, ListRootsResult,
    },
    service::RequestContext,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

#[derive(Clone)]
pub(crate) struct User;

impl ClientHandler for User {
    fn get_info(&self) -> ClientConfig {
        let capabilities = read(json!({ "elicitation": {}, "sampling": {}, "roots": {} })).unwrap_or_default();
        ClientConfig::new(capabilities, Implementation::new("conformance-client", env!("CARGO_PKG_VERSION")))
    }

    /// Accepts, with the default of each field that has one and something that fits for the others (SEP-1034).
    async fn create_elicitation(&self, request: ElicitRequestParams, _: RequestContext<RoleClient>) -> Result<ElicitResult, ErrorData> {
        let request = serde_json::to_value(request).map_err(|error| misfit(&error))?;
        let fields = request["requestedSchema"]["properties"].as_object();
        let content: Map<_, _> = fields.into_iter().flatten().map(|(name, field)| (name.clone(), filled(field))).collect();
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(content)))
    }

    async fn create_message(&self, _: CreateMessageRequestParams, _: RequestContext<RoleClient>) -> Result<CreateMessageResult, ErrorData> {
        let content = json!({ "type": "text", "text": "An answer of a model" });
        read(json!({ "role": "assistant", "content": content, "model": "none", "stopReason": "endTurn" }))
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        read(json!({ "roots": [{ "uri": "file:///tmp/conformance", "name": "Nothing" }] }))
    }
}

fn filled(field: &Value) -> Value {
    if let Some(default) = field.get("default") {
        return default.clone();
    }
    match field["type"].as_str() {
        Some("boolean") => json!(true),
        Some("integer" | "number") => field.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("array") => json!([]),
        _ => field["enum"].get(0).or_else(|| field["oneOf"].get(0)?.get("const")).cloned().unwrap_or_else(|| json!("a value")),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| misfit(&error))
}

fn misfit(error: &serde_json::Error) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
