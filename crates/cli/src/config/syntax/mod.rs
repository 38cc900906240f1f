//! Reads YAML, TOML and JSON texts with the place of every part.

mod json;
mod toml;
mod yaml;

use super::document::{Document, Place};

/// The languages of configuration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Yaml,
    Toml,
    /// With comments and trailing commas.
    Json,
}

impl Syntax {
    /// The language that a file's extension stands for.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Self::Yaml,
            "toml" => Self::Toml,
            "json" | "jsonc" => Self::Json,
            _ => return None,
        })
    }

    /// Parses a text; only YAML has more than one document.
    ///
    /// # Errors
    /// What is wrong with the text, as far as the parser can tell in one go. The messages quote no value.
    pub(crate) fn parse(self, text: &str) -> Result<Vec<Document>, Vec<SyntaxError>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Yaml => yaml::parse(text).map_err(|error| vec![error]),
            Self::Toml => toml::parse(text).map(|document| vec![document]),
            Self::Json => json::parse(text).map(|document| vec![document]),
        }
    }
}

/// Why a text is not in its language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
}

#[cfg(test)]
mod tests;
