//! `vmcp version`.

use crate::{error::Failure, terminal};
use clap::Args;
use vmcp_core::Revision;

/// Prints the version and the protocol revisions.
#[derive(Args, Debug)]
pub(crate) struct Version {
    /// Print an object
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let revisions = Revision::SERVED.map(Revision::as_str);
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            terminal::print(serde_json::json!({ "version": version, "revisions": revisions }))?;
        } else {
            terminal::print(format_args!("vmcp {version}\nMCP {}", revisions.join(", ")))?;
        }
        Ok(())
    }
}
