//! JSON-RPC messages over raw JSON: one pass that checks the grammar and finds the few places that a gateway has to touch.
//!
//! What is not touched stays byte for byte. The scanner accepts exactly the JSON of RFC 8259, refuses duplicate keys in the
//! envelope, in `params`, in `result` and in `error` (two readers could otherwise see two messages), and caps the depth.

mod array;
mod ends;
mod error;
mod id;
mod lines;
mod message;
mod object;
mod result_traits;
mod scan;
mod write;

pub use array::elements;
pub use ends::Ends;
pub use error::FrameError;
pub use id::Id;
pub use lines::{LineReader, TooLong};
pub use message::{ErrorObject, Message, Notification, Request, Response};
pub use object::{Edit, Member, RawObject};
pub use result_traits::{ResultKind, ResultTraits};
pub use scan::{MAX_DEPTH, decode_string, is_json};
pub use write::{error_object, error_response, json_string, notification, request, request_text, response_head, single_line};

#[cfg(test)]
mod tests;
