//! The page about the header policy says what the code does.

use crate::header::ClosedGroup;
use std::path::Path;

#[test]
fn the_page_lists_every_closed_name() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/header-policy.md");
    // A packaged crate comes without the pages.
    let Ok(page) = std::fs::read_to_string(page) else { return };
    for pattern in ClosedGroup::ALL.into_iter().flat_map(ClosedGroup::patterns) {
        assert!(page.contains(&format!("`{pattern}`")), "docs/header-policy.md lacks `{pattern}`");
    }
}
