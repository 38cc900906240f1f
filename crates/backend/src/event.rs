//! What comes back from a backend.

use crate::AskId;
use bytes::Bytes;
use std::fmt;

/// One thing that a backend said in answer to a request. `Debug` shows kinds and lengths only.
#[derive(Clone)]
pub enum Event {
    /// The result: the JSON text of the `result` object, byte for byte. Ends the exchange.
    Result(Bytes),
    /// The backend's own JSON-RPC error. Ends the exchange.
    Error {
        /// Its code.
        code: i64,
        /// The JSON text of the `error` object, byte for byte.
        object: Bytes,
    },
    /// A notification ahead of the answer.
    Notification {
        /// Its method.
        method: String,
        /// The JSON text of the `params` object, or `{}`.
        params: Bytes,
    },
    /// What a legacy backend asks of the caller during the call: `sampling/createMessage`, `elicitation/create` or `roots/list`, as far
    /// as the declared capabilities allow it. To be answered with [`Exchange::respond`](crate::Exchange::respond); until then the backend
    /// may be silent.
    Request {
        /// Which request.
        id: AskId,
        /// Its method.
        method: String,
        /// The JSON text of the `params` object, or `{}`.
        params: Bytes,
    },
    /// The backend took a request back.
    Withdrawn {
        /// Which request.
        id: AskId,
    },
}

impl Event {
    /// Whether it ends the exchange.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Result(_) | Self::Error { .. })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(text) => write!(f, "Result({} bytes)", text.len()),
            Self::Error { code, object } => write!(f, "Error({code}, {} bytes)", object.len()),
            Self::Request { method, params, .. } => write!(f, "Request({method}, {} bytes)", params.len()),
            Self::Withdrawn { .. } => f.write_str("Withdrawn"),
            Self::Notification { method, params } => write!(f, "Notification({method}, {} bytes)", params.len()),
        }
    }
}
