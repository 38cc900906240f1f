//! The page about the header policy says what the code does.

use super::support::{Gateway, backend, entries, headers};
use crate::header::{ClosedGroup, VariableGroup};
use serde_json::json;
use std::path::Path;
use url::Url;

/// The page; `None` in a packaged crate, which comes without the workspace and its pages.
fn page() -> Option<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = workspace.join("docs/header-policy.md");
    workspace
        .join("Cargo.toml")
        .exists()
        .then(|| std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display())))
}

#[test]
fn the_page_lists_every_closed_name() {
    let Some(page) = page() else { return };
    for pattern in ClosedGroup::ALL.into_iter().flat_map(ClosedGroup::patterns) {
        assert!(page.contains(&format!("`{pattern}`")), "docs/header-policy.md lacks `{pattern}`");
    }
}

#[test]
fn the_page_lists_every_closed_variable() {
    let Some(page) = page() else { return };
    for pattern in VariableGroup::ALL.into_iter().flat_map(VariableGroup::patterns) {
        assert!(page.contains(&format!("`{pattern}`")), "docs/header-policy.md lacks `{pattern}`");
    }
}

#[test]
fn the_page_shows_refusals_as_they_are() {
    let Some(page) = page() else { return };
    let mut gateway = Gateway { global: entries(json!(["x-forwarded-for"])), ..Gateway::default() };
    gateway.backends = vec![backend("files", json!([])), backend("wiki", json!(["x-remote-user", "x-key"]))];
    gateway.backends[1].url = Url::parse("http://wiki.example.com/mcp").unwrap();
    let problems = gateway.problems();
    assert_eq!(problems.len(), 3);
    for problem in problems {
        assert!(page.contains(&format!("\n{problem}\n")), "docs/header-policy.md lacks: {problem}");
    }

    let token = json!([{"name": "x-github-token", "as": "authorization", "format": "Bearer {}"}]);
    let gateway = Gateway { backends: vec![backend("github", token)], ..Gateway::default() };
    let error = gateway.policy().capture(&headers(&[("x-github-token", "1"), ("x-github-token", "2")])).unwrap_err();
    assert!(page.contains(&format!("\n{error}\n")), "docs/header-policy.md lacks: {error}");
}
