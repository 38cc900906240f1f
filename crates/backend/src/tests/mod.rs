//! The whole crate against small servers over real sockets.

mod abandoned;
mod asks;
mod calls;
mod credentials;
mod eras;
mod fetching;
mod hanging;
mod keeping;
mod lists;
mod replies;
mod runtimes;
mod sessions;
mod sse_transport;
mod watching;
