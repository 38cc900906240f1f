//! HTTP towards backends: connections that are driven by the task that uses them, kept for the next request, and nothing that is
//! unbounded.
//!
//! hyper speaks the protocol; the pool is ours, because here a call owns its connection: no task passes requests and answers along,
//! a call that is dropped closes its connection at once, and a connection is free again at the very moment when its answer has been
//! read, so that a second one is never opened for nothing.

mod ca_bundle;
mod client;
mod connect;
mod fetch;
mod line;
mod pool;
mod public;
mod reply;
mod socket;
mod target;

pub use ca_bundle::check_ca_bundle;
pub(crate) use client::{Body, Client, ClientOptions};
pub(crate) use connect::Connector;
pub use fetch::HttpFetch;
pub(crate) use reply::Reply;
pub(crate) use target::Target;

#[cfg(test)]
mod tests;
