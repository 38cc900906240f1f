#![doc = include_str!("../README.md")]

mod budget;
mod bulkhead;
mod deadline;
mod error;
mod flight;
mod http;
mod sse;

pub use error::{Error, ErrorKind, Phase};
pub use http::HttpFetch;
