//! `vmcp tools ls`.

use super::source::{Source, Tool};
use crate::{
    error::Failure,
    table::Table,
    terminal::{self, Terminal},
};

/// Prints the tools.
pub(super) async fn run(source: &Source, json: bool, terminal: &Terminal) -> Result<(), Failure> {
    let (raw, tools) = source.tools(terminal).await?;
    if json {
        terminal::print(raw.get())?;
        return Ok(());
    }
    if tools.is_empty() {
        terminal.note(&format!("{} has no tools", source.name()));
        return Ok(());
    }
    let table = if source.is_endpoint() {
        let mut table = Table::new(["NAME", "DESCRIPTION"]);
        tools.iter().for_each(|tool| table.row([tool.name.as_str(), first_line(tool)]));
        table
    } else {
        let mut table = Table::new(["NAME", "BACKEND", "DESCRIPTION"]);
        tools.iter().for_each(|tool| table.row([tool.name.as_str(), &tool.backend, first_line(tool)]));
        table
    };
    Ok(table.print()?)
}

fn first_line(tool: &Tool) -> &str {
    tool.description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}
