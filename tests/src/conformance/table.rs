//! The table of `docs/conformance.md`.

use super::{Outcome, Row};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Between these lines stands what a program writes.
const BEGIN: &str = "<!-- table: cargo run -p vmcp-tests --bin conformance -- --write -->";
const END: &str = "<!-- /table -->";

const HEAD: &str = "\
| what the suite talks to | revision | required | more | checks | warnings |
| --- | --- | ---: | ---: | ---: | ---: |
";

/// One line of the table.
#[must_use]
pub fn line(row: Row, outcome: &Outcome) -> String {
    let share = |wanted: Vec<&str>| match wanted.len() {
        0 => String::new(),
        all => format!("{}/{all}", outcome.passed(wanted)),
    };
    let (required, more) = (share(row.required()), share(row.more()));
    let cells = [row.way.name(), row.revision, &required, &more, &outcome.checks().to_string(), &outcome.warnings().to_string()];
    format!("| {} |", cells.join(" | "))
}

/// The page that has the table.
fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md")
}

/// Puts these lines into the page, in place of those that are there.
///
/// # Errors
/// When the page has no place for them, or cannot be written.
pub fn write(lines: &[String]) -> Result<()> {
    let path = page();
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let place = || format!("{} has no lines `{BEGIN}` and `{END}`", path.display());
    let (before, rest) = text.split_once(BEGIN).with_context(place)?;
    let (_, after) = rest.split_once(END).with_context(place)?;
    Ok(fs::write(&path, format!("{before}{BEGIN}\n\n{HEAD}{}\n\n{END}{after}", lines.join("\n")))?)
}

/// The cells of the page's line for `row`, without the number of checks: that one depends on which way the suite took through a scenario.
///
/// # Errors
/// When the page has no such line.
pub fn shown(row: Row) -> Result<String> {
    let path = page();
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let begin = format!("| {} | {} |", row.way.name(), row.revision);
    let line = text.lines().find(|line| line.starts_with(&begin));
    Ok(without_checks(line.with_context(|| format!("{} has no line `{begin}`", path.display()))?))
}

/// The scenarios of which the page says why they do not apply, each with its reason.
///
/// # Errors
/// When the page cannot be read.
pub fn not_applying() -> Result<Vec<(String, String)>> {
    let path = page();
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `auth/")?.strip_suffix(" |")?.split_once("` | "));
    Ok(rows.map(|(name, reason)| (format!("auth/{name}"), reason.to_owned())).collect())
}

/// A line of the table without its number of checks.
#[must_use]
pub fn without_checks(line: &str) -> String {
    let cells = line.split('|').enumerate().filter(|&(place, _)| place != 5);
    cells.map(|(_, cell)| cell.trim()).collect::<Vec<_>>().join(" | ")
}
