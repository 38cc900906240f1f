//! Why bytes are not a message.

use super::MAX_DEPTH;

/// Why bytes are not a message that vmcp carries. Never quotes the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not JSON.
    #[error("not JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Offset of the first byte that does not fit.
        at: usize,
        /// What would have fitted.
        expected: &'static str,
    },
    /// Nested too deeply.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// One key twice in the envelope, `params`, `result` or `error`.
    #[error("a key stands twice in one object, at byte {0}")]
    DuplicateKey(usize),
    /// An array of messages.
    #[error("batches are not part of this protocol revision; send one message for each request")]
    Batch,
    /// JSON, but not a JSON-RPC 2.0 message.
    #[error("not a JSON-RPC 2.0 message: {0}")]
    NotAMessage(&'static str),
}

impl FrameError {
    /// The JSON-RPC code: -32700 for what is not JSON, -32600 for what is JSON but no message (JSON-RPC 2.0, section 5.1).
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::NotUtf8(_) | Self::Syntax { .. } => -32700,
            Self::TooDeep | Self::DuplicateKey(_) | Self::Batch | Self::NotAMessage(_) => -32600,
        }
    }
}
