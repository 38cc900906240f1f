//! Protocol revisions and the two eras that they fall into.

use std::fmt;

/// The two ways of speaking MCP that a gateway has to keep apart.
///
/// The names are those of the specification's page on versioning (2026-07-28, basic/versioning): *legacy* revisions open with
/// `initialize` and have sessions, *modern* ones carry version and capabilities in every request and have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Era {
    /// Revisions up to 2025-11-25.
    Legacy,
    /// Revision 2026-07-28 and later.
    Modern,
}

impl Era {
    /// The other era.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Modern,
            Self::Modern => Self::Legacy,
        }
    }

    /// `legacy` or `modern`, as configuration and status spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A revision of the protocol that vmcp knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Revision {
    /// 2024-11-05: HTTP+SSE. Known so that a version header naming it is not taken for a modern one.
    V2024_11_05,
    /// 2025-03-26: streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: no batches, `MCP-Protocol-Version` header.
    V2025_06_18,
    /// 2025-11-25: the last revision with sessions.
    V2025_11_25,
    /// 2026-07-28: no sessions.
    V2026_07_28,
}

impl Revision {
    /// The newest revision with sessions: offered to backends, and answered where a client asks for an unknown one.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// The newest revision without sessions.
    pub const LATEST_MODERN: Self = Self::V2026_07_28;
    /// Every revision that clients can speak to vmcp, newest first.
    pub const SERVED: [Self; 4] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// The revision that `text` names exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "2024-11-05" => Self::V2024_11_05,
            "2025-03-26" => Self::V2025_03_26,
            "2025-06-18" => Self::V2025_06_18,
            "2025-11-25" => Self::V2025_11_25,
            "2026-07-28" => Self::V2026_07_28,
            _ => return None,
        })
    }

    /// Whether a server of this revision may send this notification: `false` for those that other revisions have and this one has not
    /// (`ServerNotification` of each revision's schema; SEP-2663 for `notifications/tasks`). Nobody knows what extensions say.
    #[must_use]
    pub fn has_notification(self, method: &str) -> bool {
        match method {
            "notifications/elicitation/complete" | "notifications/tasks/status" => self == Self::V2025_11_25,
            "notifications/tasks" | "notifications/subscriptions/acknowledged" => self.era() == Era::Modern,
            _ => true,
        }
    }

    /// The date that names this revision on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era that this revision belongs to.
    #[must_use]
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 { Era::Modern } else { Era::Legacy }
    }

    /// Whether a peer of this revision may send a JSON array of messages (only 2025-03-26).
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_revision_is_found_under_its_own_name() {
        for revision in Revision::SERVED {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse("2025-11-26"), None);
    }

    #[test]
    fn only_the_sessionless_revision_is_modern() {
        let modern: Vec<_> = Revision::SERVED.into_iter().filter(|r| r.era() == Era::Modern).collect();
        assert_eq!(modern, [Revision::V2026_07_28]);
    }
}
