//! The gateway as a value.

mod backend_options;
mod builder;
mod callers;
mod direct;
mod endpoints;
mod inner;
mod kept;
mod origins;
mod plan;
mod reload;
mod snapshot;
mod status;
mod told;

pub use builder::{BuildError, GatewayBuilder};
pub use direct::{CallError, Direct};
pub use inner::Gateway;
pub use origins::{Absent, Origins};
pub use plan::{Authorizing, Checker};

pub(crate) use callers::Callers;
pub(crate) use endpoints::Found;
pub(crate) use inner::{InFlight, Inner};
pub(crate) use snapshot::Snapshot;
