//! What the command line accepts. The arguments of one command alone stand with the command.

use crate::{
    commands::Command,
    config::{Environment, Flags, Request, Secrets},
};
use clap::{Args, Parser, ValueEnum};
use std::path::PathBuf;

/// A virtual MCP server: one endpoint in front of many MCP servers, and the right header to the right backend.
#[derive(Parser, Debug)]
#[command(name = "vmcp", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to colour what is printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// Configuration file in YAML, TOML or JSON; an mcpServers file or a VirtualMCPServer manifest will do
    ///
    /// Without it: ./vmcp.yaml, then vmcp/vmcp.yaml in the user's configuration folder.
    #[arg(short, long, value_name = "FILE", env = "VMCP_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

impl ConfigArgs {
    /// What to load, with this process's environment.
    pub(crate) fn request(self, secrets: Secrets) -> Request {
        Request { file: self.config, flags: self.flags, environment: Environment::of_process(), secrets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
