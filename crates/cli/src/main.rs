//! The `vmcp` command: arguments, configuration, and what each command prints.

mod args;
mod commands;
mod config;
mod error;
mod logging;
mod table;
mod terminal;

use args::Cli;
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = terminal::Terminal::new(cli.color);
    match commands::run(cli.command, &terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&terminal),
    }
}
