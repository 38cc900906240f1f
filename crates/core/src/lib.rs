#![doc = include_str!("../README.md")]

mod capability;
pub mod catalogue;
pub mod config;
mod fault;
pub mod frame;
pub mod header;
mod logging_level;
mod parts_hasher;
pub mod plugin;
mod revision;
mod seldom;

pub use capability::CapabilitySet;
pub use fault::{Origin, Retry};
pub use logging_level::LoggingLevel;
pub use parts_hasher::PartsHasher;
pub use revision::{Era, Revision};
pub use seldom::Seldom;
