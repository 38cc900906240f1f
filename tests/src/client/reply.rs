//! What came back, as JSON-RPC.

use super::conn::Response;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// One event of an SSE stream.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The `event` field.
    pub name: Option<String>,
    /// The `id` field.
    pub id: Option<String>,
    /// The `data` lines, joined with line feeds.
    pub data: String,
}

impl Event {
    /// Reads one event; `None` when it carries no data.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut event = Self::default();
        let mut data = Vec::new();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data.push(value),
                "event" => event.name = Some(value.to_owned()),
                "id" => event.id = Some(value.to_owned()),
                _ => {}
            }
        }
        event.data = data.join("\n");
        (!event.data.is_empty()).then_some(event)
    }

    /// The data as JSON; `Null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// A JSON-RPC error.
#[derive(Clone, Debug)]
pub struct RpcError {
    /// The code.
    pub code: i64,
    /// The message.
    pub message: String,
    /// The raw text of `data`.
    pub data: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<RawError<'a>>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    code: i64,
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A reply to one request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP response.
    pub response: Response,
    /// The JSON-RPC response's text; empty when there is none.
    pub message: String,
    /// Messages that came before it on an SSE stream.
    pub notes: Vec<Value>,
}

impl Reply {
    /// Finds the JSON-RPC response in an HTTP response.
    ///
    /// # Errors
    /// When an SSE body ends without one.
    pub fn read(response: Response) -> Result<Self> {
        let streamed = response.head.header("content-type").is_some_and(|value| value.starts_with("text/event-stream"));
        let text = String::from_utf8(response.body.clone()).context("the body is not UTF-8")?;
        if !streamed {
            return Ok(Self { response, message: text, notes: Vec::new() });
        }
        let mut notes = Vec::new();
        for event in text.replace("\r\n", "\n").split("\n\n").filter_map(Event::parse) {
            let answers = serde_json::from_str::<Envelope<'_>>(&event.data).is_ok_and(|m| m.result.is_some() || m.error.is_some());
            if answers {
                return Ok(Self { response, message: event.data, notes });
            }
            notes.push(event.json());
        }
        bail!("the stream ended without a response: {text:?}")
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    fn envelope(&self) -> Result<Envelope<'_>> {
        serde_json::from_str(&self.message).with_context(|| format!("status {}, no JSON-RPC response: {:?}", self.status(), self.message))
    }

    /// The raw id.
    ///
    /// # Errors
    /// When the reply is no JSON-RPC response.
    pub fn id(&self) -> Result<&str> {
        Ok(self.envelope()?.id.map_or("null", RawValue::get))
    }

    /// The result's raw text.
    ///
    /// # Errors
    /// When the reply is something else, which is then shown.
    pub fn raw_result(&self) -> Result<&str> {
        let shown = || anyhow!("status {}, no result: {}", self.status(), self.message.chars().take(500).collect::<String>());
        self.envelope()?.result.map(RawValue::get).ok_or_else(shown)
    }

    /// The result.
    ///
    /// # Errors
    /// When the reply is something else, which is then shown.
    pub fn result(&self) -> Result<Value> {
        Ok(serde_json::from_str(self.raw_result()?)?)
    }

    /// The error.
    ///
    /// # Errors
    /// When the reply is something else, which is then shown.
    pub fn error(&self) -> Result<RpcError> {
        let shown = || anyhow!("status {}, no error: {}", self.status(), self.message.chars().take(500).collect::<String>());
        let error = self.envelope()?.error.ok_or_else(shown)?;
        Ok(RpcError { code: error.code, message: error.message, data: error.data.map(|data| data.get().to_owned()) })
    }

    /// How the call failed, in words: a JSON-RPC error's message, or the text of a result with `isError`.
    ///
    /// # Errors
    /// When it did not fail.
    pub fn failure(&self) -> Result<String> {
        if let Ok(error) = self.error() {
            return Ok(error.message);
        }
        let result = self.result()?;
        match result["isError"].as_bool() {
            Some(true) => Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned()),
            _ => bail!("the call succeeded: {}", self.message.chars().take(500).collect::<String>()),
        }
    }
}
