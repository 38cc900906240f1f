//! The Rust SDK's client with somebody behind it who answers what servers ask, and writes down what they tell.

#![expect(deprecated, reason = "sampling, roots and logging stay in use with servers of earlier revisions")]

use anyhow::{Context, Result};
use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ClientConfig, ContentBlock, CreateMessageRequestParams, CreateMessageResult,
        ElicitRequestParams, ElicitResult, ElicitationAction, GetPromptRequestParams, ListRootsResult, LoggingMessageNotificationParam,
        ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ResourceUpdatedNotificationParam,
    },
    service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, RequestContext, RunningService},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use vmcp_tests::{Era, PATIENCE};

/// What a server told or asked: the method, and the parameters.
type Heard = Vec<(&'static str, Value)>;

/// Somebody who answers.
#[derive(Clone)]
pub(crate) struct Person {
    heard: Arc<watch::Sender<Heard>>,
    roots: Arc<Mutex<Vec<String>>>,
    capabilities: Value,
}

/// Everything that a client can be asked, by the words of both eras.
fn everything() -> Value {
    json!({ "sampling": {}, "elicitation": { "form": {}, "url": {} }, "roots": { "listChanged": true } })
}

fn readable<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

impl Person {
    fn hears(&self, method: &'static str, params: impl serde::Serialize) {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.heard.send_modify(|heard| heard.push((method, params)));
    }

    /// How often something was told or asked that fits.
    pub(crate) fn count(&self, method: &str, fits: impl Fn(&Value) -> bool) -> usize {
        self.heard.borrow().iter().filter(|(heard, params)| *heard == method && fits(params)).count()
    }

    /// Waits until something was told or asked that fits.
    pub(crate) async fn hear(&self, method: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut heard = self.heard.subscribe();
        let find = |heard: &Heard| heard.iter().find(|(name, params)| *name == method && fits(params)).map(|(_, params)| params.clone());
        let wait = async { heard.wait_for(|heard| find(heard).is_some()).await.map(|heard| find(&heard)) };
        let found = tokio::time::timeout(PATIENCE, wait).await.ok().and_then(Result::ok).flatten();
        found.with_context(|| format!("{method} was not heard as expected; heard: {:?}", *self.heard.borrow()))
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.capabilities = serde_json::from_value(self.capabilities.clone()).unwrap_or_default();
        config
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.hears("sampling/createMessage", params);
        readable(
            json!({ "role": "assistant", "content": { "type": "text", "text": "tea it is" }, "model": "kettle-1", "stopReason": "endTurn" }),
        )
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        self.hears("roots/list", Value::Null);
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let roots: Vec<Value> = roots.iter().map(|uri| json!({ "uri": uri, "name": "workshop" })).collect();
        readable(json!({ "roots": roots }))
    }

    async fn create_elicitation(&self, params: ElicitRequestParams, _: RequestContext<RoleClient>) -> Result<ElicitResult, ErrorData> {
        let form = matches!(params, ElicitRequestParams::FormElicitationParams { .. });
        self.hears("elicitation/create", params);
        let accepted = ElicitResult::new(ElicitationAction::Accept);
        Ok(if form { accepted.with_content(json!({ "name": "Ann", "check": true, "integer": 7 })) } else { accepted })
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.hears("notifications/progress", params);
    }

    async fn on_logging_message(&self, params: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.hears("notifications/message", params);
    }

    async fn on_resource_updated(&self, params: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        self.hears("notifications/resources/updated", params);
    }
}

/// A connected client.
pub(crate) struct Client {
    /// The SDK's part.
    pub(crate) sdk: RunningService<RoleClient, Person>,
    /// Who answers.
    pub(crate) person: Person,
    url: String,
    era: Era,
}

impl Client {
    /// Connects in one era, and can be asked everything.
    pub(crate) async fn connect(url: &str, era: Era) -> Result<Self> {
        Self::connect_as(url, era, everything()).await
    }

    /// Another client like this one, that can be asked nothing.
    pub(crate) async fn quiet(&self) -> Result<Self> {
        Self::connect_as(&self.url, self.era, json!({})).await
    }

    async fn connect_as(url: &str, era: Era, capabilities: Value) -> Result<Self> {
        let roots = Arc::new(Mutex::new(vec!["file:///workshop/bench".to_owned()]));
        let person = Person { heard: Arc::new(watch::Sender::default()), roots, capabilities };
        let lifecycle = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        };
        let transport = StreamableHttpClientTransport::from_config(StreamableHttpClientTransportConfig::with_uri(url));
        let sdk = person.clone().serve_with_lifecycle(transport, lifecycle).await?;
        Ok(Self { sdk, person, url: url.to_owned(), era })
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, name: &str, arguments: Value) -> Result<CallToolResult> {
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments.as_object().cloned().unwrap_or_default());
        let call = tokio::time::timeout(PATIENCE, self.sdk.call_tool(params)).await;
        call.with_context(|| format!("{name} does not end"))?.with_context(|| name.to_owned())
    }

    /// Calls a tool that must succeed; returns its texts.
    pub(crate) async fn text(&self, name: &str, arguments: Value) -> Result<String> {
        let result = self.call(name, arguments).await?;
        let texts = result.content.iter().filter_map(ContentBlock::as_text).map(|text| text.text.clone());
        let texts = texts.collect::<Vec<_>>().join("\n");
        anyhow::ensure!(result.is_error != Some(true), "{name} failed: {texts}");
        Ok(texts)
    }

    /// Reads a resource; returns its first part.
    pub(crate) async fn read(&self, uri: &str) -> Result<Value> {
        let read = self.sdk.read_resource(ReadResourceRequestParams::new(uri)).await.with_context(|| uri.to_owned())?;
        Ok(serde_json::to_value(read)?["contents"][0].take())
    }

    /// Gets a prompt, as text.
    pub(crate) async fn prompt(&self, name: &str, arguments: Value) -> Result<String> {
        let mut prompt = GetPromptRequestParams::new(name);
        prompt.arguments = arguments.as_object().cloned();
        Ok(serde_json::to_string(&self.sdk.get_prompt(prompt).await.with_context(|| name.to_owned())?)?)
    }

    /// Has another root from now on, and says so.
    pub(crate) async fn moves_to(&self, root: &str) -> Result<()> {
        *self.person.roots.lock().unwrap_or_else(PoisonError::into_inner) = vec![root.to_owned()];
        Ok(self.sdk.notify_roots_list_changed().await?)
    }

    /// Says goodbye.
    pub(crate) async fn end(self) -> Result<()> {
        self.sdk.cancel().await?;
        Ok(())
    }
}
