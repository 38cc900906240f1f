//! The caller's side of a request that is carried.

use crate::{failure::Failure, session::OnProgress};
use bytes::Bytes;
use vmcp_auth::Identity;
use vmcp_core::{catalogue::ParamHeader, frame::RawObject};

/// The caller's side of a request that is carried.
pub(crate) trait Requester {
    /// Takes a message that the backend sends ahead of its answer: a whole JSON-RPC notification for the call's stream.
    async fn notified(&self, message: Bytes);

    /// Compares the headers that repeat arguments with the arguments, where the caller's revision has such headers.
    fn check_mirrored(&self, _params: &RawObject<'_>, _repeated: &[ParamHeader]) -> Result<(), Failure> {
        Ok(())
    }

    /// Asks the client something on the call's stream, and waits for its answer. `params` is the JSON text of an object. Several questions
    /// may be under way at once; one that is no longer waited for is taken back. `on_progress` hears of the client's progress, where
    /// `params` have a token for it.
    ///
    /// # Errors
    /// The client's own error, or that nobody can be asked.
    async fn ask(&self, _method: &str, _params: &[u8], _on_progress: Option<OnProgress>) -> Result<Given, Unanswered> {
        Err(Unanswered::CannotBeAsked)
    }
}

/// What a client answered. `Debug` shows no value.
pub(crate) struct Given {
    /// The JSON text of the `result` object.
    pub(crate) result: Bytes,
    /// Who sent the request that brought the answer; `None` where it is the call's own.
    pub(crate) identity: Option<Identity>,
}

/// Why there is no answer. `Debug` shows no value.
pub(crate) enum Unanswered {
    /// The client's error: the JSON text of the `error` object.
    Error(Bytes),
    /// This client cannot be asked anything now: it reads no stream, or its revision has no such requests.
    CannotBeAsked,
    /// The client's session has ended.
    Gone,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Given({} bytes)", self.result.len())
    }
}

impl std::fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(object) => write!(f, "Error({} bytes)", object.len()),
            Self::CannotBeAsked => f.write_str("CannotBeAsked"),
            Self::Gone => f.write_str("Gone"),
        }
    }
}
