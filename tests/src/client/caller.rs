//! A user in one era.

use super::{conn::Conn, reply::Reply, request::Request, rpc::Rpc};
use crate::Era;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One user: era, session and headers. It has no connection, so that several can share one.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The era.
    pub era: Era,
    /// The revision that requests name.
    pub revision: String,
    /// The legacy session.
    pub session: Option<String>,
    /// The path of the endpoint.
    pub path: String,
    /// Headers on every request.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The client capabilities that it declares: a JSON text.
    pub capabilities: String,
    pub(super) next: u64,
}

impl Caller {
    /// A user without a session.
    #[must_use]
    pub fn new(era: Era) -> Self {
        Self {
            era,
            revision: era.revision().to_owned(),
            session: None,
            path: "/mcp".to_owned(),
            headers: Vec::new(),
            capabilities: "{}".to_owned(),
            next: 0,
        }
    }

    /// The same user at the endpoint with this path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a header to every later request.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets a header of every later request.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
    }

    /// An id that was not used before.
    pub fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn dressed(&self, mut request: Request, rpc: Option<&Rpc>) -> Request {
        self.path.clone_into(&mut request.path);
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        let opening = rpc.is_some_and(|rpc| rpc.method == "initialize");
        if !opening {
            request = request.header("mcp-protocol-version", &self.revision);
        }
        if let (Era::Modern, Some(rpc)) = (self.era, rpc) {
            request = request.header("mcp-method", &rpc.method);
            if let Some(name) = &rpc.name {
                request = request.header("mcp-name", name);
            }
            for (name, value) in &rpc.mirrored {
                request = request.header(name, value);
            }
        }
        request.headers.extend(self.headers.iter().cloned());
        request
    }

    /// The HTTP request for a JSON-RPC request with this raw id.
    #[must_use]
    pub fn request(&self, rpc: &Rpc, id: &str) -> Request {
        self.dressed(Request::post(rpc.declaring(self.era, Some(id), &self.capabilities)), Some(rpc))
    }

    /// The HTTP request for a notification.
    #[must_use]
    pub fn notification(&self, rpc: &Rpc) -> Request {
        self.dressed(Request::post(rpc.text(self.era, None)), Some(rpc))
    }

    /// The HTTP request that answers a question: `member` is `"result":…` or `"error":…`.
    #[must_use]
    pub fn answer(&self, id: &Value, member: &str) -> Request {
        self.dressed(Request::post(format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#)), None)
    }

    /// The GET for the session's stream.
    #[must_use]
    pub fn get(&self) -> Request {
        self.dressed(Request::new("GET").header("accept", "text/event-stream"), None)
    }

    /// The DELETE of the session.
    #[must_use]
    pub fn delete(&self) -> Request {
        self.dressed(Request::new("DELETE"), None)
    }

    /// Opens the session, in the legacy era; does nothing in the modern one. Returns the result of `initialize`.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn initialize(&mut self, conn: &mut Conn) -> Result<Value> {
        if self.era == Era::Modern {
            return Ok(Value::Null);
        }
        let members = format!(
            r#""protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"tests","version":"1"}}"#,
            self.revision, self.capabilities
        );
        let reply = self.send(conn, &Rpc::new("initialize", members)).await?;
        let result = reply.result().context("initialize")?;
        self.revision = result["protocolVersion"].as_str().context("initialize without protocolVersion")?.to_owned();
        self.session = Some(reply.response.head.header("mcp-session-id").context("initialize without Mcp-Session-Id")?.to_owned());
        let initialized = conn.exchange(&self.notification(&Rpc::new("notifications/initialized", ""))).await?;
        ensure!(initialized.status() == 202, "notifications/initialized: status {}", initialized.status());
        Ok(result)
    }

    /// Sends a request over a connection and reads the reply, whose id must be the request's.
    ///
    /// # Errors
    /// When the connection fails, or the reply is for somebody else.
    pub async fn send(&mut self, conn: &mut Conn, rpc: &Rpc) -> Result<Reply> {
        let id = self.id().to_string();
        let reply = Reply::read(conn.exchange(&self.request(rpc, &id)).await?)?;
        if let Ok(answered) = reply.id() {
            ensure!(answered == id || answered == "null", "asked as {id}, answered as {answered}");
        }
        Ok(reply)
    }
}
