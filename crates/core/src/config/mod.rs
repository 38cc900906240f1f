//! The configuration model: what a file may say, with its defaults, its schema, and everything that can be wrong with it.
//!
//! Pure data and decisions: reading files and layering sources is the command line's work.

mod aggregation;
mod auth;
mod backend;
mod check;
mod endpoint;
mod follow;
mod gateway;
mod listen;
mod loopback;
mod network;
mod passthrough;
mod problem;
mod schema;
mod secret;
mod shape;
mod transport;
mod units;

pub use aggregation::{
    Aggregation, AnnotationOverrides, ConflictResolution, ConflictResolutionConfig, Lint, ToolOverride, ToolVisibility, WorkloadTools,
};
pub use auth::{AuthzConfig, IncomingAuth, InterceptorConfig, OnError, OutgoingAuth, OutgoingSource, StrategyConfig};
pub use backend::{Backend, BackendKind, ListScope, ProtocolEra};
pub use check::{ADMIN_PATHS, has_errors, is_name, slug};
pub use endpoint::{Endpoint, EndpointBackend, EndpointConfig, UsedBackend};
pub use follow::follows_from;
pub use gateway::{Config, Limits, LogLevel, Operational, Sessions, Timeouts};
pub use listen::{Listen, ListenTls};
pub use loopback::is_loopback;
pub use network::{Network, NetworkError};
pub use passthrough::{PassthroughEntry, PassthroughHeader};
pub use problem::{Problem, Severity, index_path, is_within, key_path, nearest};
pub use schema::{json_schema, with_variables};
pub use secret::{SecretError, SecretSource, session_key};
pub use shape::{NOT_AVAILABLE, Reading, Shape, TextSite, Wanted, unavailable_key};
pub use transport::{ProcessScope, Transport};
pub use units::{ByteSize, Span, UnitError};

use check::path_complaint;
