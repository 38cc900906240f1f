//! What a request's headers say to the gateway itself, from one look over them: to ask for each by its name costs a hash every time.

use super::negotiate::{Accepts, is_json};
use http::{HeaderMap, HeaderValue};

/// A header that has to stand once.
#[derive(Clone, Copy, Default)]
pub(crate) enum Once<T> {
    #[default]
    Absent,
    One(T),
    /// It stands several times.
    More,
}

/// What a request says to the gateway itself. It holds values of headers, so there is nothing to print.
#[derive(Default)]
pub(crate) struct Noted {
    /// Whether `Content-Type` says JSON.
    pub(crate) json: Once<bool>,
    pub(crate) accepts: Option<Accepts>,
    /// `MCP-Protocol-Version`: several that say the same are one.
    pub(crate) version: Once<HeaderValue>,
    /// `Mcp-Session-Id`.
    pub(crate) session: Once<HeaderValue>,
    /// `Mcp-Method`.
    pub(crate) method: Once<HeaderValue>,
    /// `Mcp-Name`.
    pub(crate) name: Once<HeaderValue>,
}

/// What is of interest before a request is let in.
pub(crate) struct Look<'h> {
    pub(crate) host: Once<&'h HeaderValue>,
    pub(crate) origin: Once<&'h HeaderValue>,
    /// How many bytes all headers have together.
    pub(crate) length: usize,
    pub(crate) noted: Noted,
}

impl<T> Once<T> {
    pub(crate) fn as_ref(&self) -> Once<&T> {
        match self {
            Self::Absent => Once::Absent,
            Self::One(value) => Once::One(value),
            Self::More => Once::More,
        }
    }

    pub(crate) fn add(&mut self, value: T) {
        *self = if matches!(self, Self::Absent) { Self::One(value) } else { Self::More };
    }
}

impl<'h> Look<'h> {
    pub(crate) fn at(headers: &'h HeaderMap) -> Self {
        let (mut host, mut origin, mut length, mut noted) = (Once::Absent, Once::Absent, 0, Noted::default());
        for (name, value) in headers {
            let name = name.as_str();
            length += name.len() + value.len() + ": \r\n".len();
            match name {
                "host" => host.add(value),
                "accept" => Accepts::add(&mut noted.accepts, value),
                "origin" => origin.add(value),
                "mcp-name" => noted.name.add(value.clone()),
                "mcp-method" => noted.method.add(value.clone()),
                "content-type" => noted.json.add(is_json(value)),
                "mcp-session-id" => noted.session.add(value.clone()),
                "mcp-protocol-version" => noted.add_version(value),
                _ => {}
            }
        }
        Self { host, origin, length, noted }
    }
}

impl Noted {
    /// What these headers say.
    #[cfg(test)]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Look::at(headers).noted
    }

    fn add_version(&mut self, value: &HeaderValue) {
        match &self.version {
            Once::One(first) if version(first) == version(value) => {}
            _ => self.version.add(value.clone()),
        }
    }
}

/// A version as it is meant; `?` for one that cannot be.
pub(crate) fn version(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?").trim()
}
