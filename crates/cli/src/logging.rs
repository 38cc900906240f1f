//! The log: for people on a terminal, for programs with `--log-format json`. It holds names, never values.

use crate::{args::variable, config::Finding, error::Failure, terminal::Terminal};
use clap::{Args, ValueEnum};
use std::io::stderr;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};
use vmcp_core::config::{LogLevel, Severity};

/// The target of the line that says where the gateway listens.
pub(crate) const READY: &str = "vmcp::ready";

/// The target of what there is to say about the configuration.
const FINDINGS: &str = "vmcp::config";

/// How to log.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LogArgs {
    /// What to log: off, error, warn, info, debug or trace, or a filter such as vmcp_backend=debug [env: VMCP_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    log_level: Option<String>,
    /// How to write the log: text unless this says otherwise [env: VMCP_LOG_FORMAT]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// A log that has been started.
pub(crate) struct Log {
    format: LogFormat,
}

impl LogArgs {
    /// Starts the log on standard error. The command line wins over the environment, that over the configuration.
    ///
    /// # Errors
    /// When a variable is not what the flag could be.
    pub(crate) fn start(&self, configured: Option<LogLevel>, terminal: &Terminal) -> Result<Log, Failure> {
        let level = or_variable(self.log_level.clone(), "VMCP_LOG_LEVEL", level)?;
        let format = or_variable(self.log_format, "VMCP_LOG_FORMAT", format)?.unwrap_or_default();
        let level = level.as_deref().or_else(|| configured.map(LogLevel::as_str)).unwrap_or("info");
        let filter = filter(level).map_err(|()| anyhow::anyhow!("the log level cannot be used"))?;
        let registry = tracing_subscriber::registry().with(filter);
        let started = match format {
            LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init(),
            LogFormat::Text => registry.with(fmt::layer().with_target(false).with_ansi(terminal.colours()).with_writer(stderr)).try_init(),
        };
        started.map_err(anyhow::Error::new)?;
        Ok(Log { format })
    }
}

impl Log {
    /// Says what was found when the configuration was loaded: to somebody at a terminal in words, in the log otherwise. Where the
    /// command ends because of it, a log for people would only add a time to it.
    pub(crate) fn findings(&self, findings: &[Finding], terminal: &Terminal) {
        let ends = findings.iter().any(Finding::is_error);
        if self.format == LogFormat::Text && (ends || terminal.has_reader()) {
            return terminal.findings(findings);
        }
        for finding in findings {
            let (place, message) = (finding.location(), &finding.message);
            let path = Some(finding.path.as_str()).filter(|path| !path.is_empty());
            let hint = finding.hint.as_deref();
            match finding.severity {
                Severity::Error => tracing::error!(target: FINDINGS, path, place, hint, "{message}"),
                Severity::Warning => tracing::warn!(target: FINDINGS, path, place, hint, "{message}"),
                Severity::Note => tracing::info!(target: FINDINGS, path, place, hint, "{message}"),
            }
        }
    }

    /// A failure in the form of the log, so that a program that reads it finds nothing else.
    pub(crate) fn failure(&self, error: anyhow::Error) -> Failure {
        match self.format {
            LogFormat::Text => Failure::Other(error),
            LogFormat::Json => {
                // The causes on the same line, outermost first.
                tracing::error!(target: READY, "{error:#}");
                Failure::Reported
            }
        }
    }
}

/// A flag, else the variable that stands for it.
fn or_variable<T>(flag: Option<T>, name: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, Failure> {
    let Some(text) = variable(name).filter(|_| flag.is_none()) else { return Ok(flag) };
    let read = text.to_str().ok_or_else(|| "write text in UTF-8".to_owned()).and_then(read);
    read.map(Some).map_err(|advice| Failure::Usage(format!("{name}: {advice}, or unset it")))
}

fn format(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_str(text, false).map_err(|_| "write text or json".to_owned())
}

fn level(text: &str) -> Result<String, String> {
    match filter(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("write off, error, warn, info, debug or trace, or a filter such as vmcp_backend=debug".to_owned()),
    }
}

fn filter(level: &str) -> Result<EnvFilter, ()> {
    // Whoever starts a gateway waits for the line that says where it listens, however quiet the rest is.
    let ready = if level == "off" { "off" } else { "info" };
    // Libraries below log at levels of their own, some of them payloads: they are heard only when asked for by name.
    let filter = if level.contains(['=', ',']) {
        format!("{FINDINGS}=info,{level}")
    } else {
        format!("off,vmcp={level},vmcp_server={level},vmcp_backend={level},vmcp_auth={level}")
    };
    EnvFilter::try_new(format!("{filter},{READY}={ready}")).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_a_filter() {
        for good in ["off", "error", "warn", "info", "debug", "trace", "vmcp_backend=debug", "info,vmcp_server=trace"] {
            assert_eq!(level(good).as_deref(), Ok(good));
        }
        for bad in ["loud", "", "vmcp=loud"] {
            assert!(level(bad).is_err(), "{bad}");
        }
    }
}
