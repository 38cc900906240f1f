//! Clients that write HTTP/1.1 themselves, byte by byte where a test wants that.
//!
//! [`Conn`] is one connection, [`Request`] one request, [`Caller`] one user in one era (a session, headers, a counter for ids) that can
//! use any connection, [`Client`] a caller with a connection of its own, and [`Old`]
//! a client that knows nothing but HTTP+SSE.

mod caller;
mod conn;
mod events;
mod old;
mod once;
mod reply;
mod request;
mod rpc;
mod whole;

pub use caller::Caller;
pub use conn::{Conn, Head, Response};
pub use old::Old;
pub use once::{Once, once};
pub use reply::{Event, Reply, RpcError};
pub use request::Request;
pub use rpc::{Rpc, quoted};
pub use whole::{Client, ClientBuilder, Stream};
