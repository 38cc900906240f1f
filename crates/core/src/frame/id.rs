//! Request ids.

use std::fmt;

/// A JSON-RPC id as it stands on the wire: a number or a string, in its own text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id<'a>(pub(super) &'a str);

impl<'a> Id<'a> {
    /// The id's JSON text.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Reads an id; `None` for anything but a number or a string.
    #[must_use]
    pub fn parse(raw: &'a str) -> Option<Self> {
        matches!(raw.as_bytes().first()?, b'"' | b'-' | b'0'..=b'9').then_some(Self(raw))
    }

    /// Whether this is the number that vmcp gave to a request of its own.
    #[must_use]
    pub fn is_number(self, number: u64) -> bool {
        self.0.parse() == Ok(number)
    }
}

impl fmt::Debug for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
