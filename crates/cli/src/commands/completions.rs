//! `vmcp completions`.

use crate::{args::Cli, error::Failure, terminal};
use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Prints a completion script.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vmcp", &mut script);
        terminal::print(String::from_utf8(script).context("the script is not text")?.trim_end())?;
        Ok(())
    }
}
