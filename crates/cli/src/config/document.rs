//! A parsed file: its value, and where each part of it stands.

use serde_json::Value;
use std::collections::HashMap;
use vmcp_core::config::is_within;

/// A line and a column, both from one; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Where each key of a map and each element of a list stands, by its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(HashMap<String, Place>);

impl Places {
    pub(crate) fn set(&mut self, path: String, place: Place) {
        self.0.insert(path, place);
    }

    #[cfg(test)]
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Where `path` stands, or else what it would stand in.
    pub(crate) fn nearest(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            match self.0.get(path) {
                Some(place) => return Some(*place),
                None if path.is_empty() => return None,
                None => path = parent(path),
            }
        }
    }
}

/// The path of the map or list that `path` is in.
pub(crate) fn parent(path: &str) -> &str {
    let end = if path.ends_with("\"]") {
        path.rfind("[\"")
    } else if path.ends_with(']') {
        path.rfind('[')
    } else {
        // A dot inside of a quoted key is always followed by that key's closing bracket.
        match (path.rfind('.'), path.rfind(']')) {
            (Some(dot), Some(bracket)) if dot < bracket => Some(bracket + 1),
            (dot, _) => dot,
        }
    };
    end.map_or("", |end| &path[..end])
}

/// One document of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// What it says, in vmcp's own form.
    pub(crate) value: Value,
    /// Where its parts stand, by their paths in the file.
    pub(crate) places: Places,
    /// How paths of vmcp's own form are called in the file, where that differs; a longer one goes before a shorter one.
    pub(crate) renames: Vec<(String, String)>,
    /// Paths of vmcp's own form at which nothing further is said, because something was.
    pub(crate) silenced: Vec<String>,
}

impl Document {
    /// What `path` is called in the file.
    pub(crate) fn in_file(&self, path: &str) -> String {
        let longest = self.renames.iter().filter(|(own, _)| is_within(path, own)).max_by_key(|(own, _)| own.len());
        let Some((own, file)) = longest else { return path.to_owned() };
        let rest = path[own.len()..].trim_start_matches('.');
        match (file.is_empty(), rest.is_empty()) {
            (true, _) => rest.to_owned(),
            (_, true) => file.clone(),
            _ if rest.starts_with('[') => format!("{file}{rest}"),
            _ => format!("{file}.{rest}"),
        }
    }
}

/// The lines of a text, for turning byte offsets into places.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or("");
        Place { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_end_at_the_root() {
        for (path, expected) in [
            ("backends[1].url", "backends[1]"),
            ("backends[1]", "backends"),
            ("backends", ""),
            (r#"mcpServers["a.b"].url"#, r#"mcpServers["a.b"]"#),
            (r#"mcpServers["a.b"]"#, "mcpServers"),
        ] {
            assert_eq!(parent(path), expected, "{path}");
        }
    }

    #[test]
    fn what_has_no_place_stands_in_what_has_one() {
        let mut places = Places::default();
        places.set("backends[1]".to_owned(), Place { line: 7, column: 3 });
        assert_eq!(places.nearest("backends[1].passthroughHeaders[0].name"), Some(Place { line: 7, column: 3 }));
        assert_eq!(places.nearest("listen"), None);
    }

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("ab\näöü: x\n");
        assert_eq!(lines.place(0), Place { line: 1, column: 1 });
        assert_eq!(lines.place(3), Place { line: 2, column: 1 });
        assert_eq!(lines.place("ab\näöü: ".len()), Place { line: 2, column: 6 });
    }

    #[test]
    fn renames_take_the_longest_match() {
        let renames = [("", "spec.config"), ("passthroughHeaders", "spec.passthroughHeaders"), ("backends[0]", r#"mcpServers["a b"]"#)];
        let document = Document { renames: renames.map(|(own, file)| (own.to_owned(), file.to_owned())).to_vec(), ..Document::default() };
        assert_eq!(document.in_file("passthroughHeaders[0].name"), "spec.passthroughHeaders[0].name");
        assert_eq!(document.in_file("backends[0].url"), r#"mcpServers["a b"].url"#);
        assert_eq!(document.in_file("backends[1].url"), "spec.config.backends[1].url");
        assert_eq!(document.in_file(""), "spec.config");
    }
}
