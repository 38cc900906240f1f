//! The configuration model: what a file may say, with its defaults, its schema, and everything that can be wrong with it.
//!
//! Pure data and decisions: reading files and layering sources is the command line's work.

mod aggregation;
mod auth;
mod backend;
mod check;
mod gateway;
mod problem;
mod schema;
mod secret;
mod shape;
mod units;

pub use aggregation::{
    Aggregation, AnnotationOverrides, ConflictResolution, ConflictResolutionConfig, Lint, ToolOverride, ToolVisibility, WorkloadTools,
};
pub use auth::{IncomingAuth, OutgoingAuth, OutgoingSource, StrategyConfig};
pub use backend::{Backend, ListScope, PassthroughEntry, PassthroughHeader, ProtocolEra, Transport};
pub use check::{ADMIN_PATHS, has_errors, is_name, slug};
pub use gateway::{Config, Limits, LogLevel, Operational, Sessions, Timeouts};
pub use problem::{Problem, Severity, index_path, is_within, key_path, nearest};
pub use schema::json_schema;
pub use secret::{SecretError, SecretSource, session_key};
pub use shape::{Shape, TextSite, Wanted};
pub use units::{ByteSize, Span, UnitError};
