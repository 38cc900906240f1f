//! From file, environment and flags to a checked configuration.
//!
//! A file is parsed with the place of every part, turned into vmcp's own form where it is somebody else's, and its `${ENV}` are
//! replaced; the layers are merged; the result is checked as a whole. Everything that is wrong is said at once, each with its place.

mod check;
mod document;
mod endpoint;
mod environment;
mod finding;
mod flags;
mod foreign;
mod interpolate;
mod layers;
mod load;
mod locate;
mod redact;
mod stand_in;
mod syntax;

pub(crate) use check::{Secrets, authorizer, header_policy};
pub(crate) use endpoint::at_endpoint;
pub(crate) use environment::Environment;
pub(crate) use finding::Finding;
pub(crate) use flags::Flags;
pub(crate) use load::{Request, load};
