//! The log: for people on a terminal, for programs with `--log-format json`. It holds names, never values.

use clap::{Args, ValueEnum};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};
use vmcp_core::config::LogLevel;

/// The target of the line that says where the gateway listens.
pub(crate) const READY: &str = "vmcp::ready";

/// How to log.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LogArgs {
    /// What to log: off, error, warn, info, debug or trace, or a filter such as vmcp_backend=debug
    #[arg(long, value_name = "LEVEL", env = "VMCP_LOG_LEVEL")]
    log_level: Option<String>,
    /// How to write the log
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", env = "VMCP_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl LogArgs {
    /// Starts the log on standard error. The command line wins over the configuration.
    pub(crate) fn start(&self, configured: Option<LogLevel>) -> anyhow::Result<()> {
        let level = self.log_level.as_deref().or_else(|| configured.map(LogLevel::as_str)).unwrap_or("info");
        // Whoever starts a gateway waits for the line that says where it listens, however quiet the rest is.
        let ready = if level == "off" { "off" } else { "info" };
        // Libraries below log at levels of their own, some of them payloads: they are heard only when asked for by name.
        let filter = if level.contains(['=', ',']) {
            level.to_owned()
        } else {
            format!("off,vmcp={level},vmcp_server={level},vmcp_backend={level},vmcp_auth={level}")
        };
        let filter = EnvFilter::try_new(format!("{filter},{READY}={ready}"))
            .map_err(|_| anyhow::anyhow!("--log-level: not a level or filter; use for example debug or vmcp_backend=debug"))?;
        let registry = tracing_subscriber::registry().with(filter);
        match self.log_format {
            LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()?,
            LogFormat::Text => {
                let layer = fmt::layer().with_target(false).with_ansi(stderr().is_terminal()).with_writer(stderr);
                registry.with(layer).try_init()?;
            }
        }
        Ok(())
    }
}
