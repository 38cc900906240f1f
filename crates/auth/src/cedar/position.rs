//! Where in a text an error is.

use cedar_policy::ParseErrors;
use miette::Diagnostic;
use std::fmt;

/// Line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// Of the byte at `offset`; of the end where the text is shorter.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// How many errors of a text are told: a file that is none of policies has one at each word.
const MOST: usize = 20;

/// The errors in a text of policies, with their places.
pub(super) fn all(text: &str, errors: &ParseErrors) -> Vec<String> {
    let mut all: Vec<String> = errors.iter().take(MOST).map(|error| one(text, error)).collect();
    let more = errors.iter().skip(MOST).count();
    all.extend((more > 0).then(|| format!("{more} more errors; mend these first")));
    all
}

fn one(text: &str, error: &(impl Diagnostic + fmt::Display)) -> String {
    let place = error.labels().and_then(|mut labels| labels.next()).map(|label| {
        let expected = label.label().map(|label| format!(" ({label})")).unwrap_or_default();
        (Position::of(text, label.offset()), expected)
    });
    match place {
        Some((position, expected)) => format!("{position}: {error}{expected}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_errors_the_first_are_told_and_how_many_there_are() {
        let text = "permit(principal, action, resource) when { a b };\n".repeat(500);
        let errors = text.parse::<cedar_policy::PolicySet>().unwrap_err();
        let told = all(&text, &errors);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told[MOST], format!("{} more errors; mend these first", errors.iter().count() - MOST));
    }

    #[test]
    fn lines_and_columns_are_counted_from_one_in_characters() {
        let text = "permit(\n  é x);\n";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, text.find('x').unwrap()), Position { line: 2, column: 5 });
        assert_eq!(Position::of(text, 999), Position { line: 3, column: 1 });
    }
}
