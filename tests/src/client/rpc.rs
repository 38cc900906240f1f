//! JSON-RPC requests as raw texts.

use crate::Era;

/// A JSON string.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One JSON-RPC request, before a caller gives it an id and its era's trimmings.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// The method.
    pub method: String,
    /// The raw members of `params`, without braces.
    pub members: String,
    /// The raw members of `params._meta` beside those that the era requires, without braces.
    pub meta: String,
    /// What `Mcp-Name` repeats in the modern era.
    pub name: Option<String>,
    /// `Mcp-Param-*` headers of the modern era.
    pub mirrored: Vec<(String, String)>,
}

impl Rpc {
    /// A request of any method.
    #[must_use]
    pub fn new(method: &str, members: impl Into<String>) -> Self {
        Self { method: method.to_owned(), members: members.into(), meta: String::new(), name: None, mirrored: Vec::new() }
    }

    /// `tools/call` with raw arguments.
    #[must_use]
    pub fn tool(name: &str, arguments: &str) -> Self {
        let members = format!(r#""name":{},"arguments":{arguments}"#, quoted(name));
        Self { name: Some(name.to_owned()), ..Self::new("tools/call", members) }
    }

    /// A page of a list.
    #[must_use]
    pub fn list(method: &str, cursor: Option<&str>) -> Self {
        Self::new(method, cursor.map(|cursor| format!(r#""cursor":{}"#, quoted(cursor))).unwrap_or_default())
    }

    /// `resources/read`.
    #[must_use]
    pub fn read(uri: &str) -> Self {
        Self { name: Some(uri.to_owned()), ..Self::new("resources/read", format!(r#""uri":{}"#, quoted(uri))) }
    }

    /// `prompts/get` with raw arguments.
    #[must_use]
    pub fn prompt(name: &str, arguments: &str) -> Self {
        let members = format!(r#""name":{},"arguments":{arguments}"#, quoted(name));
        Self { name: Some(name.to_owned()), ..Self::new("prompts/get", members) }
    }

    /// The same with more raw members of `params`.
    #[must_use]
    pub fn with(mut self, members: &str) -> Self {
        self.members = format!("{},{members}", self.members);
        self
    }

    /// Adds raw members to `_meta`.
    #[must_use]
    pub fn meta(mut self, members: &str) -> Self {
        self.meta = members.to_owned();
        self
    }

    /// Adds a mirrored parameter header.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.mirrored.push((format!("mcp-param-{name}"), value.to_owned()));
        self
    }

    /// The message's text in this era; without an id it is a notification.
    #[must_use]
    pub fn text(&self, era: Era, id: Option<&str>) -> String {
        self.declaring(era, id, "{}")
    }

    /// As [`Self::text`], with these client capabilities, which a modern request declares.
    #[must_use]
    pub fn declaring(&self, era: Era, id: Option<&str>, capabilities: &str) -> String {
        let required = match era {
            Era::Legacy => String::new(),
            Era::Modern => format!(
                r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities},"io.modelcontextprotocol/clientInfo":{{"name":"tests","version":"1"}}"#
            ),
        };
        let join = |left: &str, right: &str| {
            if left.is_empty() || right.is_empty() { format!("{left}{right}") } else { format!("{left},{right}") }
        };
        let meta = join(&required, &self.meta);
        let params = if meta.is_empty() { self.members.clone() } else { join(&self.members, &format!(r#""_meta":{{{meta}}}"#)) };
        let id = id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
        format!(r#"{{"jsonrpc":"2.0"{id},"method":"{}","params":{{{params}}}}}"#, self.method)
    }
}
