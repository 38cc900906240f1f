//! What went wrong with a backend, whose fault it is, and whether a retry is safe.

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use std::{borrow::Cow, fmt, sync::Arc, time::Duration};
use vmcp_core::{Origin, Retry, catalogue::ListKind, config::Span};

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

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Credentials => "credentials",
            Self::Discover => "server/discover",
            Self::Initialize => "initialize",
            Self::List => "list",
            Self::ListOf(kind) => kind.method(),
            Self::Setup => "set-up",
            Self::Call => "call",
            Self::Stream => "event stream",
            Self::Close => "close",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(why) => write!(f, "cannot be used: {why}"),
            Self::MissingHeader(name) => write!(f, "needs the header `{name}`, which the request does not have"),
            Self::Credentials(why) | Self::Connect(why) | Self::Lost(why) => write!(f, "failed: {why}"),
            Self::Timeout(limit) => write!(f, "timed out after {}", Span(*limit)),
            Self::MaxDuration(limit) => write!(f, "took longer than {} in all", Span(*limit)),
            Self::Status { status, .. } => write!(f, "was answered with HTTP status {}", status.as_u16()),
            Self::Malformed(why) => write!(f, "got a malformed answer: {why}"),
            Self::Refused { code, .. } => write!(f, "was refused with JSON-RPC error {code}"),
            Self::TooLarge(limit) => write!(f, "got an answer of more than {limit} bytes"),
            Self::Budget => f.write_str("got an answer for which there is no memory left; retry later"),
            Self::TooFast => f.write_str("got messages faster than the caller read them"),
            Self::Overloaded => f.write_str("found too many requests waiting; retry later"),
            Self::Processes { limit, is_principals } => {
                let (whose, key) = if *is_principals { (" of this caller's", "maxProcessesPerPrincipal") } else { ("", "maxProcesses") };
                write!(f, "found as many processes{whose} as `{key}` ({limit}) allows; close sessions, or retry later")
            }
            Self::ChangingCredentials(headers) => {
                let come_in = if headers.is_empty() { "" } else { " in " };
                write!(
                    f,
                    "found too many different credentials{come_in}{headers} within one client session; send the same ones throughout "
                )?;
                f.write_str("a session, and list a header that is no credential with `credential: false`")
            }
            Self::SessionLost => f.write_str("lost its session twice in a row"),
            Self::NoEra => f.write_str("found no protocol revision that both sides speak"),
            Self::ShuttingDown => f.write_str("was not started: the gateway is stopping"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Settings(_) | ErrorKind::MissingHeader(_) => write!(f, "backend `{}` {}", self.backend, self.kind),
            _ => write!(f, "backend `{}`: {} {}", self.backend, self.phase, self.kind),
        }
    }
}

impl fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A backend's error object may repeat arguments: the text is all that is shown.
        write!(f, "{self}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
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
    fn messages_name_backend_and_phase() {
        let cases = [
            (error(Phase::Initialize, ErrorKind::Timeout(Duration::from_secs(5))), "backend `github`: initialize timed out after 5s"),
            (error(Phase::Call, ErrorKind::Connect("refused".to_owned())), "backend `github`: connect failed: refused"),
            (
                error(Phase::Call, ErrorKind::MissingHeader(HeaderName::from_static("x-t"))),
                "backend `github` needs the header `x-t`, which the request does not have",
            ),
            (
                error(Phase::ListOf(ListKind::Tools), ErrorKind::Status { status: StatusCode::BAD_GATEWAY, retry_after: None }),
                "backend `github`: tools/list was answered with HTTP status 502",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn only_what_the_backend_may_have_run_is_unsafe_to_repeat() {
        assert_eq!(error(Phase::Call, ErrorKind::Lost("reset".to_owned())).retry(), Retry::Unsafe);
        assert_eq!(error(Phase::Call, ErrorKind::Timeout(Duration::ZERO)).retry(), Retry::Unsafe);
        assert_eq!(error(Phase::Initialize, ErrorKind::Timeout(Duration::ZERO)).retry(), Retry::Safe);
        assert_eq!(error(Phase::Call, ErrorKind::Connect("refused".to_owned())).retry(), Retry::Safe);
        assert_eq!(error(Phase::Call, ErrorKind::NoEra).retry(), Retry::Useless);
    }

    #[test]
    fn a_backends_error_object_never_shows() {
        let refused = ErrorKind::Refused { code: -32000, object: Bytes::from_static(b"{\"message\":\"hunter2\"}") };
        let error = error(Phase::Initialize, refused);
        assert!(!format!("{error} {error:?} {:?}", error.kind()).contains("hunter2"));
    }
}
