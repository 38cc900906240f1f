//! The `vmcp` command: arguments, configuration, and what each command prints.

mod args;
mod commands;
mod config;
mod error;
mod logging;
mod table;
mod terminal;
mod usage;
mod values;

use args::{Cli, Color};
use clap::{CommandFactory, FromArgMatches, error::ErrorKind};
use error::Failure;
use std::{env, ffi::OsString, process::ExitCode};
use terminal::Terminal;

// As Rust's allocator it is asked for memory of a certain alignment every time, which takes a longer way for most sizes. Where it can be
// `malloc` itself it is asked only where a type is aligned more than all memory is, and libraries in C get their memory from it too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use mimalloc as _;

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let color = Color::wanted(&arguments);
    let terminal = Terminal::new(color);
    let mut command = Cli::command().color(color.into());
    let cli = command.try_get_matches_from_mut(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let done = match cli {
        Ok(cli) => commands::run(cli.command, &terminal),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
            _ => Err(Failure::Usage(usage::line(&error, &command, &arguments))),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&terminal),
    }
}
