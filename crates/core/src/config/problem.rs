//! What is wrong with a configuration, in words for people.

use std::fmt;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but something in it is probably not what its author wants.
    Warning,
    /// Something that its author should know of.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong, at one place. The text holds no value that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where: `backends[1].passthroughHeaders[0].as`. Empty for the configuration as a whole.
    pub path: String,
    /// What is wrong, on one line.
    pub message: String,
    /// What to do about it, on one line.
    pub hint: Option<String>,
    /// Whether it says that no backend has the name that stands there.
    pub unknown_backend: bool,
}

impl Problem {
    /// Something that makes the configuration unusable.
    #[must_use]
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, path, message)
    }

    /// Something that is probably a mistake.
    #[must_use]
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, path, message)
    }

    /// Something to know.
    #[must_use]
    pub fn note(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, path, message)
    }

    fn new(severity: Severity, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, path: path.into(), message: message.into(), hint: None, unknown_backend: false }
    }

    /// The same, saying that no backend has the name that stands there.
    #[must_use]
    pub fn about_unknown_backend(mut self) -> Self {
        self.unknown_backend = true;
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// The path of `key` in the map at `parent`: `headers.x-key`, or `headers["x y"]` where the key has other characters than letters,
/// digits, `_`, `-` and `$`.
#[must_use]
pub fn key_path(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (plain, parent.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => format!("{parent}[{key:?}]"),
    }
}

/// The path of the element at `index` in the list at `parent`: `backends[1]`.
#[must_use]
pub fn index_path(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Whether `path` is `ancestor` or lies below it.
#[must_use]
pub fn is_within(path: &str, ancestor: &str) -> bool {
    ancestor.is_empty() || path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The word among `known` that was probably meant: the same but for case and separators, or a few letters away.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    fn plain(word: &str) -> String {
        word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    }
    let plain_word = plain(word);
    let allowed = 1 + plain_word.len() / 4;
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&plain_word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_quote_only_what_needs_it() {
        assert_eq!(key_path("", "backends"), "backends");
        assert_eq!(key_path(&index_path("backends", 1), "x-key"), "backends[1].x-key");
        assert_eq!(key_path("mcpServers", "My Server"), r#"mcpServers["My Server"]"#);
    }

    #[test]
    fn a_path_lies_within_its_ancestors_only() {
        assert!(is_within("backends[1].url", "backends[1]"));
        assert!(is_within("backends[1]", "backends[1]"));
        assert!(is_within("anything", ""));
        assert!(!is_within("backends[10]", "backends[1]"));
        assert!(!is_within("pathology", "path"));
    }

    #[test]
    fn the_nearest_word_forgives_typos_case_and_underscores() {
        let known = ["passthroughHeaders", "format", "name", "url"];
        assert_eq!(nearest("formt", known), Some("format"));
        assert_eq!(nearest("passthrough_headers", known), Some("passthroughHeaders"));
        assert_eq!(nearest("URL", known), Some("url"));
        assert_eq!(nearest("banana", known), None);
    }

    #[test]
    fn a_problem_is_one_line() {
        let problem = Problem::error("backends[0]", "`url` is missing").with_hint("add it");
        assert_eq!(problem.to_string(), "backends[0]: `url` is missing; add it");
    }
}
