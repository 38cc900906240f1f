//! What tests share: a scripted server, and a backend in front of it.

mod server;
mod under;

pub(crate) use server::*;
pub(crate) use under::*;
