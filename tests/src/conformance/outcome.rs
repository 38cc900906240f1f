//! What the suite found, read from the files that it leaves.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// The end of a result folder's name: a dash and the time to the millisecond.
const STAMP: usize = "-2026-01-01T00-00-00-000Z".len();

/// One scenario's checks.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// Checks that passed.
    pub passed: usize,
    /// What failed, in the suite's words.
    pub failures: Vec<String>,
    /// What should be otherwise and need not be, in the suite's words.
    pub warnings: Vec<String>,
}

/// What the suite found on one way, by scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every scenario that ran.
    pub scenarios: BTreeMap<String, Scenario>,
}

impl Scenario {
    fn read(file: &Path) -> Result<Self> {
        let checks: Vec<Value> = serde_json::from_slice(&fs::read(file).with_context(|| file.display().to_string())?)?;
        let mut scenario = Self::default();
        for check in checks {
            let text = |key: &str| check[key].as_str().unwrap_or_default();
            let said = || format!("{}: {}", text("id"), text("errorMessage"));
            match text("status") {
                "SUCCESS" => scenario.passed += 1,
                "FAILURE" => scenario.failures.push(said()),
                "WARNING" => scenario.warnings.push(said()),
                // SKIPPED and INFO judge nothing.
                _ => {}
            }
        }
        Ok(scenario)
    }
}

impl Outcome {
    /// Adds what the suite left in `folder`; `prefix` is what it puts before a scenario's name.
    ///
    /// # Errors
    /// When there is no such folder, or a file in it cannot be read.
    pub(super) fn collect(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        self.collect_in(folder, prefix, "")
    }

    /// A scenario's name may have a slash in it (`auth/…`): then its folder stands in another one, `group`.
    fn collect_in(&mut self, folder: &Path, prefix: &str, group: &str) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix(prefix)).context("the suite names its folders in another way")?;
            let checks = entry.path().join("checks.json");
            if group.is_empty() && !checks.exists() {
                self.collect_in(&entry.path(), "", &format!("{name}/"))?;
                continue;
            }
            let length = name.len().checked_sub(STAMP).context("the suite names its folders in another way")?;
            self.scenarios.insert(format!("{group}{}", name.get(..length).unwrap_or(name)), Scenario::read(&checks)?);
        }
        Ok(())
    }

    /// How many of `wanted` ran without a failure.
    #[must_use]
    pub fn passed<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> usize {
        wanted.into_iter().filter(|&name| self.scenarios.get(name).is_some_and(|scenario| scenario.failures.is_empty())).count()
    }

    /// Checks that passed, in all scenarios.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.scenarios.values().map(|scenario| scenario.passed).sum()
    }

    /// Warnings, in all scenarios.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.scenarios.values().map(|scenario| scenario.warnings.len()).sum()
    }

    /// Everything that `wanted` scenarios have against the implementation, one complaint a line: failures, warnings, and that a scenario
    /// did not run.
    #[must_use]
    pub fn complaints<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut complaints = Vec::new();
        for name in wanted {
            match self.scenarios.get(name) {
                None => complaints.push(format!("{name}: did not run")),
                Some(scenario) => {
                    let warned = scenario.warnings.iter().map(|text| format!("(warning) {text}"));
                    complaints.extend(scenario.failures.iter().cloned().chain(warned).map(|text| format!("{name}: {text}")));
                }
            }
        }
        complaints
    }
}
