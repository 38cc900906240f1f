//! `vmcp watchdog`, which nobody calls by hand.

use crate::error::Failure;
use anyhow::Context;
use clap::Args;
use vmcp_server::GatewayBuilder;

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

/// Has a gateway's servers ended when vmcp is killed. The helper is this program.
pub(crate) fn watched(builder: GatewayBuilder) -> GatewayBuilder {
    match std::env::current_exe() {
        Ok(program) => builder.watchdog(vmcp_server::Watchdog::new(program, vec!["watchdog".into()])),
        Err(_) => builder,
    }
}
