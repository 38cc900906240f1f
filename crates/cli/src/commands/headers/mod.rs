//! `vmcp headers`: what the header policy of a configuration means, without sending anything.

mod explain;
mod given;
mod play;
mod refused;
mod words;

pub(crate) use given::GivenHeaders;

use crate::{
    args::{EndpointArgs, FileArgs},
    config::{Environment, Finding, Secrets, at_endpoint, header_policy, load},
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
    /// With -H, play one request that has these headers. Nothing is sent, no secret is needed, and no value is printed. Where the
    /// configuration cannot be used, what is sound of it is explained, and the exit code is 1.
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
    endpoint: EndpointArgs,
    #[command(flatten)]
    config: FileArgs,
}

impl Headers {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let Action::Explain(Explain { headers, json, endpoint, config }) = self.action;
        if headers.lacks_value() && config.names_file() {
            // The file's name is then the value, which no message may show.
            let message = "-H: the header ends with its colon and its value stands beside it; write it in quotes, -H 'name: value'";
            return Err(Failure::Usage(message.to_owned()));
        }
        let headers = headers.read()?;
        let (draft, findings) = load(&config.into_config().request(Secrets::Optional)).into_draft();
        terminal.findings(&findings);
        let Some(config) = draft else { return Err(Failure::Reported) };
        let config = at_endpoint(config, endpoint.endpoint.as_deref())?;
        let (policy, problems) = header_policy(&config, &Environment::of_process());
        let refused = refused::list(&config, &problems);
        if headers.is_empty() {
            explain::run(&config, &policy, &refused, json)?;
        } else {
            play::run(&config, &policy, &refused, &headers, json)?;
        }
        // Loading has said what is wrong, with its place.
        if findings.iter().any(Finding::is_error) || !refused.is_empty() { Err(Failure::Reported) } else { Ok(()) }
    }
}
