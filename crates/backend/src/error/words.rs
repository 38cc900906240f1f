//! Errors in words. None holds a value of a header, an argument or a token.

use super::{Error, ErrorKind, Phase};
use std::fmt;
use vmcp_core::config::Span;

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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderName, StatusCode};
    use std::time::Duration;
    use vmcp_core::catalogue::ListKind;

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
    fn a_backends_error_object_never_shows() {
        let refused = ErrorKind::Refused { code: -32000, object: Bytes::from_static(b"{\"message\":\"hunter2\"}") };
        let error = error(Phase::Initialize, refused);
        assert!(!format!("{error} {error:?} {:?}", error.kind()).contains("hunter2"));
    }
}
