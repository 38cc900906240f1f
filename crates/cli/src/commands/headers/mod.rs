//! `vmcp headers`: what the header policy of a configuration means, without sending anything.

mod explain;
mod given;
mod play;
mod words;

pub(crate) use given::GivenHeaders;

use crate::{
    args::ConfigArgs,
    config::{Environment, Secrets, header_policy, load},
    error::Failure,
    terminal::Terminal,
};
use clap::{Args, Subcommand};

/// Explains which header reaches which backend.
#[derive(Args, Debug)]
pub(crate) struct Headers {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print which of a caller's headers go out to which backend under which name, and which never do
    ///
    /// With -H, play one request that has these headers. Nothing is sent, no secret is needed, and no value is printed.
    Explain(Explain),
}

#[derive(Args, Debug)]
struct Explain {
    #[command(flatten)]
    headers: GivenHeaders,
    /// Print an object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Headers {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let Action::Explain(Explain { headers, json, config }) = self.action;
        let headers = headers.read()?;
        let loaded = load(&config.request(Secrets::Optional)).into_loaded().map_err(|findings| {
            terminal.findings(&findings);
            Failure::Reported
        })?;
        terminal.findings(&loaded.findings);
        // Loading has checked all this and said it with its place.
        let policy = header_policy(&loaded.config, &Environment::of_process()).map_err(|_| Failure::Reported)?;
        if headers.is_empty() {
            explain::run(&loaded.config, &policy, json)?;
        } else {
            play::run(&loaded.config, &policy, &headers, json)?;
        }
        Ok(())
    }
}
