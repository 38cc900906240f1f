//! Asking the token endpoint of an OAuth authorization server: what several strategies have in common.

mod answer;
mod assertion;
mod client;
mod discovery;
mod endpoint;
mod files;
mod tokens;

pub use client::ClientAuthMethod;
pub(crate) use client::ClientSettings;
pub(crate) use endpoint::{Form, Place, check_url};
pub(crate) use files::{authorities, ca_bundle, read_file};
pub(crate) use tokens::{TokenSettings, Tokens};

use client::Client;
use endpoint::TokenEndpoint;
use vmcp_core::plugin::StrategyError;

/// A setting that cannot work: its place below the key that a strategy's settings stand under, or none for all of them.
pub(crate) fn refused(key: &str, place: impl Into<String>, what: impl std::fmt::Display) -> StrategyError {
    StrategyError::at(place, format!("{key} {what}"))
}
