//! What a header policy allows and its operator should know.

use super::problem::{quoted, towards};
use std::fmt;

/// Something that is allowed and deserves a line at start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyWarning {
    /// The caller's own `authorization` or `cookie` is passed on.
    CredentialPassthrough {
        /// The caller's header.
        header: String,
        /// The backends that get it.
        backends: Vec<String>,
    },
    /// `allowPlaintext` lets credentials travel in the clear.
    Plaintext {
        /// The headers, by their names towards the backend.
        headers: Vec<String>,
        /// The backend.
        backend: String,
    },
    /// A global entry that some backend cannot be given.
    Unreachable {
        /// The caller's header.
        header: String,
        /// The backends concerned.
        backends: Vec<String>,
        /// Whether these are processes, which are sent no headers; else it is the entry that says `asEnv` alone.
        are_started: bool,
    },
    /// A header goes out as `authorization`, `cookie` or a variable although its entry says that it is no credential.
    Unkeyed {
        /// The caller's header.
        header: String,
        /// The backends concerned.
        backends: Vec<String>,
    },
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialPassthrough { header, backends } => write!(
                f,
                "the caller's `{header}` is passed on to {}; MCP forbids this for a token that was issued for this gateway: let callers send the backend's credential in a header of its own and rename it",
                towards(backends)
            ),
            Self::Plaintext { headers, backend } => write!(
                f,
                "{} may travel unencrypted to backend `{backend}`, as its `allowPlaintext` says; use an https:// URL where you can",
                quoted(headers)
            ),
            Self::Unreachable { header, backends, are_started: true } => write!(
                f,
                "`{header}` does not reach {}, started with `command` and sent no headers; give the entry `asEnv`, or set `inheritPassthroughHeaders: false` there",
                towards(backends)
            ),
            Self::Unreachable { header, backends, are_started: false } => write!(
                f,
                "`{header}` does not reach {}, because its entry has `asEnv` alone; give it `as` too, or set `inheritPassthroughHeaders: false` there",
                towards(backends)
            ),
            Self::Unkeyed { header, backends } => write!(
                f,
                "`{header}` goes to {} as a credential, but its entry says `credential: false`: callers with different values share sessions and lists there; remove `credential: false` unless all its values mean the same caller",
                towards(backends)
            ),
        }
    }
}

/// Warnings as they arise; one header is one warning, however many backends get it.
#[derive(Default)]
pub(super) struct Warnings(Vec<PolicyWarning>);

impl Warnings {
    pub(super) fn credential_passthrough(&mut self, inbound: &str, backend: &str) {
        for known in &mut self.0 {
            if let PolicyWarning::CredentialPassthrough { header, backends } = known
                && header == inbound
            {
                return backends.push(backend.to_owned());
            }
        }
        let backends = vec![backend.to_owned()];
        self.0.push(PolicyWarning::CredentialPassthrough { header: inbound.to_owned(), backends });
    }

    pub(super) fn unkeyed(&mut self, inbound: &str, backend: &str) {
        for known in &mut self.0 {
            if let PolicyWarning::Unkeyed { header, backends } = known
                && header == inbound
            {
                return backends.push(backend.to_owned());
            }
        }
        self.0.push(PolicyWarning::Unkeyed { header: inbound.to_owned(), backends: vec![backend.to_owned()] });
    }

    pub(super) fn unreachable(&mut self, inbound: &str, backend: &str, started: bool) {
        for known in &mut self.0 {
            if let PolicyWarning::Unreachable { header, backends, are_started } = known
                && header == inbound
                && *are_started == started
            {
                return backends.push(backend.to_owned());
            }
        }
        let backends = vec![backend.to_owned()];
        self.0.push(PolicyWarning::Unreachable { header: inbound.to_owned(), backends, are_started: started });
    }

    pub(super) fn plaintext(&mut self, headers: Vec<String>, backend: &str) {
        self.0.push(PolicyWarning::Plaintext { headers, backend: backend.to_owned() });
    }

    pub(super) fn into_list(self) -> Vec<PolicyWarning> {
        self.0
    }
}
