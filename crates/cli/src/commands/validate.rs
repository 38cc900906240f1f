//! `vmcp validate`.

use crate::{
    args::{FileArgs, ListenerArgs},
    config::{Finding, Secrets, load},
    error::Failure,
    terminal::{self, Terminal},
};
use clap::Args;
use serde_json::Value;

/// Checks a configuration. Exit code 1 when it cannot be used.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// Require every environment variable and file that holds a secret to be there
    #[arg(long)]
    strict: bool,
    /// Print a list of objects on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: FileArgs,
    #[command(flatten)]
    listener: ListenerArgs,
}

impl Validate {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let secrets = if self.strict { Secrets::Required } else { Secrets::Optional };
        let loaded = load(&self.config.into_config().request_with(self.listener, secrets)).into_loaded();
        let findings = match &loaded {
            Ok(loaded) => &loaded.findings,
            Err(findings) => findings,
        };
        if self.json {
            terminal::print(Value::Array(findings.iter().map(Finding::to_json).collect()))?;
        } else {
            terminal.findings(findings);
        }
        let loaded = loaded.map_err(|_| Failure::Reported)?;
        if !self.json {
            let name = loaded.sources.file.map_or_else(|| "configuration".to_owned(), |file| file.display().to_string());
            let backends = match loaded.config.backends.len() {
                1 => "1 backend".to_owned(),
                count => format!("{count} backends"),
            };
            let endpoints = match loaded.config.endpoints.len() {
                0 => String::new(),
                1 => ", 1 more endpoint".to_owned(),
                count => format!(", {count} more endpoints"),
            };
            terminal::print(format_args!("{name}: ok, {backends}{endpoints}"))?;
        }
        Ok(())
    }
}
