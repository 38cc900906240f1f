//! The commands, each in a file of its own.

mod auth;
mod authz;
mod completions;
mod demo;
mod headers;
mod person;
mod schema;
mod serve;
mod stdio;
mod tools;
mod validate;
mod version;
mod watchdog;

use crate::{error::Failure, terminal::Terminal};
use clap::Subcommand;

/// What `vmcp` can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve the gateway
    Serve(serve::Serve),
    /// Serve the gateway to the program that starts this one, over standard input and output
    Stdio(stdio::Stdio),
    /// Check a configuration and print everything that is wrong with it
    Validate(validate::Validate),
    /// List, call and count the tools of a configuration or of an MCP endpoint
    Tools(tools::Tools),
    /// Explain which header reaches which backend
    Headers(headers::Headers),
    /// Explain what a caller may do, and which policies decide it
    Authz(authz::Authz),
    /// Make what callers are known by
    Auth(auth::Auth),
    /// Show two users, two servers, and which header reached which, on this machine alone
    Demo(demo::Demo),
    /// Print the JSON Schema of the configuration
    Schema(schema::Schema),
    /// Print the version and the protocol revisions
    Version(version::Version),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// End the servers of a vmcp that was killed; `vmcp serve` starts this by itself
    #[command(hide = true)]
    Watchdog(watchdog::Watchdog),
}

/// Runs one command.
pub(crate) fn run(command: Command, terminal: &Terminal) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(terminal),
        Command::Stdio(stdio) => stdio.run(terminal),
        Command::Validate(validate) => validate.run(terminal),
        Command::Tools(tools) => tools.run(terminal),
        Command::Headers(headers) => headers.run(terminal),
        Command::Authz(authz) => authz.run(terminal),
        Command::Auth(auth) => auth.run(),
        Command::Demo(demo) => demo.run(terminal),
        Command::Schema(schema) => schema.run(),
        Command::Version(version) => version.run(),
        Command::Completions(completions) => completions.run(),
        Command::Watchdog(watchdog) => watchdog.run(),
    }
}
