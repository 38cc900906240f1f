//! How a command fails: one line on stderr that says what to do, and the exit code.

use crate::terminal::Terminal;
use std::process::ExitCode;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was wrong has been printed already: exit code 1.
    Reported,
    /// The command line is wrong, or a variable that stands for a flag: exit code 2.
    Usage(String),
    /// Something else went wrong: exit code 1.
    Other(anyhow::Error),
}

/// The exit code for a wrong command line.
const USAGE: u8 = 2;

impl Failure {
    /// Prints what has not been printed, and gives the exit code.
    pub(crate) fn report(self, terminal: &Terminal) -> ExitCode {
        match self {
            Self::Reported => ExitCode::FAILURE,
            Self::Usage(message) => {
                terminal.error(&message);
                ExitCode::from(USAGE)
            }
            Self::Other(error) => {
                // The causes on the same line, outermost first.
                terminal.error(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
