//! What the calls showed, for people and for programs.

use super::{
    calls::{Call, tool},
    program::program,
    scene::{Scene, USERS, User},
};
use crate::table::Table;
use anyhow::bail;
use serde_json::{Value, json};
use std::fmt::Write as _;
use vmcp_core::{Era, Revision};

/// The calls and what they were made with.
pub(super) struct Story<'a> {
    scene: &'a Scene,
    calls: Vec<Call>,
}

/// What one header of a user, or one that no user sent, became at each server.
struct Row {
    user: &'static User,
    sent: Option<(&'static str, &'static str)>,
    /// In the order of the servers.
    reached: Vec<Vec<(String, String)>>,
}

/// What every request has because it is one of HTTP and MCP.
const PROTOCOL: [&str; 9] =
    ["accept", "accept-encoding", "content-length", "content-type", "host", "mcp-method", "mcp-name", "mcp-protocol-version", "user-agent"];

/// What the users send and the configuration lists for nobody.
const UNLISTED: [&str; 2] = ["x-diary", "authorization"];

impl<'a> Story<'a> {
    pub(super) fn new(scene: &'a Scene, calls: Vec<Call>) -> Self {
        Self { scene, calls }
    }

    /// Whether what was seen is what the demo says.
    ///
    /// # Errors
    /// When a server saw what it must not see.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for call in &self.calls {
            let own = call.user.headers.iter().filter(|(name, _)| UNLISTED.contains(name));
            let others = USERS.iter().filter(|user| user.name != call.user.name).flat_map(|user| user.headers);
            for (name, value) in own.chain(others) {
                if call.received.iter().any(|(_, received)| received.contains(value)) {
                    let server = self.scene.servers[call.server].name;
                    bail!("`{server}` saw a `{name}` that it must not see in a call of {}; that is a bug in vmcp", call.user.name);
                }
            }
        }
        Ok(())
    }

    /// One row for each header that a user sent, told by its value wherever it turned up; then what came from the configuration.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for user in &USERS {
            let first = |server: usize| self.calls.iter().find(|call| call.user.name == user.name && call.server == server);
            let seen = |wanted: &dyn Fn(&(String, String)) -> bool| {
                let of =
                    |server| first(server).into_iter().flat_map(|call| &call.received).filter(|header| wanted(header)).cloned().collect();
                (0..self.scene.servers.len()).map(of).collect::<Vec<Vec<_>>>()
            };
            for &(name, value) in user.headers {
                let reached = seen(&|(_, received)| received.contains(value));
                rows.push(Row { user, sent: Some((name, value)), reached });
            }
            let is_users = |received: &str| user.headers.iter().any(|(_, value)| received.contains(value));
            let reached = seen(&|(name, received)| !PROTOCOL.contains(&name.as_str()) && !is_users(received));
            rows.push(Row { user, sent: None, reached });
        }
        rows
    }

    /// The whole for a program.
    pub(super) fn object(&self) -> Value {
        let pair = |(name, value): &(String, String)| json!({ "name": name, "value": value });
        let servers: Vec<Value> = self.scene.servers.iter().map(|server| json!({ "name": server.name, "url": server.url })).collect();
        let rows = self.rows().into_iter().map(|row| {
            let reached: Vec<Value> = row
                .reached
                .iter()
                .zip(&self.scene.servers)
                .flat_map(|(headers, server)| {
                    headers.iter().map(|(name, value)| json!({ "backend": server.name, "name": name, "value": value }))
                })
                .collect();
            let sent = row.sent.map(|(name, value)| json!({ "name": name, "value": value }));
            json!({ "caller": row.user.name, "sent": sent, "reached": reached })
        });
        let rows: Vec<Value> = rows.collect();
        let calls = self.calls.iter().map(|call| {
            let received: Vec<Value> = call.received.iter().map(pair).collect();
            let server = self.scene.servers[call.server].name;
            json!({ "caller": call.user.name, "era": call.user.era.as_str(), "backend": server, "received": received })
        });
        let calls: Vec<Value> = calls.collect();
        json!({ "url": self.scene.url, "backends": servers, "headers": rows, "calls": calls })
    }

    /// The whole for people. The conclusion is left out where it does not hold; with `once` there is nothing to try next.
    pub(super) fn text(&self, holds: bool, once: bool) -> String {
        let mut text = format!("A gateway at {} with two MCP servers behind it, configured like this:\n\n", self.scene.url);
        for line in self.scene.yaml.lines() {
            let _ = writeln!(text, "    {line}");
        }
        let users: Vec<String> = USERS.iter().map(|user| format!("{} ({})", user.name, revision(user.era))).collect();
        let tools: Vec<String> = self.scene.servers.iter().map(|server| format!("`{}`", tool(server.name))).collect();
        let _ = writeln!(
            text,
            "\n{} calls of {}, by {}\nat the same time. The tools answer with the headers that their server received:\n",
            self.calls.len(),
            tools.join(" and "),
            users.join(" and "),
        );
        text.push_str(&self.table().render(None));
        if !holds {
            return text;
        }
        text.push_str(
            "\n\nNo call of one user carried anything of the other's. `x-diary` and the users' own `authorization` are listed for\n\
             nobody, so they stayed at vmcp; `github` got an `authorization` made of `x-github-token`.",
        );
        if !once {
            text.push_str(&self.next());
        }
        text
    }

    fn table(&self) -> Table {
        let [github, wiki] = [0, 1].map(|server: usize| {
            self.scene.servers.get(server).map(|server| format!("{} GOT", server.name.to_uppercase())).unwrap_or_default()
        });
        let mut table = Table::new(["CALLER", "SENT TO VMCP", &github, &wiki]);
        for Row { user, sent, reached } in self.rows() {
            let sent = sent.map_or_else(|| "(the configuration)".to_owned(), |(name, value)| format!("{name}: {value}"));
            let cell = |headers: &Vec<(String, String)>| match headers.as_slice() {
                [] => "-".to_owned(),
                some => some.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", "),
            };
            let mut cells = vec![user.name.to_owned(), sent];
            cells.extend(reached.iter().map(cell));
            table.row(cells);
        }
        table
    }

    fn next(&self) -> String {
        let (url, program) = (&self.scene.url, program());
        let tool = tool(self.scene.servers[0].name);
        let version = Revision::LATEST_MODERN.as_str();
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {} });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {}, "_meta": meta } });
        let client =
            json!({ "mcpServers": { "vmcp": { "type": "http", "url": url, "headers": { "x-github-token": "mine", "x-tenant": "red" } } } });
        format!(
            "\n\nIt serves on. Try, from another terminal:\n\n    \
             {program} tools ls --url {url}\n    \
             {program} tools call {tool} --url {url} -H 'x-github-token: mine' -H 'x-tenant: red'\n    \
             curl -s {url} -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \
             -H 'mcp-protocol-version: {version}' -H 'mcp-method: tools/call' -H 'mcp-name: {tool}' -H 'x-github-token: mine' \
             -d '{body}'\n\nor from an MCP client:\n\n    {client}"
        )
    }
}

fn revision(era: Era) -> &'static str {
    match era {
        Era::Legacy => Revision::LATEST_LEGACY.as_str(),
        Era::Modern => Revision::LATEST_MODERN.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    async fn story_of(received: &[(&str, &str)]) -> anyhow::Result<()> {
        let scene = Scene::set(SocketAddr::from(([127, 0, 0, 1], 1))).await?;
        let received = received.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Story::new(&scene, vec![Call { user: &USERS[0], server: 1, received }]).check()
    }

    #[tokio::test]
    async fn the_demo_would_say_that_a_header_reached_whom_it_must_not() {
        assert!(story_of(&[("x-tenant", "blue"), ("host", "x")]).await.is_ok());
        for wrong in [("x-tenant", "green"), ("authorization", "Bearer vmcp-alice"), ("x-other", "so: alice-secret")] {
            let error = story_of(&[wrong]).await.unwrap_err().to_string();
            assert!(error.starts_with("`wiki` saw a "), "{error}");
        }
    }
}
