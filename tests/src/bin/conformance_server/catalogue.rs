//! What the server offers: tools, prompts, resources and templates, as they stand in its lists.

use anyhow::{Context, Result};
use rmcp::model::{Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The lists of the server.
pub(crate) struct Catalogue {
    pub(crate) capabilities: ServerCapabilities,
    /// In the order of the list. The first can be called without arguments: a scenario calls whatever comes first.
    pub(crate) tools: Vec<Tool>,
    /// Comes and goes with `test_trigger_tool_change`.
    pub(crate) sometimes_tool: Tool,
    pub(crate) prompts: Vec<Prompt>,
    /// Comes and goes with `test_trigger_prompt_change`.
    pub(crate) sometimes_prompt: Prompt,
    pub(crate) resources: Vec<Resource>,
    pub(crate) templates: Vec<ResourceTemplate>,
}

impl Catalogue {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            capabilities: read(capabilities())?,
            tools: tools().into_iter().map(read).collect::<Result<_>>()?,
            sometimes_tool: read(plain("test_sometimes", "Is in the list every other time that the list changes"))?,
            prompts: read(prompts())?,
            sometimes_prompt: read(json!({ "name": "test_sometimes", "description": "Is in the list every other time that it changes" }))?,
            resources: read(resources())?,
            templates: read(templates())?,
        })
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("the catalogue does not fit the SDK's types")
}

fn capabilities() -> Value {
    json!({
        "tools": { "listChanged": true },
        "prompts": { "listChanged": true },
        "resources": { "subscribe": true },
        "logging": {},
        "completions": {},
        "extensions": { "io.modelcontextprotocol/tasks": {} }
    })
}

fn tool(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "description": description, "inputSchema": schema })
}

/// A tool without arguments.
fn plain(name: &str, description: &str) -> Value {
    tool(name, description, &json!({ "type": "object", "properties": {} }))
}

/// A tool with one required string.
fn one(name: &str, description: &str, argument: &str) -> Value {
    tool(name, description, &json!({ "type": "object", "properties": { argument: { "type": "string" } }, "required": [argument] }))
}

fn tools() -> Vec<Value> {
    let seconds = json!({
        "type": "object",
        "properties": { "seconds": { "type": "number", "minimum": 0 }, "label": { "type": "string" } }
    });
    let mirrored = json!({
        "type": "object",
        "properties": { "value": { "type": "string", "x-mcp-header": "Value" } },
        "required": ["value"]
    });
    vec![
        plain("test_simple_text", "Returns a text"),
        plain("test_image_content", "Returns an image"),
        plain("test_audio_content", "Returns a sound"),
        plain("test_embedded_resource", "Returns a resource"),
        plain("test_multiple_content_types", "Returns a text, an image and a resource"),
        plain("test_tool_with_logging", "Writes three log messages while it runs"),
        plain("test_tool_with_progress", "Reports progress three times while it runs"),
        plain("test_error_handling", "Always fails"),
        plain("test_reconnection", "Takes longer than the stream of its call lives"),
        one("test_sampling", "Asks the caller's model", "prompt"),
        one("test_elicitation", "Asks the user for a name and an address", "message"),
        plain("test_elicitation_sep1034_defaults", "Asks the user with a default for each kind of field"),
        plain("test_elicitation_sep1330_enums", "Asks the user with each kind of choice"),
        tool("json_schema_2020_12_tool", "Has an input schema with the vocabulary of 2020-12", &schema_2020_12()),
        tool("test_custom_header", "Has an argument that is mirrored in a header", &mirrored),
        plain("test_missing_capability", "Needs the caller's model"),
        plain("test_streaming_elicitation", "Reports progress, then asks the user"),
        plain("test_logging_tool", "Writes a log message if the caller wants any"),
        plain("test_trigger_tool_change", "Changes the list of tools"),
        plain("test_trigger_prompt_change", "Changes the list of prompts"),
        plain("test_trigger_resource_update", "Updates test://watched-resource"),
        plain("test_input_required_result_elicitation", "Asks for a name"),
        plain("test_input_required_result_sampling", "Asks for the capital of France"),
        plain("test_input_required_result_list_roots", "Asks for the roots"),
        plain("test_input_required_result_request_state", "Asks for a confirmation and hands out a state"),
        plain("test_input_required_result_multiple_inputs", "Asks three things at once"),
        plain("test_input_required_result_multi_round", "Asks twice, one thing after the other"),
        plain("test_input_required_result_tampered_state", "Asks for a confirmation and checks the state that comes back"),
        plain("test_input_required_result_capabilities", "Asks what the caller can answer"),
        one("greet", "Greets at once", "name"),
        tool("slow_compute", "Takes some seconds, as a task if the caller knows tasks", &seconds),
        plain("failing_job", "A task that fails"),
        plain("protocol_error_job", "A task that ends in a protocol error"),
        one("confirm_delete", "A task that asks for a confirmation", "filename"),
        plain("multi_input", "A task that asks two things at once"),
        plain("test_tool_with_task", "Asks for a name, then goes on as a task"),
    ]
}

/// The schema of the scenario `json-schema-2020-12`, keyword for keyword.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    })
}

fn prompts() -> Value {
    json!([
        { "name": "test_simple_prompt", "description": "A prompt without arguments" },
        {
            "name": "test_prompt_with_arguments",
            "description": "A prompt with two arguments",
            "arguments": [
                { "name": "arg1", "description": "The first", "required": true },
                { "name": "arg2", "description": "The second", "required": true }
            ]
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "A prompt with a resource in it",
            "arguments": [{ "name": "resourceUri", "description": "Which resource", "required": true }]
        },
        { "name": "test_prompt_with_image", "description": "A prompt with an image in it" },
        { "name": "test_input_required_result_prompt", "description": "A prompt that asks for its context" }
    ])
}

fn resources() -> Value {
    json!([
        { "uri": "test://static-text", "name": "static-text", "description": "A text", "mimeType": "text/plain" },
        { "uri": "test://static-binary", "name": "static-binary", "description": "An image", "mimeType": "image/png" },
        { "uri": "test://watched-resource", "name": "watched-resource", "description": "Can be watched", "mimeType": "text/plain" }
    ])
}

fn templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data of an id",
        "mimeType": "application/json"
    }])
}
