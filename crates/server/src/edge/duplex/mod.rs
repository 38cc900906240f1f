//! Clients at the other end of a pipe: lines in both directions, or an event stream and POSTs.
//!
//! What a message means is the same as over HTTP and is decided in the same places. Here is what a pipe has of its own: requests run beside
//! each other and are answered in any order, `notifications/cancelled` cancels in both eras, and everything goes through one queue. Whoever
//! has more to say than a slow client reads waits: a call, and with it its backend.

mod answering;
mod ending;
mod events;
mod opener;
mod peer;
mod requester;
mod running;
mod session;
mod stdio;

pub(crate) use events::{Pipes, not_allowed, open, post};
pub(crate) use opener::Opener;
pub(crate) use peer::Peer;
