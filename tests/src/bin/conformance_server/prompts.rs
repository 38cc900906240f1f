//! What the prompts say.

use crate::{
    asking::{Asked, Question, Round},
    resources::PNG,
};
use rmcp::{
    ErrorData, RoleServer,
    model::{GetPromptRequestParams, GetPromptResponse, GetPromptResult},
    service::RequestContext,
};
use serde_json::{Value, json};

/// Answers `prompts/get`.
///
/// # Errors
/// When there is no prompt of this name, or the caller could not be asked.
pub(crate) async fn get(get: &GetPromptRequestParams, context: &RequestContext<RoleServer>) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| get.arguments.as_ref().and_then(|all| all.get(name)?.as_str()).unwrap_or_default();
    let messages = match &*get.name {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            vec![text(&format!("Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2")))]
        }
        "test_prompt_with_embedded_resource" => vec![
            json!({ "type": "resource", "resource": {
                "uri": argument("resourceUri"), "mimeType": "text/plain", "text": "Embedded resource content for testing."
            } }),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => {
            vec![json!({ "type": "image", "data": PNG, "mimeType": "image/png" }), text("Please analyze the image above.")]
        }
        "test_sometimes" => vec![text("This prompt is there at times.")],
        "test_input_required_result_prompt" => {
            let schema = json!({ "type": "object", "properties": { "context": { "type": "string" } }, "required": ["context"] });
            let question = Question::form("user_context", "What context should the prompt use?", &schema);
            match Round::of_prompt(get, context).ask(&[question]).await? {
                Asked::Ask(ask) => return Ok(GetPromptResponse::InputRequired(ask)),
                Asked::Answered(answers) => vec![text(&format!("The context is {}", answers["user_context"]["content"]))],
            }
        }
        other => return Err(ErrorData::invalid_params(format!("Unknown prompt: {other}"), None)),
    };
    let messages = messages.into_iter().map(|content| serde_json::from_value(json!({ "role": "user", "content": content })));
    let messages = messages.collect::<Result<_, _>>().map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(GetPromptResult::new(messages).into())
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}
