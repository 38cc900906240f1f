//! What is wrong with a header policy, in words that say what to do.

use super::{ClosedGroup, FormatError, Side, VariableGroup};
use std::fmt;

/// One entry that cannot be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyProblem {
    /// Where it stands in the configuration: `passthroughHeaders[2]`, `backends[1].passthroughHeaders[0]`,
    /// `backends[1].headers.x-name`, `backends[1].url` where credentials would travel in the clear, or `backends[1]` for what its
    /// outgoing strategy writes.
    pub path: String,
    /// The header's name, cut before anything that no name may have.
    pub header: String,
    /// The backends concerned; empty when a global entry is wrong whatever the backend.
    pub backends: Vec<String>,
    /// The reason.
    pub refusal: Refusal,
}

/// Why a header is refused when the configuration is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a header name.
    Malformed,
    /// In a closed list.
    Closed {
        /// Which one.
        group: ClosedGroup,
        /// On which side it was to be used.
        side: Side,
    },
    /// The incoming authenticator reads it.
    Consumed,
    /// `authorization` or `cookie` towards a backend whose strategy writes such a header itself.
    CredentialManaged {
        /// The header that the strategy writes.
        managed: String,
    },
    /// The same inbound header twice in one list.
    Duplicate {
        /// The entry that came first.
        first: String,
    },
    /// Another source writes the same outgoing header.
    Taken {
        /// The name towards the backend.
        outgoing: String,
        /// Who has it.
        by: Taker,
    },
    /// `format` cannot be used.
    Format(FormatError),
    /// A static value that no header can carry.
    StaticValue,
    /// `asEnv` is not the name of a variable.
    MalformedVariable,
    /// `asEnv` names a variable that no caller may fill.
    ClosedVariable {
        /// The variable.
        variable: String,
        /// The group that closes it.
        group: VariableGroup,
    },
    /// A header, under whatever name, towards a backend that is a process.
    NeedsVariable,
    /// `asEnv` towards a backend at a URL.
    NoProcess,
    /// `asEnv` towards a process that callers share.
    SharedProcess,
    /// A strategy that writes headers, towards a backend that is a process.
    StrategyAtProcess,
    /// Credentials would travel in the clear.
    Plaintext {
        /// How many more headers than the named one.
        more: usize,
    },
}

/// Who writes an outgoing header already.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taker {
    /// The backend's outgoing strategy.
    Strategy,
    /// A static header.
    Static {
        /// Where it stands.
        path: String,
    },
    /// Another passthrough entry.
    Entry {
        /// Where it stands.
        path: String,
    },
}

impl PolicyProblem {
    /// The problem without its path, for reports that print the place themselves.
    #[must_use]
    pub fn message(&self) -> String {
        let header = if self.header.is_empty() { "header without a name".to_owned() } else { format!("header `{}`", self.header) };
        format!("{header} ({}): {}", towards(&self.backends), self.refusal)
    }
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message())
    }
}

impl std::error::Error for PolicyProblem {}

pub(super) fn towards(backends: &[String]) -> String {
    match backends {
        [] => "every backend".to_owned(),
        [one] => format!("backend `{one}`"),
        many => format!("backends {}", quoted(many)),
    }
}

pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("not a header name; write letters, digits and hyphens only, without a colon and a value behind it")
            }
            Self::Closed { group, side } => f.write_str(closed_text(*group, *side)),
            Self::Consumed => f.write_str(
                "incoming authentication reads this header, so it stays at the gateway; let callers send the backend's credential in a header of its own and rename it with `as`",
            ),
            Self::CredentialManaged { managed } => write!(
                f,
                "the backend's outgoing strategy writes `{managed}` itself; remove the entry, set `inheritPassthroughHeaders: false` on the backend, or give it `type: unauthenticated`"
            ),
            Self::Duplicate { first } => write!(f, "listed already at {first}; remove one of the two"),
            Self::Taken { outgoing, by } => match by {
                Taker::Strategy => write!(
                    f,
                    "the backend's outgoing strategy writes `{outgoing}`; remove one of the two, or use another name"
                ),
                Taker::Static { path } | Taker::Entry { path } => {
                    write!(f, "`{outgoing}` is written by {path} too; remove one of the two, or use another name")
                }
            },
            Self::Format(error) => error.fmt(f),
            Self::StaticValue => f.write_str(
                "its value holds a line break or another control character, which no header can carry; remove it",
            ),
            Self::MalformedVariable => {
                f.write_str("`asEnv` is not the name of a variable; write letters, digits and `_`, without a digit in front")
            }
            Self::ClosedVariable { variable, group } => {
                write!(f, "no caller may fill `{variable}`: {}; use the variable that the server takes its credential from", group.why())
            }
            Self::NeedsVariable => f.write_str(
                "a server that is started with `command` is sent no headers; write `asEnv` with the variable that it takes the value from, and no `as`",
            ),
            Self::NoProcess => f.write_str("`asEnv` is for servers that are started with `command`; use `as`"),
            Self::SharedProcess => f.write_str(
                "callers share the server's process, and it can be given one caller's variable alone; set `process: session` or `process: principal`, or leave `process` out",
            ),
            Self::StrategyAtProcess => f.write_str(
                "the backend's outgoing strategy writes this header, and a server that is started with `command` is sent none; give the backend `type: unauthenticated` and its credential under `env`",
            ),
            Self::Plaintext { more } => {
                if *more > 0 {
                    write!(f, "and {more} more ")?;
                }
                f.write_str("would travel unencrypted to a host that is not this one; use an https:// URL, or set `allowPlaintext: true` on the backend if the network in between is trusted")
            }
        }
    }
}

fn closed_text(group: ClosedGroup, side: Side) -> &'static str {
    match (group, side) {
        (ClosedGroup::Framing, _) => "it belongs to routing, framing or one connection, and every hop makes its own; remove it",
        (ClosedGroup::Address, _) => {
            "it says where a request came from, which only a proxy in front may say; remove it, or use a name of your own"
        }
        (ClosedGroup::Own, _) => "vmcp writes it itself; remove it",
        (ClosedGroup::Impersonation, Side::Static) => {
            "proxies set it and servers trust it; if the backend is to trust vmcp, send it with `outgoingAuth` of `type: header_injection`"
        }
        (ClosedGroup::Impersonation, _) => {
            "proxies set it and servers trust it, so callers could pass for anybody; if that is meant, set `impersonation: true` on the entry"
        }
        (ClosedGroup::Credential, _) => {
            "MCP forbids passing on the token that was issued for this gateway; let callers send the backend's credential in a header of its own and rename it (`as: authorization`), or set `allowCredentialHeaderPassthrough: true`"
        }
    }
}

/// Problems as they are found; one that concerns several backends is kept once.
#[derive(Default)]
pub(super) struct Problems(Vec<PolicyProblem>);

impl Problems {
    pub(super) fn push(&mut self, path: &str, header: &str, backend: Option<&str>, refusal: Refusal) {
        let same = self.0.iter_mut().find(|known| known.path == path && known.header == header && known.refusal == refusal);
        if let Some(known) = same {
            known.backends.extend(backend.map(str::to_owned));
        } else {
            let backends = backend.map(str::to_owned).into_iter().collect();
            self.0.push(PolicyProblem { path: path.to_owned(), header: header.to_owned(), backends, refusal });
        }
    }

    pub(super) fn into_list(self) -> Vec<PolicyProblem> {
        self.0
    }
}
