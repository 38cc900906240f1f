//! Runs the official conformance suite over everything that it can judge here, and prints the table of `docs/conformance.md`.
//!
//! `cargo run -p vmcp-tests --bin conformance -- [--write] [--only TEXT]`: `--write` puts the table into the page; `--only` runs the rows
//! whose line contains the text and writes nothing. Ends with 1 when a row does not pass.

use anyhow::{Context, Result, bail, ensure};
use std::{io::Write, process::ExitCode};
use vmcp_tests::conformance::{Row, table};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (mut write, mut only) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => write = true,
            "--only" => only = Some(arguments.next().context("--only needs a text")?),
            other => bail!("no option `{other}`"),
        }
    }
    ensure!(!write || only.is_none(), "--write needs all rows, and --only leaves some out");
    let chosen = |row: &Row| only.as_ref().is_none_or(|text| format!("{} {}", row.way.name(), row.revision).contains(text.as_str()));
    let rows: Vec<Row> = Row::ALL.into_iter().filter(chosen).collect();
    let running: Vec<_> = rows.iter().map(|&row| tokio::spawn(row.run())).collect();
    let (mut lines, mut missed) = (Vec::new(), false);
    for (row, outcome) in rows.into_iter().zip(running) {
        let outcome = outcome.await?.with_context(|| format!("{}, {}", row.way.name(), row.revision))?;
        for complaint in outcome.complaints(row.wanted()) {
            writeln!(std::io::stderr(), "{}, {}: {complaint}", row.way.name(), row.revision)?;
            missed = true;
        }
        for complaint in outcome.complaints(row.out_of_reach().iter().map(|(name, _)| *name)) {
            writeln!(std::io::stderr(), "{}, {}: (out of reach) {complaint}", row.way.name(), row.revision)?;
        }
        let line = table::line(row, &outcome);
        writeln!(std::io::stdout(), "{line}")?;
        lines.push(line);
    }
    if write {
        table::write(&lines)?;
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
