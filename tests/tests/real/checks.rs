//! Many checks of one scene: each is made, and all that failed are shown.

use anyhow::{Result, bail};

/// What failed so far.
#[derive(Default)]
pub(crate) struct Checks {
    troubles: Vec<String>,
}

impl Checks {
    /// Notes how a check went.
    pub(crate) fn note(&mut self, what: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.troubles.push(format!("{what}: {error:#}"));
        }
    }

    /// Fails when one failed.
    pub(crate) fn done(self) -> Result<()> {
        if !self.troubles.is_empty() {
            bail!("{}", self.troubles.join("\n\n"));
        }
        Ok(())
    }
}
