//! What `vmcp validate` says about a configuration.

use crate::process::run;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// The outcome of `vmcp validate --json`.
#[derive(Debug)]
pub struct Verdict {
    /// Whether the configuration can be used.
    pub accepted: bool,
    /// Path and message of each error, with the hint behind the message.
    pub errors: Vec<(String, String)>,
    /// Everything that was written.
    pub text: String,
}

impl Verdict {
    /// Validates a configuration.
    ///
    /// # Errors
    /// When the command cannot be run, or prints no JSON.
    pub async fn of(config: &Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("vmcp.json"), serde_json::to_string_pretty(config)?)?;
        let output = run(folder.path(), &["validate", "--json", "vmcp.json"]).await?;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).with_context(|| text.clone())?;
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        let errors = errors.map(|error| (word(error, "path"), format!("{}; {}", word(error, "message"), word(error, "hint"))));
        Ok(Self { accepted: output.status.success(), errors: errors.collect(), text })
    }

    /// Whether there is exactly one error at exactly this path, and its words hold all of these.
    #[must_use]
    pub fn says(&self, path: &str, words: &[&str]) -> bool {
        let here: Vec<&str> = self.errors.iter().filter(|(at, _)| at == path).map(|(_, message)| message.as_str()).collect();
        matches!(here.as_slice(), [message] if words.iter().all(|word| message.contains(word)))
    }

    /// Whether the errors stand at these paths and nowhere else.
    #[must_use]
    pub fn stands_at(&self, paths: impl IntoIterator<Item = String>) -> bool {
        let said: BTreeSet<String> = self.errors.iter().map(|(path, _)| path.clone()).collect();
        said == paths.into_iter().collect()
    }
}
