//! `vmcp schema`.

mod markdown;

use crate::{error::Failure, terminal};
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use vmcp_core::config::{json_schema, with_variables};

/// Prints the JSON Schema of the configuration.
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Print the reference page instead
    #[arg(long, hide = true)]
    markdown: bool,
}

impl Schema {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = if self.markdown {
            markdown::page(&schema())
        } else {
            serde_json::to_string_pretty(&with_variables(schema())).context("no JSON")?
        };
        terminal::print(text.trim_end())?;
        Ok(())
    }
}

/// The schema with the built-in kinds.
fn schema() -> Value {
    json_schema(&vmcp_auth::registries())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::PathBuf};

    /// Compares a file of `docs` with what it should hold; `UPDATE_DOCS=1` writes it.
    fn is_current(name: &str, expected: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, expected).unwrap();
        }
        let held = fs::read_to_string(&path).unwrap_or_default();
        assert!(held == expected, "docs/{name} is not current: run `UPDATE_DOCS=1 cargo test -p vmcp schema`");
    }

    #[test]
    fn the_schema_in_docs_is_current() {
        is_current("vmcp.schema.json", &(serde_json::to_string_pretty(&with_variables(schema())).unwrap() + "\n"));
    }

    #[test]
    fn the_reference_page_in_docs_is_current() {
        is_current("configuration.md", &markdown::page(&schema()));
    }

    #[test]
    fn no_section_of_the_page_stands_there_twice() {
        let page = markdown::page(&schema());
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        let mut once = headings.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), headings.len(), "{headings:?}");
        assert_eq!(page.matches("Everybody may do everything.").count(), usize::from(cfg!(feature = "cedar")), "{page}");
    }
}
