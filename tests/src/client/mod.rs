//! Clients that write HTTP/1.1 themselves, byte by byte where a test wants that.
//!
//! [`Conn`] is one connection, [`Request`] one request, [`Caller`] one user in one era (a session, headers, a counter for ids) that can
//! use any connection, and [`Client`] a caller with a connection of its own.

mod caller;
mod conn;
mod reply;
mod request;
mod rpc;
mod whole;

pub use caller::Caller;
pub use conn::{Conn, Head, Response};
pub use reply::{Event, Reply, RpcError};
pub use request::Request;
pub use rpc::{Rpc, quoted};
pub use whole::{Client, ClientBuilder, Stream};
