//! The gateway as a value.

mod builder;
mod direct;
mod inner;
mod plan;
mod snapshot;
mod status;

pub use builder::{BuildError, GatewayBuilder};
pub use direct::{CallError, Direct};
pub use inner::Gateway;
pub use plan::{Secrets, check};

pub(crate) use inner::Inner;
pub(crate) use snapshot::Snapshot;
