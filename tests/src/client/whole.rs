//! A user with a connection.

use super::{
    caller::Caller,
    conn::{Conn, Head},
    reply::{Event, Reply},
    request::Request,
    rpc::Rpc,
};
use crate::Era;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::SocketAddr;

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    addr: SocketAddr,
    caller: Caller,
}

impl ClientBuilder {
    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.caller = self.caller.header(name, value);
        self
    }

    /// Declares these client capabilities: a JSON text.
    #[must_use]
    pub fn capabilities(mut self, capabilities: &str) -> Self {
        capabilities.clone_into(&mut self.caller.capabilities);
        self
    }

    /// Speaks to the endpoint at this path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.caller = self.caller.at(path);
        self
    }

    /// Asks for this revision.
    #[must_use]
    pub fn revision(mut self, revision: &str) -> Self {
        revision.clone_into(&mut self.caller.revision);
        self
    }

    /// Connects and, in the legacy era, opens a session.
    ///
    /// # Errors
    /// When either fails.
    pub async fn connect(mut self) -> Result<Client> {
        let mut conn = Conn::open(self.addr).await?;
        let opened = self.caller.initialize(&mut conn).await?;
        Ok(Client { conn, caller: self.caller, addr: self.addr, opened })
    }
}

/// A user with a connection.
pub struct Client {
    /// The connection.
    pub conn: Conn,
    /// The user.
    pub caller: Caller,
    /// The gateway's address.
    pub addr: SocketAddr,
    /// The result of `initialize`; `Null` in the modern era.
    pub opened: Value,
}

impl Client {
    /// Begins a client of this era.
    #[must_use]
    pub fn of(era: Era, addr: SocketAddr) -> ClientBuilder {
        ClientBuilder { addr, caller: Caller::new(era) }
    }

    /// A client of this era without headers of its own.
    ///
    /// # Errors
    /// When it cannot connect or open a session.
    pub async fn connect(era: Era, addr: SocketAddr) -> Result<Self> {
        Self::of(era, addr).connect().await
    }

    /// A connection for a caller that has its session already.
    ///
    /// # Errors
    /// When it cannot connect.
    pub async fn with(caller: Caller, addr: SocketAddr) -> Result<Self> {
        Ok(Self { conn: Conn::open(addr).await?, caller, addr, opened: Value::Null })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn send(&mut self, rpc: &Rpc) -> Result<Reply> {
        self.caller.send(&mut self.conn, rpc).await
    }

    /// Calls a tool with raw arguments.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn call(&mut self, name: &str, arguments: &str) -> Result<Reply> {
        self.send(&Rpc::tool(name, arguments)).await
    }

    /// All items of a list over all its pages.
    ///
    /// # Errors
    /// When a page is refused, or there are more than 10,000.
    pub async fn list(&mut self, method: &str) -> Result<Vec<Value>> {
        let key = match method {
            "resources/templates/list" => "resourceTemplates",
            _ => method.split('/').next().unwrap_or_default(),
        };
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..10_000 {
            let page = self.send(&Rpc::list(method, cursor.as_deref())).await?.result()?;
            items.extend(page[key].as_array().with_context(|| format!("{method}: no {key} in {page}"))?.iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
        anyhow::bail!("{method} never ends")
    }

    /// The names in `tools/list`, in order.
    ///
    /// # Errors
    /// When the list is refused.
    pub async fn tools(&mut self) -> Result<Vec<String>> {
        Ok(self.list("tools/list").await?.iter().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect())
    }

    /// Another connection for the same user and session.
    ///
    /// # Errors
    /// When it cannot connect.
    pub async fn sibling(&self) -> Result<Self> {
        let caller = Caller { next: self.caller.next + 1_000_000, ..self.caller.clone() };
        Ok(Self { conn: Conn::open(self.addr).await?, caller, addr: self.addr, opened: Value::Null })
    }

    /// Sends a request and reads no more than the head of the response.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn start(&mut self, rpc: &Rpc) -> Result<(u64, Head)> {
        let id = self.begin(rpc).await?;
        Ok((id, self.conn.head().await?))
    }

    /// Sends a request and reads nothing. Returns its id.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn begin(&mut self, rpc: &Rpc) -> Result<u64> {
        let id = self.caller.id();
        let request = self.caller.request(rpc, &id.to_string());
        self.conn.write(&request.bytes()).await?;
        Ok(id)
    }

    /// Reads the reply to a request that was begun.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn finish(&mut self) -> Result<Reply> {
        Reply::read(self.conn.response().await?)
    }

    /// Opens a `subscriptions/listen` with these raw members of `notifications`, over a connection of its own. Gives its first message too.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn subscribe(&self, wanted: &str) -> Result<(Value, Stream)> {
        self.subscribe_over(Conn::open(self.addr).await?, wanted).await
    }

    /// As [`Self::subscribe`], over this connection.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn subscribe_over(&self, conn: Conn, wanted: &str) -> Result<(Value, Stream)> {
        let mut client = Self { conn, ..self.sibling().await? };
        let rpc = Rpc::new("subscriptions/listen", format!(r#""notifications":{{{wanted}}}"#));
        let (_, head) = client.start(&rpc).await?;
        ensure!(head.status == 200, "listening was refused with status {}", head.status);
        let mut stream = Stream { conn: client.conn, buffer: Vec::new() };
        let first = stream.next().await?.context("the subscription ended at once")?.json();
        ensure!(first["method"] == "notifications/subscriptions/acknowledged", "a subscription opened with {first}");
        Ok((first, stream))
    }

    /// Opens the stream for the gateway's own messages: GET in the legacy era, `subscriptions/listen` in the modern one.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn listen(&self) -> Result<Stream> {
        if self.caller.era == Era::Modern {
            let wanted = r#""toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true"#;
            return Ok(self.subscribe(wanted).await?.1);
        }
        Ok(Stream { conn: self.get(&self.caller.get()).await?, buffer: Vec::new() })
    }

    /// Comes back for what followed the event with this id on a stream that was lost (2025-11-25, basic/transports, resumability).
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn come_back(&self, id: &str) -> Result<Conn> {
        self.get(&self.caller.get().header("last-event-id", id)).await
    }

    /// Opens a stream over a connection of its own.
    async fn get(&self, request: &Request) -> Result<Conn> {
        let mut conn = Conn::open(self.addr).await?;
        conn.write(&request.bytes()).await?;
        let head = conn.head().await?;
        ensure!(head.status == 200, "listening was refused with status {}", head.status);
        Ok(conn)
    }
}

/// An open stream of events.
pub struct Stream {
    conn: Conn,
    buffer: Vec<u8>,
}

impl Stream {
    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// When the connection is cut, or nothing comes for [`crate::PATIENCE`].
    pub async fn next(&mut self) -> Result<Option<Event>> {
        self.conn.event(&mut self.buffer).await
    }

    /// The message in the next event.
    ///
    /// # Errors
    /// As [`Self::next`], and at the end.
    pub async fn message(&mut self) -> Result<Value> {
        Ok(self.next().await?.context("the stream ended")?.json())
    }

    /// Ends it, and waits until the gateway has noticed.
    ///
    /// # Errors
    /// As [`Conn::hang_up`].
    pub async fn hang_up(self) -> Result<()> {
        self.conn.hang_up().await
    }
}
