//! Printing: results on stdout, everything else on stderr, colour only where it is wanted.

use crate::{
    args::{Color, variable},
    config::Finding,
    table::plain,
};
use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
};
use vmcp_core::config::Severity;

/// The standard streams and whether they take colour.
pub(crate) struct Terminal {
    colour: bool,
    people: bool,
}

impl Terminal {
    pub(crate) fn new(color: Color) -> Self {
        let people = io::stderr().is_terminal();
        let colour = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => people && variable("NO_COLOR").is_none() && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        };
        Self { colour, people }
    }

    /// Whether what goes to stderr is coloured.
    pub(crate) fn colours(&self) -> bool {
        self.colour
    }

    /// Whether somebody reads stderr as it is written.
    pub(crate) fn has_reader(&self) -> bool {
        self.people
    }

    /// Prints why a command failed.
    pub(crate) fn error(&self, message: &str) {
        say(format_args!("{}: {}", self.paint(ERROR, "error"), plain(message)));
    }

    /// Prints what somebody should look at, though the command goes on.
    pub(crate) fn warning(&self, message: &str) {
        say(format_args!("{}: {}", self.paint(WARNING, "warning"), plain(message)));
    }

    /// Prints something to know.
    pub(crate) fn note(&self, message: &str) {
        say(format_args!("{}: {}", self.paint(NOTE, "note"), plain(message)));
    }

    /// Prints findings, one line each.
    pub(crate) fn findings(&self, findings: &[Finding]) {
        for finding in findings {
            say(self.finding(finding));
        }
    }

    fn finding(&self, finding: &Finding) -> String {
        if !self.colour {
            return finding.to_string();
        }
        let (mark, style) = match finding.severity {
            Severity::Error => (None, ERROR),
            Severity::Warning => (Some("warning"), WARNING),
            Severity::Note => (Some("note"), NOTE),
        };
        let mut line = format!("{}: ", self.paint(BOLD, &finding.location()));
        if let Some(mark) = mark {
            line += &format!("{}: ", self.paint(style, mark));
        }
        if !finding.path.is_empty() {
            line += &format!("{}: ", self.paint(style, &finding.path));
        }
        line += &finding.message;
        if let Some(hint) = &finding.hint {
            line += &format!("; {hint}");
        }
        line
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Prints a result.
///
/// # Errors
/// When stdout cannot be written. A reader that has gone away is none: it has read enough.
pub(crate) fn print(text: impl fmt::Display) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow::Error::new(error).context("cannot write to stdout")),
        _ => Ok(()),
    }
}

fn say(line: impl fmt::Display) {
    // With stderr gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

const BOLD: &str = "1";
const ERROR: &str = "1;31";
const WARNING: &str = "1;33";
const NOTE: &str = "1;36";

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::config::Problem;

    #[test]
    fn colour_marks_a_finding_without_changing_its_words() {
        let finding = Finding::new("vmcp.yaml", None, Problem::warning("listen", "open").with_hint("close it"));
        let painted = Terminal { colour: true, people: true }.finding(&finding);
        assert_eq!(painted, "\x1b[1mvmcp.yaml\x1b[0m: \x1b[1;33mwarning\x1b[0m: \x1b[1;33mlisten\x1b[0m: open; close it");
        assert_eq!(Terminal { colour: false, people: true }.finding(&finding), finding.to_string());
    }
}
