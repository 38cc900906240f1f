//! Tables for people, and the text of others made safe to show.

use crate::terminal;
use std::io::{IsTerminal, stdout};
use unicode_width::UnicodeWidthStr;

/// Rows under a head, in columns as wide as they need to be.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";

impl Table {
    pub(crate) fn new<const N: usize>(heads: [&str; N]) -> Self {
        Self { rows: vec![heads.map(str::to_owned).to_vec()] }
    }

    /// Adds a row. What would drive the terminal is escaped.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| plain(cell.as_ref())).collect());
    }

    /// The table as text. With a width, the last column is cut where a line would be longer, to no less than its head.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let before_last: usize = widths.iter().rev().skip(1).map(|width| width + GAP.len()).sum();
        let head = self.rows[0].last().map_or(0, |cell| cell.width());
        let room = width.map(|width| width.saturating_sub(before_last).max(head));
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| match (column + 1 == columns, room) {
                (true, Some(room)) => cut(cell, room),
                (true, None) => cell.clone(),
                (false, _) => format!("{cell}{}", " ".repeat(widths[column] - cell.width())),
            });
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Prints it, as wide as the terminal if it is one.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let width = if stdout().is_terminal() { terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)) } else { None };
        terminal::print(self.render(width))
    }
}

/// The beginning of a text that fits into `room` columns, with an ellipsis where something is missing.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() + 1 > room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

/// A text on one line, in which nothing drives the terminal: control characters and those that turn the direction of writing are escaped.
pub(crate) fn plain(text: &str) -> String {
    escape(text, |_| false)
}

/// The same over several lines: line ends and tabs stay.
pub(crate) fn lines(text: &str) -> String {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> String {
    let drives = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if drives(c) && !stays(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// `1 tool`, `2 tools`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["NAME", "BACKEND", "DESCRIPTION"]);
        table.row(["a_long_name", "b", "what it does, at some length"]);
        table.row(["日本", "bb", ""]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_on_the_screen() {
        assert_eq!(
            table().render(None),
            "NAME         BACKEND  DESCRIPTION\na_long_name  b        what it does, at some length\n日本         bb"
        );
    }

    #[test]
    fn the_last_column_is_cut_to_the_terminal_but_not_below_its_head() {
        let second = |width| table().render(Some(width)).lines().nth(1).unwrap().to_owned();
        assert_eq!(second(40), "a_long_name  b        what it does, at …");
        assert_eq!(second(40).width(), 40);
        assert_eq!(second(10), "a_long_name  b        what it do…");
        assert_eq!(second(200), "a_long_name  b        what it does, at some length");
    }

    #[test]
    fn the_text_of_a_server_does_not_drive_the_terminal() {
        assert_eq!(plain("a\x1b[31m\r\nb\u{202e}c\td"), r"a\u{1b}[31m\r\nb\u{202e}c\td");
        assert_eq!(lines("a\n\tb\x07"), "a\n\tb\\u{7}");
        let mut table = Table::new(["A"]);
        table.row(["\x1b]0;title\x07"]);
        assert_eq!(table.render(None), "A\n\\u{1b}]0;title\\u{7}");
    }
}
