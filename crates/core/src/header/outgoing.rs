//! What a backend may be given, and under which names.

use http::HeaderName;
use std::fmt;

/// What a rule fills.
pub(super) enum Outbound {
    /// A header of every request.
    Header(HeaderName),
    /// A variable of the process.
    Variable(Box<str>),
}

impl Outbound {
    pub(super) fn as_ref(&self) -> OutgoingName<'_> {
        match self {
            Self::Header(name) => OutgoingName::Header(name),
            Self::Variable(name) => OutgoingName::Variable(name),
        }
    }
}

/// What a backend finds a value under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutgoingName<'a> {
    /// A header of every request.
    Header(&'a HeaderName),
    /// An environment variable of its process.
    Variable(&'a str),
}

impl<'a> OutgoingName<'a> {
    /// The name alone.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Header(name) => name.as_str(),
            Self::Variable(name) => name,
        }
    }

    /// The header; `None` for a variable.
    #[must_use]
    pub fn header(self) -> Option<&'a HeaderName> {
        match self {
            Self::Header(name) => Some(name),
            Self::Variable(_) => None,
        }
    }
}

impl fmt::Display for OutgoingName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => f.write_str(name.as_str()),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

/// Who makes an outgoing header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderOrigin {
    /// An entry of the global `passthroughHeaders`.
    Global,
    /// An entry of the backend's own `passthroughHeaders`.
    Backend,
    /// The backend's `headers`.
    Static,
    /// The backend's outgoing strategy.
    Strategy,
}

/// One value that a backend may be given, for people who want to see the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The caller's header, as its entry spells it in lower case; `None` for headers that no caller sends.
    pub inbound: Option<&'a HeaderName>,
    /// What the backend finds it under.
    pub outbound: OutgoingName<'a>,
    /// The text around the value, as written in the configuration.
    pub format: Option<&'a str>,
    /// Whether the backend is not called without it.
    pub required: bool,
    /// Whether the value is part of the session key.
    pub credential: bool,
    /// Who makes it.
    pub origin: HeaderOrigin,
}
