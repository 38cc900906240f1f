//! `vmcp watchdog`, which nobody calls by hand.

use crate::error::Failure;
use anyhow::Context;
use clap::Args;

/// Waits for its input to end, and ends the process groups that it was told of.
#[derive(Args, Debug)]
pub(crate) struct Watchdog {}

impl Watchdog {
    #[expect(clippy::unused_self, reason = "a command is run as a value")]
    pub(crate) fn run(self) -> Result<(), Failure> {
        vmcp_server::watch_over_servers(std::io::stdin().lock()).context("cannot read what to watch over")?;
        Ok(())
    }
}

/// This program, to be started as the helper.
pub(crate) fn helper() -> Option<vmcp_server::Watchdog> {
    let program = std::env::current_exe().ok()?;
    Some(vmcp_server::Watchdog::new(program, vec!["watchdog".into()]))
}
