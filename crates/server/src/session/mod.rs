//! Client sessions of the legacy era.

mod client;
mod expiry;
mod seal;
mod table;

pub(crate) use client::{ClientSession, StreamHandle, Use};
pub(crate) use table::{NoSession, SessionTable, Settings};

pub use seal::KeyError;
