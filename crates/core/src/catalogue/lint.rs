//! What clients are known to choke on.

use super::{
    facts::{OutputSchema, ToolFacts},
    report::Concern,
};

/// Some clients put up to 14 characters of their own before a name and refuse the result over 64.
const LONG_NAME: usize = 50;
const LONGEST_NAME: usize = 64;

/// The concerns about a tool under its published name.
pub(super) fn concerns(name: &str, facts: &ToolFacts) -> Vec<Concern> {
    let mut found = Vec::new();
    match name.chars().count() {
        length if length > LONGEST_NAME => found.push(Concern::NameTooLong(length)),
        length if length > LONG_NAME => found.push(Concern::NameLong(length)),
        _ => {}
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        found.push(Concern::NameCharacters);
    }
    found.extend(facts.composed.map(Concern::InputComposed));
    if !facts.takes_object {
        found.push(Concern::InputNotObject);
    }
    if facts.output == OutputSchema::Untyped {
        found.push(Concern::OutputUntyped);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::RawObject;

    fn of(name: &str, tool: &str) -> Vec<Concern> {
        concerns(name, &ToolFacts::read(&RawObject::parse(tool).unwrap()))
    }

    const GOOD: &str = r#"{"inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}"#;

    #[test]
    fn a_tool_that_everybody_takes_raises_no_concern() {
        assert_eq!(of(&"n".repeat(50), GOOD), []);
        assert_eq!(of("github_issues.list-All_2", GOOD), []);
    }

    #[test]
    fn long_names_are_told_apart_from_too_long_ones() {
        assert_eq!(of(&"n".repeat(51), GOOD), [Concern::NameLong(51)]);
        assert_eq!(of(&"n".repeat(64), GOOD), [Concern::NameLong(64)]);
        assert_eq!(of(&"n".repeat(65), GOOD), [Concern::NameTooLong(65)]);
    }

    #[test]
    fn characters_and_schemas_are_looked_at() {
        for name in ["a b", "a/b", "é", "a:b"] {
            assert_eq!(of(name, GOOD), [Concern::NameCharacters], "{name}");
        }
        assert_eq!(of("t", r#"{"inputSchema":{"type":"object","allOf":[]}}"#), [Concern::InputComposed("allOf")]);
        assert_eq!(of("t", r#"{"inputSchema":{}}"#), [Concern::InputNotObject]);
        assert_eq!(of("t", "{}"), [Concern::InputNotObject]);
        assert_eq!(of("t", r#"{"inputSchema":{"type":"object"},"outputSchema":{}}"#), [Concern::OutputUntyped]);
    }
}
