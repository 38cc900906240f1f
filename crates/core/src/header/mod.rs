//! Which of a caller's headers reach which backend, decided once when the configuration is loaded.
//!
//! Nothing of a caller's request is copied by default. A [`PolicySpec`] says what every backend's entry lists;
//! [`HeaderPolicy::compile`] refuses what must not travel and names every refusal at once; [`HeaderPolicy::capture`] reads the
//! listed headers of one request into a [`Forwarded`]; [`BackendPolicy::apply`] writes what one backend lists, and nothing else,
//! into an outgoing header map, and [`BackendPolicy::environment`] says what a backend that is a process finds in its variables. All of it is pure: no I/O, no clock, no global state.
//!
//! Names are compared in one form everywhere: lower case, with `_` and `.` read as `-` ([`normalise`]), because servers that turn
//! headers into variables cannot tell these apart. Values stay byte for byte, and none ever appears in `Debug`, in an error or in a
//! warning.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use url::Url;
//! use vmcp_core::config::{PassthroughEntry, PassthroughHeader};
//! use vmcp_core::header::{BackendSpec, HeaderPolicy, PolicySpec};
//!
//! let url = Url::parse("https://mcp.example.com/mcp").unwrap();
//! let token = PassthroughEntry::Full(PassthroughHeader {
//!     rename: Some("authorization".to_owned()),
//!     format: Some("Bearer {}".to_owned()),
//!     ..PassthroughHeader::named("x-github-token".to_owned())
//! });
//! let policy = HeaderPolicy::compile(&PolicySpec {
//!     backends: vec![BackendSpec { passthrough: &[token], ..BackendSpec::new("github", &url) }],
//!     ..PolicySpec::default()
//! })
//! .unwrap();
//!
//! let mut inbound = HeaderMap::new();
//! inbound.insert("x-github-token", HeaderValue::from_static("abc"));
//! inbound.insert("x-unlisted", HeaderValue::from_static("stays here"));
//! let forwarded = policy.capture(&inbound).unwrap();
//!
//! let mut outgoing = HeaderMap::new();
//! policy.backend(0).apply(&forwarded, &mut outgoing);
//! assert_eq!(outgoing.len(), 1);
//! assert_eq!(outgoing["authorization"], "Bearer abc");
//! ```

mod backend;
mod capture;
mod closed;
mod compile;
mod entry;
mod format;
mod forwarded;
mod name;
mod outgoing;
mod policy;
mod problem;
mod spec;
mod table;
mod towards;
mod variable;
mod warning;

pub use backend::BackendPolicy;
pub use capture::{CaptureError, CaptureReason, MAX_FORWARDED_BYTES, MAX_FORWARDED_LINES};
pub use closed::{ClosedGroup, Side, closed};
pub use format::FormatError;
pub use forwarded::Forwarded;
pub use name::{is_correlation_id, normalise};
pub use outgoing::{HeaderOrigin, Outgoing, OutgoingName};
pub use policy::HeaderPolicy;
pub use problem::{PolicyProblem, Refusal, Taker};
pub use spec::{BackendSpec, Place, PolicySpec, StartedSpec, strategy_entries};
pub use variable::{VariableGroup, closed_variable};
pub use warning::PolicyWarning;

#[cfg(test)]
mod tests;
