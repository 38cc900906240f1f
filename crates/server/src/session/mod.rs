//! Client sessions of the legacy era.

mod asks;
mod client;
mod clock;
mod common;
mod ear;
mod endpoint;
mod eviction;
mod expiry;
mod followed;
mod hash;
mod log;
mod reader;
mod replay;
mod seal;
mod stream;
mod streams;
mod table;
mod viewed;

pub(crate) use asks::OnProgress;
pub(crate) use client::{ClientSession, Use};
pub(crate) use endpoint::EndpointId;
pub(crate) use followed::updated;
pub(crate) use reader::{Reader, Writer};
pub(crate) use replay::Binding;
pub(crate) use seal::random;
pub(crate) use stream::{EventStream, LONG, Purpose};
pub(crate) use table::{NoSession, SessionTable, Settings, principal_hash};
pub(crate) use viewed::Viewers;

pub use seal::KeyError;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The data behind these locks is consistent after every statement, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
