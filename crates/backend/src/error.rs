//! What went wrong with a backend, whose fault it is, and whether a retry is safe.

mod words;

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use std::{borrow::Cow, sync::Arc, time::Duration};
use vmcp_core::{Origin, Retry, catalogue::ListKind};

/// A request to a backend failed without an answer that could be passed on.
///
/// The text names backend and phase, and never holds a value of a header, an argument or a token.
#[derive(Clone)]
pub struct Error {
    backend: Arc<str>,
    phase: Phase,
    kind: ErrorKind,
    refuses_era: bool,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Getting a connection.
    Connect,
    /// Getting credentials from the outgoing strategy.
    Credentials,
    /// `server/discover`.
    Discover,
    /// `initialize` and `notifications/initialized`.
    Initialize,
    /// What all lists have in common.
    List,
    /// One of the lists.
    ListOf(ListKind),
    /// A small request that a caller's own needs first, or that keeps something up for it.
    Setup,
    /// A caller's request.
    Call,
    /// The stream that tells of changes.
    Stream,
    /// Ending a session.
    Close,
}

/// Why it failed.
#[derive(Clone)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The backend's settings cannot work. Only from [`Backend::new`](crate::Backend::new).
    Settings(String),
    /// The caller's request lacks a header that the backend's entry requires.
    MissingHeader(HeaderName),
    /// The outgoing strategy gave no credentials, or some that the header policy refuses.
    Credentials(String),
    /// No connection could be made; nothing was sent.
    Connect(String),
    /// The connection broke after the request was written.
    Lost(String),
    /// The backend was silent for this long.
    Timeout(Duration),
    /// The whole took longer than this, however lively it was.
    MaxDuration(Duration),
    /// An HTTP status without a JSON-RPC answer.
    Status {
        /// The status.
        status: StatusCode,
        /// How long the backend asked to wait.
        retry_after: Option<Duration>,
    },
    /// An answer that is none in MCP.
    Malformed(Cow<'static, str>),
    /// A handshake or a list was answered with a JSON-RPC error.
    Refused {
        /// The error's code.
        code: i64,
        /// The error object's JSON text.
        object: Bytes,
    },
    /// The answer is longer than this many bytes.
    TooLarge(usize),
    /// All buffered answers together would be too large.
    Budget,
    /// Too many requests at this backend.
    Overloaded,
    /// What the backend said during the call came faster than the caller took it.
    TooFast,
    /// So many processes of this backend run already.
    Processes {
        /// How many may.
        limit: u32,
        /// Whether these are the caller's own.
        is_principals: bool,
    },
    /// Too many different credentials in one client session. Holds the names of the headers that they come in, if they do.
    ChangingCredentials(String),
    /// The backend forgot the session, and the one opened in its place too.
    SessionLost,
    /// The backend speaks no revision that vmcp speaks.
    NoEra,
    /// The gateway is stopping.
    ShuttingDown,
}

impl Error {
    pub(crate) fn new(backend: &Arc<str>, phase: Phase, kind: ErrorKind) -> Self {
        // What happens on the way to the backend is told as such, whatever it was for.
        let phase = match kind {
            ErrorKind::Connect(_) | ErrorKind::Processes { .. } => Phase::Connect,
            ErrorKind::Credentials(_) => Phase::Credentials,
            _ => phase,
        };
        Self { backend: Arc::clone(backend), phase, kind, refuses_era: false }
    }

    /// The same, as an answer that the era is not spoken.
    pub(crate) fn refusing_era(mut self) -> Self {
        self.refuses_era = true;
        self
    }

    /// Whether it answers that the era is not spoken.
    pub(crate) fn refuses_era(&self) -> bool {
        self.refuses_era
    }

    /// Whether the caller's request lacks a header that the backend requires.
    #[must_use]
    pub fn is_missing_header(&self) -> bool {
        matches!(self.kind, ErrorKind::MissingHeader(_))
    }

    /// The backend's name.
    #[must_use]
    pub fn backend(&self) -> &Arc<str> {
        &self.backend
    }

    /// What was being done.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whose fault it is.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.kind {
            ErrorKind::MissingHeader(_) | ErrorKind::ChangingCredentials(_) => Origin::Client,
            ErrorKind::Settings(_)
            | ErrorKind::Credentials(_)
            | ErrorKind::Budget
            | ErrorKind::Overloaded
            | ErrorKind::Processes { .. }
            | ErrorKind::ShuttingDown => Origin::Gateway,
            _ => Origin::Backend,
        }
    }

    /// Whether repeating the caller's request can do harm. A request fails before it is run in every phase but [`Phase::Call`].
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.kind {
            ErrorKind::Settings(_) | ErrorKind::MissingHeader(_) | ErrorKind::NoEra | ErrorKind::Refused { .. } => Retry::Useless,
            ErrorKind::Credentials(_)
            | ErrorKind::Connect(_)
            | ErrorKind::Overloaded
            | ErrorKind::Processes { .. }
            | ErrorKind::ChangingCredentials(_)
            | ErrorKind::SessionLost
            | ErrorKind::ShuttingDown => Retry::Safe,
            ErrorKind::Status { status, .. } if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Retry::Useless,
            ErrorKind::Status { status: StatusCode::TOO_MANY_REQUESTS, .. } => Retry::Safe,
            _ if self.phase != Phase::Call => Retry::Safe,
            _ => Retry::Unsafe,
        }
    }

    /// Whether it tells something about the backend that is true for every caller, so that those who wait for the same may share it.
    pub(crate) fn is_common(&self) -> bool {
        match self.kind {
            ErrorKind::Connect(_)
            | ErrorKind::Lost(_)
            | ErrorKind::Timeout(_)
            | ErrorKind::MaxDuration(_)
            | ErrorKind::NoEra
            | ErrorKind::ShuttingDown => true,
            ErrorKind::Status { status, .. } => status.is_server_error(),
            _ => false,
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(phase: Phase, kind: ErrorKind) -> Error {
        Error::new(&"github".into(), phase, kind)
    }

    #[test]
    fn only_what_the_backend_may_have_run_is_unsafe_to_repeat() {
        assert_eq!(error(Phase::Call, ErrorKind::Lost("reset".to_owned())).retry(), Retry::Unsafe);
        assert_eq!(error(Phase::Call, ErrorKind::Timeout(Duration::ZERO)).retry(), Retry::Unsafe);
        assert_eq!(error(Phase::Initialize, ErrorKind::Timeout(Duration::ZERO)).retry(), Retry::Safe);
        assert_eq!(error(Phase::Call, ErrorKind::Connect("refused".to_owned())).retry(), Retry::Safe);
        assert_eq!(error(Phase::Call, ErrorKind::NoEra).retry(), Retry::Useless);
    }
}
