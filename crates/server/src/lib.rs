#![doc = include_str!("../README.md")]

mod edge;
mod failure;
mod gateway;
mod lane;
mod session;
mod views;

pub use edge::{Body, GatewayService};
pub use gateway::{BuildError, CallError, Direct, Gateway, GatewayBuilder, Secrets, check};
pub use session::KeyError;
