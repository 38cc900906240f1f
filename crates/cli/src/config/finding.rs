//! What loading a configuration has to say, each with its place in a file, a variable or a flag.

use super::document::Place;
use serde_json::{Value, json};
use std::{fmt, sync::Arc};
use vmcp_core::config::{Problem, Severity};

/// A problem and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The file, the environment variable (`VMCP_LISTEN`) or the flag (`--host`).
    pub(crate) source: Arc<str>,
    /// Where in the file.
    pub(crate) place: Option<Place>,
    /// The key, as the file calls it; empty for the whole.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Finding {
    pub(crate) fn new(source: impl Into<Arc<str>>, place: Option<Place>, problem: Problem) -> Self {
        let Problem { severity, path, message, hint, .. } = problem;
        let hint = hint.map(|hint| one_line(&hint));
        Self { severity, source: source.into(), place, path: one_line(&path), message: one_line(&message), hint }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding as an object, for programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.as_str(),
            "source": &*self.source,
            "line": self.place.map(|place| place.line),
            "column": self.place.map(|place| place.column),
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        })
    }

    /// Where it is: `vmcp.yaml:12:5`.
    pub(crate) fn location(&self) -> String {
        match self.place {
            Some(Place { line, column }) => format!("{}:{line}:{column}", self.source),
            None => self.source.to_string(),
        }
    }
}

/// Escapes what would break the line or drive the terminal.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// One line; warnings and notes say what they are.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location())?;
        if !self.is_error() {
            write!(f, "{}: ", self.severity)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(problem: Problem) -> Finding {
        Finding::new("vmcp.yaml", Some(Place { line: 12, column: 5 }), problem)
    }

    #[test]
    fn a_finding_is_one_line() {
        let problem = Problem::error("backends[1].formt", "unknown key").with_hint("did you mean `format`?");
        assert_eq!(finding(problem).to_string(), "vmcp.yaml:12:5: backends[1].formt: unknown key; did you mean `format`?");
        assert_eq!(finding(Problem::warning("listen", "open")).to_string(), "vmcp.yaml:12:5: warning: listen: open");
        let finding = Finding::new("VMCP_LISTEN", None, Problem::note("", "ignored"));
        assert_eq!(finding.to_string(), "VMCP_LISTEN: note: ignored");
    }

    #[test]
    fn a_finding_does_not_drive_the_terminal() {
        assert_eq!(finding(Problem::error("", "no `a\n\x1b[31m`")).to_string(), r"vmcp.yaml:12:5: no `a\n\u{1b}[31m`");
    }

    #[test]
    fn a_finding_is_an_object() {
        assert_eq!(
            finding(Problem::error("path", "wrong")).to_json(),
            json!({"severity": "error", "source": "vmcp.yaml", "line": 12, "column": 5, "path": "path", "message": "wrong", "hint": null})
        );
    }
}
