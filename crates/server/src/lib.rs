#![doc = include_str!("../README.md")]

mod edge;
mod failure;
mod gateway;
mod lane;
mod session;
mod views;

pub use edge::{Body, GatewayService};
pub use gateway::{Absent, BuildError, CallError, Direct, Gateway, GatewayBuilder, Origins, Secrets, check, header_policy};
pub use session::KeyError;
