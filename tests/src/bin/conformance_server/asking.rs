//! Asking the caller something in the way of its era: requests on the call's stream up to 2025-11-25, `input_required` from 2026-07-28 on.

use crate::sealed;
use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, ClientCapabilities, ClientResult, GetPromptRequestParams, InputRequiredResult, InputResponses, ServerRequest,
    },
    service::{Peer, RequestContext},
};
use serde_json::{Value, json};
use std::{future::poll_fn, pin::Pin, task::Poll};

/// What is asked: the method and params of a request to the client, under the key that its answer comes back with.
pub(crate) struct Question {
    key: &'static str,
    method: &'static str,
    params: Value,
}

/// Answers by key.
pub(crate) type Answers = serde_json::Map<String, Value>;

/// An answer on its way.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, ErrorData>> + Send + 'a>>;

/// Either all answers, or what a modern caller has to be sent so that it comes back with them.
pub(crate) enum Asked {
    Answered(Answers),
    Ask(InputRequiredResult),
}

/// What a caller brought to this round of its call.
pub(crate) struct Round<'a> {
    context: &'a RequestContext<RoleServer>,
    responses: Option<&'a InputResponses>,
    state: Option<&'a str>,
}

impl Question {
    /// A form for the user. `schema` is a JSON Schema of an object with flat properties.
    pub(crate) fn form(key: &'static str, message: &str, schema: &Value) -> Self {
        Self { key, method: "elicitation/create", params: json!({ "message": message, "requestedSchema": schema }) }
    }

    /// A prompt for the client's model.
    pub(crate) fn sampling(key: &'static str, prompt: &str) -> Self {
        let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
        Self { key, method: "sampling/createMessage", params: json!({ "messages": [message], "maxTokens": 100 }) }
    }

    /// The client's roots.
    pub(crate) fn roots(key: &'static str) -> Self {
        Self { key, method: "roots/list", params: json!({}) }
    }

    fn request(&self) -> Value {
        json!({ "method": self.method, "params": self.params })
    }

    /// Whether `answer` can be an answer to this question at all.
    fn fits(&self, answer: &Value) -> bool {
        match self.method {
            "elicitation/create" => answer["action"].is_string(),
            "sampling/createMessage" => answer.get("content").is_some(),
            _ => answer["roots"].is_array(),
        }
    }
}

impl<'a> Round<'a> {
    pub(crate) fn of_tool(call: &'a CallToolRequestParams, context: &'a RequestContext<RoleServer>) -> Self {
        Self { context, responses: call.input_responses.as_ref(), state: call.request_state.as_deref() }
    }

    pub(crate) fn of_prompt(get: &'a GetPromptRequestParams, context: &'a RequestContext<RoleServer>) -> Self {
        Self { context, responses: get.input_responses.as_ref(), state: get.request_state.as_deref() }
    }

    /// Whether the caller has no sessions and cannot be sent requests.
    pub(crate) fn is_modern(&self) -> bool {
        self.context.protocol_version().is_some_and(|version| version.as_str() >= "2026-07-28")
    }

    /// What the caller can be asked, by its own words on this request or at the beginning of its session.
    pub(crate) fn capabilities(&self) -> ClientCapabilities {
        self.context.client_capabilities().unwrap_or_default()
    }

    /// What was sealed in the state that the caller brought, `None` when it brought none.
    pub(crate) fn state(&self) -> Result<Option<&'a str>, ErrorData> {
        self.state.map(sealed::open).transpose()
    }

    /// Asks without a state.
    pub(crate) async fn ask(&self, questions: &[Question]) -> Result<Asked, ErrorData> {
        self.ask_with(questions, None).await
    }

    /// Asks. A modern caller that has not answered everything gets all questions and `state`.
    pub(crate) async fn ask_with(&self, questions: &[Question], state: Option<&str>) -> Result<Asked, ErrorData> {
        if !self.is_modern() {
            return self.ask_over_the_session(questions).await.map(Asked::Answered);
        }
        let answer = |question: &Question| {
            let answer = self.responses?.get(question.key).filter(|answer| question.fits(answer))?;
            Some((question.key.to_owned(), answer.clone()))
        };
        if let Some(answers) = questions.iter().map(answer).collect::<Option<Answers>>() {
            return Ok(Asked::Answered(answers));
        }
        let requests = questions.iter().map(|question| (question.key.to_owned(), question.request())).collect::<Answers>();
        let requests = serde_json::from_value(Value::Object(requests)).map_err(|error| misfit(&error))?;
        Ok(Asked::Ask(InputRequiredResult::new(Some(requests), state.map(sealed::seal))))
    }

    /// All at once, and all in this task: the SDK finds the stream of the call by the task that asks.
    async fn ask_over_the_session(&self, questions: &[Question]) -> Result<Answers, ErrorData> {
        let mut waiting: Vec<(&str, Answer<'_>)> = Vec::new();
        for question in questions {
            waiting.push((question.key, Box::pin(send(&self.context.peer, question))));
        }
        let mut answers = Answers::new();
        poll_fn(|context| {
            let mut failed = None;
            waiting.retain_mut(|(key, answer)| match answer.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(answer)) => {
                    answers.insert((*key).to_owned(), answer);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failed = Some(error);
                    false
                }
            });
            match failed {
                Some(error) => Poll::Ready(Err(error)),
                None if waiting.is_empty() => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
        .await?;
        Ok(answers)
    }
}

async fn send(peer: &Peer<RoleServer>, question: &Question) -> Result<Value, ErrorData> {
    let request: ServerRequest = serde_json::from_value(question.request()).map_err(|error| misfit(&error))?;
    let result = peer.send_request(request).await;
    let result: ClientResult = result.map_err(|error| ErrorData::internal_error(format!("{}: {error}", question.method), None))?;
    serde_json::to_value(result).map_err(|error| misfit(&error))
}

fn misfit(error: &serde_json::Error) -> ErrorData {
    ErrorData::internal_error(format!("the fixture and the SDK disagree about a message: {error}"), None)
}
