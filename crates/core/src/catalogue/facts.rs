//! What is read of a tool besides its name, once, when it is listed.

use super::param_header::{AnnotationError, ParamHeader, annotations};
use crate::frame::RawObject;
use std::sync::Arc;

/// What a tool declares about its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputSchema {
    /// Nothing.
    Absent,
    /// A schema of type `object`: what every revision accepts.
    Object,
    /// A schema of another type, or none (2026-07-28 only).
    Other,
    /// A schema that does not say its type.
    Untyped,
}

/// Facts about one tool that the lint, the audience's era and the routing need.
#[derive(Clone, Debug)]
pub(super) struct ToolFacts {
    /// Has an `execution` member, which only 2025-11-25 knows.
    pub(super) execution: bool,
    /// Its `outputSchema`.
    pub(super) output: OutputSchema,
    /// `anyOf`, `oneOf` or `allOf` at the top of `inputSchema`.
    pub(super) composed: Option<&'static str>,
    /// `inputSchema` says `"type": "object"`.
    pub(super) takes_object: bool,
    /// The `x-mcp-header` annotations.
    pub(super) headers: Result<Arc<[ParamHeader]>, AnnotationError>,
    /// The URI of the page that shows its results (SEP-1865, MCP Apps).
    pub(super) page: Option<Arc<str>>,
}

impl ToolFacts {
    pub(super) fn read(tool: &RawObject<'_>) -> Self {
        let text = tool.get("inputSchema").unwrap_or("{}");
        let input = RawObject::parse(text).ok();
        let input = input.as_ref();
        Self {
            execution: tool.get("execution").is_some(),
            output: output(tool),
            composed: ["anyOf", "oneOf", "allOf"].into_iter().find(|key| input.is_some_and(|schema| schema.get(key).is_some())),
            takes_object: input.and_then(|schema| schema.get_str("type")).as_deref() == Some("object"),
            headers: annotations(text),
            page: page(tool),
        }
    }
}

/// Where drafts of SEP-1865 had the page's URI in `_meta`; hosts still read it.
pub(super) const FLAT_PAGE: &str = "ui/resourceUri";

fn page(tool: &RawObject<'_>) -> Option<Arc<str>> {
    let meta = tool.get_object("_meta")?;
    let nested = meta.get_object("ui").and_then(|ui| Some(ui.get_str("resourceUri")?.into()));
    nested.or_else(|| Some(meta.get_str(FLAT_PAGE)?.into()))
}

fn output(tool: &RawObject<'_>) -> OutputSchema {
    if tool.get("outputSchema").is_none() {
        return OutputSchema::Absent;
    }
    let Some(schema) = tool.get_object("outputSchema") else { return OutputSchema::Other };
    match schema.get("type") {
        None => OutputSchema::Untyped,
        Some(_) if schema.get_str("type").as_deref() == Some("object") => OutputSchema::Object,
        Some(_) => OutputSchema::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tool: &str) -> ToolFacts {
        ToolFacts::read(&RawObject::parse(tool).unwrap())
    }

    #[test]
    fn an_output_schema_is_an_object_only_when_it_says_so() {
        for (schema, expected) in [
            (r#"{"type":"object"}"#, OutputSchema::Object),
            (r#"{"type":"array"}"#, OutputSchema::Other),
            (r#"{"type":["object","null"]}"#, OutputSchema::Other),
            ("true", OutputSchema::Other),
            (r#"{"properties":{}}"#, OutputSchema::Untyped),
        ] {
            assert_eq!(facts(&format!(r#"{{"name":"t","outputSchema":{schema}}}"#)).output, expected, "{schema}");
        }
        assert_eq!(facts(r#"{"name":"t"}"#).output, OutputSchema::Absent);
    }

    #[test]
    fn a_tools_page_is_where_either_form_says() {
        for meta in [r#"{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://b"}"#, r#"{"ui":{},"ui/resourceUri":"ui://a"}"#] {
            assert_eq!(facts(&format!(r#"{{"_meta":{meta}}}"#)).page.as_deref(), Some("ui://a"), "{meta}");
        }
        for meta in ["{}", "[]", r#"{"ui":{"resourceUri":1}}"#] {
            assert_eq!(facts(&format!(r#"{{"_meta":{meta}}}"#)).page, None, "{meta}");
        }
    }

    #[test]
    fn the_input_schema_is_looked_at_from_the_top_only() {
        let nested = facts(r#"{"inputSchema":{"type":"object","properties":{"a":{"anyOf":[]}}}}"#);
        assert_eq!((nested.composed, nested.takes_object), (None, true));
        let composed = facts(r#"{"inputSchema":{"oneOf":[]}}"#);
        assert_eq!((composed.composed, composed.takes_object), (Some("oneOf"), false));
        assert!(!facts("{}").takes_object);
        assert!(facts(r#"{"execution":{}}"#).execution);
    }
}
