//! What is started.

use secrecy::SecretString;
use std::{fmt, path::PathBuf};
use vmcp_core::config::ProcessScope;

/// A server that vmcp starts, as its entry in the configuration says. `Debug` shows names alone.
#[derive(Clone)]
pub struct Program {
    /// The program, as the system finds it.
    pub command: String,
    /// Its command line.
    pub args: Vec<String>,
    /// The variables that it is given.
    pub env: Vec<(String, SecretString)>,
    /// Names of vmcp's own variables that it is given too.
    pub env_passthrough: Vec<String>,
    /// The folder that it starts in; vmcp's own when there is none.
    pub cwd: Option<PathBuf>,
    /// Whose process it is; `None` for what suits its era.
    pub scope: Option<ProcessScope>,
    /// How many may run at a time.
    pub max: u32,
    /// How many of them one caller may have.
    pub max_per_principal: u32,
}

impl Program {
    /// A program without arguments or variables, of which any number may run.
    #[must_use]
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_passthrough: Vec::new(),
            cwd: None,
            scope: None,
            max: u32::MAX,
            max_per_principal: u32::MAX,
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments may hold tokens.
        let env: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Program").field("command", &self.command).field("env", &env).finish_non_exhaustive()
    }
}
