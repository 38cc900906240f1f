//! A client of revision 2024-11-05: an event stream, and POSTs to where its first event says.

use super::{
    conn::{Conn, Head, Response},
    reply::Event,
    request::Request,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A client with its stream open. Dropping it closes the stream.
pub struct Old {
    stream: Conn,
    buffer: Vec<u8>,
    /// The connection for POSTs.
    pub conn: Conn,
    /// Where to POST, as the first event said.
    pub target: String,
    /// The head of the stream's response.
    pub head: Head,
    /// Headers on every later POST.
    pub headers: Vec<(String, String)>,
    /// What came and was not asked for yet.
    kept: Vec<Value>,
}

impl Old {
    /// Opens the stream at this path with these headers, which the POSTs have too.
    ///
    /// # Errors
    /// When it is refused, or does not begin with where to POST.
    pub async fn open(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self> {
        Self::over(Conn::open(addr).await?, addr, path, headers).await
    }

    /// The same over a connection that is there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn over(mut stream: Conn, addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self> {
        let request = Request::get(path).header("accept", "text/event-stream");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        stream.write(&request.bytes()).await?;
        let head = stream.head().await?;
        ensure!(head.status == 200, "the stream was refused with status {}", head.status);
        let mut buffer = Vec::new();
        let first = stream.event(&mut buffer).await?.context("the stream ended at once")?;
        ensure!(first.name.as_deref() == Some("endpoint"), "the first event is {first:?}");
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Self { stream, buffer, conn: Conn::open(addr).await?, target: first.data, head, headers, kept: Vec::new() })
    }

    /// The POST of a body.
    #[must_use]
    pub fn request_of(&self, body: impl Into<Vec<u8>>) -> Request {
        // Such a client says nothing of what it reads: answers do not come with the response.
        let request = Request { path: self.target.clone(), ..Request::post(body) }.without("accept");
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Sends a body and reads the response.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn post(&mut self, body: impl Into<Vec<u8>>) -> Result<Response> {
        let request = self.request_of(body);
        self.conn.exchange(&request).await
    }

    /// Sends a message, which has to be taken.
    ///
    /// # Errors
    /// When it is not.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        let response = self.post(message.to_string()).await?;
        ensure!(response.status() == 202, "status {}: {}", response.status(), response.text());
        ensure!(response.body.is_empty(), "answers come on the stream: {}", response.text());
        Ok(())
    }

    /// Sends a request.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn request(&mut self, id: impl Into<Value>, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })).await
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn notify(&mut self, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
    }

    /// Opens a session of this revision with these capabilities. Returns what `initialize` answered.
    ///
    /// # Errors
    /// When it does not.
    pub async fn initialize(&mut self, revision: &str, capabilities: Value) -> Result<Value> {
        let params = json!({ "protocolVersion": revision, "capabilities": capabilities, "clientInfo": { "name": "old", "version": "1" } });
        self.request("initialize", "initialize", params).await?;
        let answer = self.answer("initialize").await?;
        self.notify("notifications/initialized", json!({})).await?;
        Ok(answer)
    }

    /// Calls a tool and waits for the result.
    ///
    /// # Errors
    /// When it fails.
    pub async fn call(&mut self, id: u64, name: &str, arguments: Value) -> Result<Value> {
        self.request(id, "tools/call", json!({ "name": name, "arguments": arguments })).await?;
        let answer = self.answer(id).await?;
        ensure!(answer["result"].is_object(), "{answer}");
        Ok(answer["result"].clone())
    }

    /// The next event; `None` at the stream's end.
    ///
    /// # Errors
    /// When neither comes.
    pub async fn event(&mut self) -> Result<Option<Event>> {
        self.stream.event(&mut self.buffer).await
    }

    async fn until(&mut self, suits: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(at) = self.kept.iter().position(&suits) {
            return Ok(self.kept.remove(at));
        }
        loop {
            let Some(event) = self.event().await? else { bail!("the stream ended; before that came {:?}", self.kept) };
            ensure!(event.name.as_deref() == Some("message") && event.id.is_none(), "{event:?}");
            let message = event.json();
            if suits(&message) {
                return Ok(message);
            }
            self.kept.push(message);
        }
    }

    /// The response with this id.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn answer(&mut self, id: impl Into<Value>) -> Result<Value> {
        let id = id.into();
        self.until(|message| message["id"] == id && message.get("method").is_none()).await
    }

    /// The next message of this method.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn said(&mut self, method: &str) -> Result<Value> {
        self.until(|message| message["method"] == method).await
    }
}
