//! The tools that answer themselves.

use crate::{
    asking::{Answers, Asked, Question, Round},
    changes::Change,
    handler::Handler,
    resources::{PNG, WAV},
};
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, ProgressNotificationParam},
    service::RequestContext,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// Between two messages of one call: the suite wants them apart.
const PAUSE: Duration = Duration::from_millis(50);

/// How long `test_reconnection` takes: longer than [`crate::http::STREAM`], after which the stream of its call ends.
pub(crate) const RECONNECTION: Duration = Duration::from_millis(400);

/// What a legacy session wants to read in the log.
#[derive(Clone, Default)]
pub(crate) struct LogLevel(Arc<AtomicU8>);

#[expect(deprecated, reason = "log messages are part of all revisions that the fixture speaks")]
mod logging {
    use super::{LogLevel, Ordering, RequestContext, RoleServer, Round, json};
    use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};

    impl LogLevel {
        pub(crate) fn set(&self, level: LoggingLevel) {
            self.0.store(level as u8, Ordering::SeqCst);
        }

        /// Writes at level `info` to a caller that wants to read it.
        pub(crate) async fn info(&self, text: &str, round: &Round<'_>, context: &RequestContext<RoleServer>) {
            let wanted = if round.is_modern() {
                context.meta.log_level().is_some_and(|level| level as u8 <= LoggingLevel::Info as u8)
            } else {
                self.0.load(Ordering::SeqCst) <= LoggingLevel::Info as u8
            };
            if wanted {
                let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(text)).with_logger("conformance-fixture");
                // A caller that is gone reads nothing.
                let _ = context.peer.notify_logging_message(message).await;
            }
        }
    }
}

/// Answers `tools/call`.
///
/// # Errors
/// When there is no tool of this name, or the caller cannot be asked what the tool wants to know.
pub(crate) async fn call(
    handler: &Handler,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let round = Round::of_tool(call, context);
    let argument = |name: &str| call.arguments.as_ref().and_then(|all| all.get(name)?.as_str()).unwrap_or_default();
    let result = match &*call.name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => content(vec![image()])?,
        "test_audio_content" => content(vec![json!({ "type": "audio", "data": WAV, "mimeType": "audio/wav" })])?,
        "test_embedded_resource" => {
            content(vec![resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])?
        }
        "test_multiple_content_types" => content(vec![
            json!({ "type": "text", "text": "Multiple content types test:" }),
            image(),
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ])?,
        "test_error_handling" => CallToolResult::error(vec![ContentBlock::text("This tool intentionally returns an error for testing")]),
        "test_tool_with_logging" => {
            for step in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                handler.log.info(step, &round, context).await;
                tokio::time::sleep(PAUSE).await;
            }
            text("Written to the log")
        }
        "test_logging_tool" => {
            handler.log.info("The tool is running", &round, context).await;
            text("Written to the log, if anybody reads it")
        }
        "test_tool_with_progress" => {
            report(context, &[0.0, 50.0, 100.0]).await;
            text("Reported all progress")
        }
        "test_reconnection" => {
            tokio::time::sleep(RECONNECTION).await;
            text("Arrived on another stream")
        }
        "json_schema_2020_12_tool" => text(&json!(call.arguments).to_string()),
        "test_custom_header" => text(argument("value")),
        "greet" => text(&format!("Hello, {}!", argument("name"))),
        "test_sometimes" => text("This tool is there at times."),
        "test_missing_capability" if round.capabilities().sampling.is_none() => {
            let needed = serde_json::from_value::<ClientCapabilities>(json!({ "sampling": {} })).map_err(|error| misfit(&error))?;
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        "test_missing_capability" => text("The caller has a model"),
        "test_trigger_tool_change" => changed(handler, Change::Tools),
        "test_trigger_prompt_change" => changed(handler, Change::Prompts),
        "test_trigger_resource_update" => changed(handler, Change::Resource("test://watched-resource")),
        "test_streaming_elicitation" => {
            report(context, &[0.0, 50.0]).await;
            return asked(round.ask(&[name()]).await?, |answers| format!("The name: {}", answers["user_name"]));
        }
        _ => return ask(&call.name, &round, argument).await,
    };
    Ok(result.into())
}

/// The tools that want an answer from their caller.
async fn ask<'a>(name_of_tool: &str, round: &Round<'_>, argument: impl Fn(&str) -> &'a str) -> Result<CallToolResponse, ErrorData> {
    let first = |answers: &Answers| answers.values().next().cloned().unwrap_or_default();
    match name_of_tool {
        "test_sampling" => {
            let question = Question::sampling("answer", argument("prompt"));
            asked(round.ask(&[question]).await?, |answers| format!("LLM response: {}", first(answers)["content"]))
        }
        "test_elicitation" => {
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": { "type": "string", "description": "User's response" },
                    "email": { "type": "string", "description": "User's email address" }
                },
                "required": ["username", "email"]
            });
            let question = Question::form("user", argument("message"), &schema);
            asked(round.ask(&[question]).await?, |answers| format!("User response: {}", first(answers)))
        }
        "test_elicitation_sep1034_defaults" => {
            let question = Question::form("user", "Please review the defaults", &with_defaults());
            asked(round.ask(&[question]).await?, |answers| format!("Elicitation completed: {}", first(answers)))
        }
        "test_elicitation_sep1330_enums" => {
            let question = Question::form("user", "Please choose", &with_choices());
            asked(round.ask(&[question]).await?, |answers| format!("Elicitation completed: {}", first(answers)))
        }
        "test_input_required_result_elicitation" => asked(round.ask(&[name()]).await?, |answers| {
            format!("Hello, {}!", answers["user_name"]["content"]["name"].as_str().unwrap_or("stranger"))
        }),
        "test_input_required_result_sampling" => {
            let question = Question::sampling("capital_question", "What is the capital of France?");
            asked(round.ask(&[question]).await?, |answers| format!("The model says: {}", first(answers)["content"]))
        }
        "test_input_required_result_list_roots" => {
            asked(round.ask(&[Question::roots("client_roots")]).await?, |answers| format!("The roots: {}", first(answers)["roots"]))
        }
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            round.state()?;
            let schema = json!({ "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"] });
            let question = Question::form("confirm", "Please confirm", &schema);
            asked(round.ask_with(&[question], Some(name_of_tool)).await?, |answers| format!("state-ok {}", answers["confirm"]))
        }
        "test_input_required_result_multiple_inputs" => {
            round.state()?;
            let questions = [name(), Question::sampling("greeting", "Generate a greeting"), Question::roots("client_roots")];
            asked(round.ask_with(&questions, Some(name_of_tool)).await?, |answers| json!(answers).to_string())
        }
        "test_input_required_result_multi_round" => rounds(round).await,
        "test_input_required_result_capabilities" => {
            let can = round.capabilities();
            let mut questions = Vec::new();
            questions.extend(can.elicitation.is_some().then(name));
            questions.extend(can.sampling.is_some().then(|| Question::sampling("greeting", "Generate a greeting")));
            questions.extend(can.roots.is_some().then(|| Question::roots("client_roots")));
            asked(round.ask(&questions).await?, |answers| json!(answers).to_string())
        }
        other => Err(ErrorData::invalid_params(format!("Unknown tool: {other}"), None)),
    }
}

/// Two questions, the second after the answer to the first; the state says which one was asked.
async fn rounds(round: &Round<'_>) -> Result<CallToolResponse, ErrorData> {
    let ask = |key: &'static str, message: &str, field: &str| {
        Question::form(key, message, &json!({ "type": "object", "properties": { field: { "type": "string" } }, "required": [field] }))
    };
    let known = match round.state()?.map(|state| state.split_once(' ').unwrap_or((state, ""))) {
        Some(("round-2", name)) => name.to_owned(),
        _ => match round.ask_with(&[ask("step1", "Step 1: What is your name?", "name")], Some("round-1")).await? {
            Asked::Ask(more) => return Ok(CallToolResponse::InputRequired(more)),
            Asked::Answered(answers) => answers["step1"]["content"]["name"].as_str().unwrap_or("stranger").to_owned(),
        },
    };
    let state = format!("round-2 {known}");
    let second = ask("step2", "Step 2: What is your favorite color?", "color");
    asked(round.ask_with(&[second], Some(&state)).await?, |answers| format!("{known} likes {}", answers["step2"]["content"]["color"]))
}

fn name() -> Question {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    Question::form("user_name", "What is your name?", &schema)
}

fn asked(asked: Asked, answer: impl FnOnce(&Answers) -> String) -> Result<CallToolResponse, ErrorData> {
    Ok(match asked {
        Asked::Ask(more) => CallToolResponse::InputRequired(more),
        Asked::Answered(answers) => text(&answer(&answers)).into(),
    })
}

fn with_defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": { "type": "string", "description": "User status", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "description": "Verification status", "default": true }
        },
        "required": []
    })
}

fn with_choices() -> Value {
    let titled = json!([
        { "const": "value1", "title": "First" }, { "const": "value2", "title": "Second" }, { "const": "value3", "title": "Third" }
    ]);
    let options = json!(["option1", "option2", "option3"]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": options },
            "titledSingle": { "type": "string", "oneOf": titled },
            "legacyEnum": { "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"] },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
            "titledMulti": { "type": "array", "items": { "anyOf": titled } }
        },
        "required": []
    })
}

/// Progress towards 100, with a pause after each step; nothing but the pauses for a caller that did not ask for it.
async fn report(context: &RequestContext<RoleServer>, steps: &[f64]) {
    let token = context.meta.get_progress_token();
    for &step in steps {
        if let Some(token) = token.clone() {
            // A caller that is gone reads nothing.
            let _ = context.peer.notify_progress(ProgressNotificationParam::new(token, step).with_total(100.0)).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn changed(handler: &Handler, change: Change) -> CallToolResult {
    handler.shared.changes.happen(change);
    text("Changed")
}

fn text(text: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

fn resource(uri: &str, kind: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": { "uri": uri, "mimeType": kind, "text": text } })
}

fn content(blocks: Vec<Value>) -> Result<CallToolResult, ErrorData> {
    let blocks = blocks.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map_err(|error| misfit(&error))?;
    Ok(CallToolResult::success(blocks))
}

fn misfit(error: &serde_json::Error) -> ErrorData {
    ErrorData::internal_error(format!("the fixture and the SDK disagree about a message: {error}"), None)
}
