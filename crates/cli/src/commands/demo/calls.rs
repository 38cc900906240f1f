//! The calls that the users make, through the gateway's port like anybody's.

use super::scene::{Scene, USERS, User};
use anyhow::{Context, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use url::Url;
use vmcp_backend::HttpFetch;
use vmcp_core::{
    Era, Revision,
    plugin::{Fetch, FetchRequest, FetchResponse},
};

/// One call and what its server received.
pub(super) struct Call {
    pub(super) user: &'static User,
    /// The place of the server in the scene.
    pub(super) server: usize,
    /// Names and values, in the order in which they arrived.
    pub(super) received: Vec<(String, String)>,
}

/// How often every user calls every server.
const ROUNDS: usize = 3;

/// Makes all calls: both users at once, one server after the other, again and again.
pub(super) async fn make(scene: &Scene) -> anyhow::Result<Vec<Call>> {
    let [alice, bob] = &USERS;
    let (mut alice, mut bob) = tokio::try_join!(Client::open(alice, scene), Client::open(bob, scene))?;
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        for server in 0..scene.servers.len() {
            let (first, second) = tokio::try_join!(alice.call(scene, server), bob.call(scene, server))?;
            calls.extend([first, second]);
        }
    }
    alice.close().await?;
    bob.close().await?;
    Ok(calls)
}

/// The name under which the gateway publishes a server's tool.
pub(super) fn tool(server: &str) -> String {
    format!("{server}_whoami")
}

/// A small MCP client of the user's era.
struct Client {
    user: &'static User,
    url: Url,
    fetch: HttpFetch,
    /// Of a legacy client.
    session: Option<HeaderValue>,
    requests: u64,
}

impl Client {
    async fn open(user: &'static User, scene: &Scene) -> anyhow::Result<Self> {
        let url = Url::parse(&scene.url).context("the gateway's address is no URL")?;
        let mut client = Self { user, url, fetch: HttpFetch::new(None), session: None, requests: 0 };
        if user.era == Era::Legacy {
            let revision = Revision::LATEST_LEGACY.as_str();
            let info = json!({ "name": format!("demo-{}", user.name), "version": env!("CARGO_PKG_VERSION") });
            let hello = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": info });
            let answer = client.post("initialize", None, hello).await?;
            client.session = answer.headers.get("mcp-session-id").cloned();
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            client.send(Method::POST, client.headers("notifications/initialized", None)?, Some(&ready)).await?;
        }
        Ok(client)
    }

    async fn call(&mut self, scene: &Scene, server: usize) -> anyhow::Result<Call> {
        let tool = tool(scene.servers[server].name);
        let answer = self.post("tools/call", Some(&tool), json!({ "name": tool, "arguments": {} })).await?;
        let message: Value = serde_json::from_slice(&answer.body).context("the gateway answered something else than JSON")?;
        if let Some(error) = message.get("error") {
            bail!("the call of `{tool}` failed: {}", error["message"].as_str().unwrap_or("without a message"));
        }
        let headers = message["result"]["structuredContent"]["headers"].as_array().context("the server did not say what it received")?;
        let lines = headers.iter().filter_map(Value::as_str).filter_map(|line| line.split_once(": "));
        let received = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Call { user: self.user, server, received })
    }

    async fn post(&mut self, method: &str, name: Option<&str>, mut params: Value) -> anyhow::Result<FetchResponse> {
        self.requests += 1;
        if self.user.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": Revision::LATEST_MODERN.as_str(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let message = json!({ "jsonrpc": "2.0", "id": self.requests, "method": method, "params": params });
        self.send(Method::POST, self.headers(method, name)?, Some(&message)).await
    }

    /// The headers of the protocol, and the user's own.
    fn headers(&self, method: &str, name: Option<&str>) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        match self.user.era {
            Era::Modern => {
                headers.insert("mcp-protocol-version", HeaderValue::from_static(Revision::LATEST_MODERN.as_str()));
                headers.insert("mcp-method", HeaderValue::from_str(method)?);
                if let Some(name) = name {
                    headers.insert("mcp-name", HeaderValue::from_str(name)?);
                }
            }
            Era::Legacy => {
                if let Some(session) = &self.session {
                    headers.insert("mcp-session-id", session.clone());
                    headers.insert("mcp-protocol-version", HeaderValue::from_static(Revision::LATEST_LEGACY.as_str()));
                }
            }
        }
        for (name, value) in self.user.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Ok(headers)
    }

    async fn send(&self, method: Method, headers: HeaderMap, body: Option<&Value>) -> anyhow::Result<FetchResponse> {
        let mut request = FetchRequest::new(method, self.url.clone());
        request.headers = headers;
        request.body = body.map(Value::to_string).unwrap_or_default().into();
        let answer = self.fetch.fetch(request).await?;
        ensure!(
            matches!(answer.status, StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT),
            "the gateway answered with HTTP status {}",
            answer.status.as_u16()
        );
        Ok(answer)
    }

    async fn close(self) -> anyhow::Result<()> {
        if self.session.is_some() {
            self.send(Method::DELETE, self.headers("", None)?, None).await?;
        }
        Ok(())
    }
}
