//! The commands, each in a file of its own.

mod completions;
mod schema;
mod serve;
mod validate;
mod version;

use crate::{error::Failure, terminal::Terminal};
use clap::Subcommand;

/// What `vmcp` can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve the gateway
    Serve(serve::Serve),
    /// Check a configuration and print everything that is wrong with it
    Validate(validate::Validate),
    /// Print the JSON Schema of the configuration
    Schema(schema::Schema),
    /// Print the version and the protocol revisions
    Version(version::Version),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Runs one command.
pub(crate) fn run(command: Command, terminal: &Terminal) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(terminal),
        Command::Validate(validate) => validate.run(terminal),
        Command::Schema(schema) => schema.run(),
        Command::Version(version) => version.run(),
        Command::Completions(completions) => completions.run(),
    }
}
