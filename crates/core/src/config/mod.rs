//! The configuration model: what a file may say, with its defaults. Reading files and layering sources is the command line's work.

mod aggregation;
mod auth;
mod backend;
mod gateway;
mod units;

pub use aggregation::{
    Aggregation, AnnotationOverrides, ConflictResolution, ConflictResolutionConfig, Lint, ToolOverride, ToolVisibility, WorkloadTools,
};
pub use auth::{IncomingAuth, OutgoingAuth, OutgoingSource, StrategyConfig};
pub use backend::{Backend, ListScope, PassthroughEntry, PassthroughHeader, ProtocolEra, SecretSource, Transport};
pub use gateway::{Config, Limits, Operational, Sessions, Timeouts};
pub use units::{ByteSize, Span, UnitError};
