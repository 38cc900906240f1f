#![doc = include_str!("../README.md")]

mod admission;
mod edge;
mod failure;
mod gateway;
mod lane;
mod session;
#[cfg(test)]
mod testing;
mod views;

pub use edge::{BindError, Body, GatewayService, Listener, Peer, Workers};
pub use gateway::{Absent, Authorizing, BuildError, CallError, Checker, Direct, Gateway, GatewayBuilder, Origins};
pub use session::KeyError;
pub use vmcp_backend::{Watchdog, watch_over_servers};
