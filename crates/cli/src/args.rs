//! What the command line accepts. The arguments of one command alone stand with the command.

use crate::{
    commands::Command,
    config::{Environment, Flags, Request, Secrets},
    values,
};
use clap::{Args, ColorChoice, Parser, ValueEnum};
use std::{
    env,
    ffi::{OsStr, OsString},
    net::IpAddr,
    path::PathBuf,
};

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

impl Color {
    /// What a command line asks for, known before the rest of it is understood.
    pub(crate) fn wanted(arguments: &[OsString]) -> Self {
        let mut words = arguments.iter().map(|word| word.to_str().unwrap_or_default()).take_while(|word| *word != "--");
        let mut wanted = None;
        while let Some(word) = words.next() {
            let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
            wanted = value.and_then(|value| Self::from_str(value, false).ok()).or(wanted);
        }
        wanted.unwrap_or_default()
    }
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// Configuration file in YAML, TOML or JSON; an mcpServers file or a VirtualMCPServer manifest will do
    ///
    /// Without it: the file that VMCP_CONFIG names, then ./vmcp.yaml, then vmcp/vmcp.yaml in the user's configuration folder.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Add a backend; without --config, no configuration file is looked for
    #[arg(long = "backend", value_name = "NAME=URL", value_parser = values::backend)]
    backends: Vec<(String, String)>,
    /// Pass this header of the caller on to every backend
    #[arg(long = "passthrough-header", value_name = "NAME")]
    passthrough_headers: Vec<String>,
}

/// The same, with a file that may be named without a flag.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FileArgs {
    /// The configuration file; the same as --config
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Which endpoint of a configuration to look at.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EndpointArgs {
    /// Look at the endpoint with this path, one of those under `endpoints`, instead of the one of all backends
    #[arg(long, value_name = "PATH")]
    pub(crate) endpoint: Option<String>,
}

/// Where to listen and whom to answer.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListenerArgs {
    /// Listen on this address
    #[arg(long, value_name = "ADDRESS", value_parser = values::host)]
    host: Option<IpAddr>,
    /// Listen on this port; 0 takes a free one
    #[arg(long, value_parser = values::port)]
    port: Option<u16>,
    /// Answer on this path
    #[arg(long)]
    path: Option<String>,
    /// Answer requests for this host; on a loopback listener besides those for this machine's own names
    #[arg(long = "allowed-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Answer requests from pages of this origin; without it from pages of this machine alone
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
}

impl ConfigArgs {
    /// What to load, with this process's environment.
    pub(crate) fn request(self, secrets: Secrets) -> Request {
        self.request_with(ListenerArgs::default(), secrets)
    }

    /// The same where something listens.
    pub(crate) fn request_with(self, listener: ListenerArgs, secrets: Secrets) -> Request {
        let flags = Flags {
            backends: self.backends,
            passthrough_headers: self.passthrough_headers,
            host: listener.host,
            port: listener.port,
            path: listener.path,
            allowed_hosts: listener.allowed_hosts,
            allowed_origins: listener.allowed_origins,
        };
        let file = self.config.or_else(|| variable("VMCP_CONFIG").map(PathBuf::from));
        Request { file, flags, environment: Environment::of_process(), secrets }
    }
}

impl FileArgs {
    /// Whether a file is named without a flag.
    pub(crate) fn names_file(&self) -> bool {
        self.file.is_some()
    }

    /// The file as if it had been given with --config.
    pub(crate) fn into_config(self) -> ConfigArgs {
        ConfigArgs { config: self.file.or(self.config.config), ..self.config }
    }
}

/// A variable that stands for a flag. An empty one counts as not set: that is how a template leaves one out.
pub(crate) fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn colour_is_known_before_the_rest() {
        let wanted = |line: &str| Color::wanted(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(wanted("vmcp serve --prot 1"), Color::Auto);
        assert_eq!(wanted("vmcp --color never nonsense"), Color::Never);
        assert_eq!(wanted("vmcp nonsense --color=always"), Color::Always);
        assert_eq!(wanted("vmcp --color sometimes"), Color::Auto);
        assert_eq!(wanted("vmcp tools call x -- --color=always"), Color::Auto);
    }
}
