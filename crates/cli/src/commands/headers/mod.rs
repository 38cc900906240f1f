//! `vmcp headers`: what the header policy of a configuration means, without sending anything.

mod explain;
mod given;
mod play;
mod words;

pub(crate) use given::GivenHeaders;

use crate::{
    args::ConfigArgs,
    config::{Environment, Secrets, load, strategies},
    error::Failure,
    terminal::Terminal,
};
use clap::{Args, Subcommand};
use std::sync::Arc;
use vmcp_backend::HttpFetch;
use vmcp_core::{config::Config, header::HeaderPolicy, plugin::Deps};

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
        let policy = policy(&loaded.config)?;
        if headers.is_empty() {
            explain::run(&loaded.config, &policy, json)?;
        } else {
            play::run(&loaded.config, &policy, &headers, json)?;
        }
        Ok(())
    }
}

/// The policy as a gateway would compile it, without its secrets.
fn policy(config: &Config) -> anyhow::Result<HeaderPolicy> {
    let strategies = strategies(&Environment::of_process(), Secrets::Optional);
    let deps = Deps::new(Arc::new(HttpFetch::new(None)));
    let policy = vmcp_server::header_policy(config, vmcp_server::Secrets::Ignored, &strategies, &vmcp_auth::authenticators(), &deps);
    // Loading has checked all this and said it with its place.
    policy.map_err(|problems| anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}
