//! What is asked for.

use crate::views::Merged;
use vmcp_core::{catalogue::ListKind, plugin::Action};

/// Something that a caller asks for.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) action: Action,
    /// The backend's place in the configuration.
    pub(crate) backend: usize,
    /// Its name in policies.
    pub(crate) name: &'a str,
    /// What the caller calls it, and the catalogue in which it has that name, if it is listed.
    pub(crate) called: &'a str,
    pub(crate) here: &'a Merged,
}

/// What a caller wants of an item.
#[derive(Clone, Copy)]
pub(crate) enum Asks<'a> {
    /// To use it, with these arguments: JSON text.
    Call(Option<&'a str>),
    /// To hear of it, or to know what may stand in it.
    Look,
}

/// The action that a list is of.
pub(super) fn action(kind: ListKind) -> Action {
    match kind {
        ListKind::Tools => Action::CallTool,
        ListKind::Prompts => Action::GetPrompt,
        ListKind::Resources | ListKind::ResourceTemplates => Action::ReadResource,
    }
}

/// Whether a URI goes up or stays on its way, also where that is written with `%2e`, `%2f` or backslashes: what it leads to is not what a
/// policy reads in it.
pub(super) fn wanders(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    if !path.contains('.') && !path.contains("%2") {
        return false;
    }
    let plain = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    let plain = plain.replace("%5c", "/").replace("%5C", "/").replace('\\', "/");
    plain.split('/').any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::wanders;

    #[test]
    fn a_uri_with_dots_for_steps_is_known_however_they_are_written() {
        for uri in
            ["file:///pub/../etc", "file:///pub/..", "a://./x", "file:///pub/%2e%2E/etc", "file:///pub/..%2fetc", "file:///a/..\\b", "../x"]
        {
            assert!(wanders(uri), "{uri}");
        }
        for uri in ["file:///a.txt", "file:///.hidden/..a", "memo://x/1?q=/../", "urn:a.b", "file:///{+path}", "https://example.com/a%20b"]
        {
            assert!(!wanders(uri), "{uri}");
        }
    }
}
