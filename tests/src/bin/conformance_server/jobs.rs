//! Tools that go on as tasks (SEP-2663).
//!
//! The SDK does not send `notifications/tasks` on a subscription; the suite does not look for them.

use crate::asking::{Asked, Question, Round};
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult, InputRequest},
    service::RequestContext,
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions},
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the jobs run that are not told how long.
const A_MOMENT: Duration = Duration::from_millis(200);

/// How often a client should look, in milliseconds.
const POLL: u64 = 200;

/// The longest that `slow_compute` computes.
const LONGEST: f64 = 600.0;

/// Answers a call of one of these tools; `None` when the tool is not one of them.
///
/// # Errors
/// When the tool needs tasks and the caller does not know them.
pub(crate) async fn call(
    tasks: &TaskManager,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let round = Round::of_tool(call, context);
    let knows_tasks = round.is_modern() && round.capabilities().supports_tasks();
    let start = |job: fn(TaskContext, Value) -> TaskFuture| {
        if !knows_tasks {
            return Err(ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_tasks().build()));
        }
        let arguments = json!(call.arguments);
        let task = tasks.spawn(TaskOptions::new().with_poll_interval_ms(POLL), |context| job(context, arguments));
        Ok(Some(CallToolResponse::Task(CreateTaskResult::new(task))))
    };
    match &*call.name {
        "slow_compute" if knows_tasks => start(|context, arguments| Box::pin(compute(context, arguments))),
        "slow_compute" => {
            let arguments = json!(call.arguments);
            tokio::select! {
                () = tokio::time::sleep(length(&arguments)) => Ok(Some(computed(&arguments).into())),
                () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
            }
        }
        "failing_job" => start(|context, _| Box::pin(fail(context))),
        "protocol_error_job" => start(|_, _| {
            Box::pin(async {
                tokio::time::sleep(A_MOMENT).await;
                Err(TaskExit::Error(ErrorData::internal_error("This job ends in a protocol error", None)))
            })
        }),
        "confirm_delete" => start(|context, arguments| Box::pin(delete(context, arguments))),
        "multi_input" => start(|context, _| Box::pin(ask_both(context))),
        "test_tool_with_task" => {
            let name = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
            match round.ask_with(&[Question::form("user_name", "What is your name?", &name)], Some("test_tool_with_task")).await? {
                Asked::Ask(ask) => Ok(Some(CallToolResponse::InputRequired(ask))),
                Asked::Answered(answers) => {
                    let text = format!("Hello from a task, {}!", answers["user_name"]["content"]["name"].as_str().unwrap_or("stranger"));
                    if !knows_tasks {
                        return Ok(Some(CallToolResult::success(vec![ContentBlock::text(text)]).into()));
                    }
                    let task = tasks.spawn(TaskOptions::new().with_poll_interval_ms(POLL), |_| {
                        Box::pin(async {
                            tokio::time::sleep(A_MOMENT).await;
                            Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
                        })
                    });
                    Ok(Some(CallToolResponse::Task(CreateTaskResult::new(task))))
                }
            }
        }
        _ => Ok(None),
    }
}

fn length(arguments: &Value) -> Duration {
    Duration::from_secs_f64(arguments["seconds"].as_f64().unwrap_or(1.0).clamp(0.0, LONGEST))
}

fn computed(arguments: &Value) -> CallToolResult {
    let label = arguments["label"].as_str().unwrap_or("nothing");
    CallToolResult::success(vec![ContentBlock::text(format!("Computed {label} in {:?}", length(arguments)))])
}

async fn compute(context: TaskContext, arguments: Value) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = tokio::time::sleep(length(&arguments)) => Ok(computed(&arguments)),
        () = context.cancelled() => Err(TaskExit::Cancelled),
    }
}

async fn fail(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = tokio::time::sleep(A_MOMENT) => Ok(CallToolResult::error(vec![ContentBlock::text("This job always fails")])),
        () = context.cancelled() => Err(TaskExit::Cancelled),
    }
}

fn confirmation(message: &str) -> Result<InputRequest, TaskExit> {
    let schema = json!({ "type": "object", "properties": { "confirm": { "type": "boolean" } }, "required": ["confirm"] });
    let request = json!({ "method": "elicitation/create", "params": { "message": message, "requestedSchema": schema } });
    serde_json::from_value(request).map_err(|error| TaskExit::Error(ErrorData::internal_error(error.to_string(), None)))
}

async fn delete(context: TaskContext, arguments: Value) -> Result<CallToolResult, TaskExit> {
    let file = arguments["filename"].as_str().unwrap_or("a file");
    let answer = context.request_input("confirm", confirmation(&format!("Delete {file}?"))?).await?;
    let done = if answer["content"]["confirm"] == true { "Deleted" } else { "Kept" };
    Ok(CallToolResult::success(vec![ContentBlock::text(format!("{done} {file}"))]))
}

async fn ask_both(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let first = context.request_input("first", confirmation("The first?")?);
    let second = context.request_input("second", confirmation("The second?")?);
    let (first, second) = tokio::join!(first, second);
    let text = format!("The first: {}, the second: {}", first?["content"], second?["content"]);
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
}
