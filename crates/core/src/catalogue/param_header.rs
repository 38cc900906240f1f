//! `x-mcp-header`: arguments that a modern caller repeats as `Mcp-Param-…` headers (2026-07-28, basic/transports/streamable-http).
//!
//! vmcp needs the annotations twice: to check a caller's headers against its arguments, and to write the headers anew towards a
//! modern backend. Raw text is walked, not a decoded value: numbers that no Rust type holds must not make a tool unreadable.

use crate::frame::{RawObject, decode_string};
use http::HeaderName;
use memchr::memmem;
use serde_json::value::RawValue;
use std::{collections::HashSet, sync::Arc};

const ANNOTATION: &str = "x-mcp-header";
/// A longer schema is not searched for annotations.
const MAX_SCHEMA: usize = 256 * 1024;

/// The primitive types that an argument in a header can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// `string`.
    String,
    /// `integer`, within ±(2^53−1).
    Integer,
    /// `boolean`.
    Boolean,
}

/// One argument that is repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    path: Box<[Box<str>]>,
    header: HeaderName,
    kind: ParamKind,
}

impl ParamHeader {
    /// The property names that lead from `arguments` to the value.
    pub fn path(&self) -> impl ExactSizeIterator<Item = &str> {
        self.path.iter().map(AsRef::as_ref)
    }

    /// The same path as a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> String {
        self.path.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
    }

    /// The header's whole name, `mcp-param-…`.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The type that the schema declares.
    #[must_use]
    pub fn kind(&self) -> ParamKind {
        self.kind
    }
}

/// Which rule an annotation breaks. One is enough to make the tool invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// Not a string.
    #[error("x-mcp-header is not a string")]
    NotAString,
    /// Empty, or with characters that no header name has (RFC 9110, section 5.6.2).
    #[error("x-mcp-header is not a header name")]
    NotAToken,
    /// Two properties name one header.
    #[error("two properties have the same x-mcp-header (letter case does not count)")]
    Twice,
    /// The property's type is none of `string`, `integer` and `boolean`.
    #[error("x-mcp-header stands at a property whose type is not string, integer or boolean")]
    NotPrimitive,
    /// Not at a property that is reached from the root through `properties` alone.
    #[error("x-mcp-header stands where `properties` alone do not lead")]
    OutOfReach,
    /// A key stands twice in one of the objects on the way, so that two readers could see two schemas.
    #[error("a key stands twice in the schema around x-mcp-header")]
    DuplicateKey,
    /// The schema is longer than 256 KiB.
    #[error("the schema around x-mcp-header is longer than {MAX_SCHEMA} bytes")]
    TooLong,
}

/// The annotations of an `inputSchema`, in the order in which they stand.
pub(super) fn annotations(schema: &str) -> Result<Arc<[ParamHeader]>, AnnotationError> {
    let mut walk = Walk::default();
    if mentions(schema) {
        if schema.len() > MAX_SCHEMA {
            return Err(AnnotationError::TooLong);
        }
        walk.schema(schema, true)?;
    }
    Ok(walk.found.into())
}

/// Whether an annotation can be in the text: escapes could hide the word.
fn mentions(text: &str) -> bool {
    memmem::find(text.as_bytes(), ANNOTATION.as_bytes()).is_some() || memmem::find(text.as_bytes(), b"\\u").is_some()
}

#[derive(Default)]
struct Walk {
    path: Vec<Box<str>>,
    names: HashSet<String>,
    found: Vec<ParamHeader>,
}

impl Walk {
    /// One schema; `on_chain` while `properties` alone led to it.
    fn schema(&mut self, text: &str, on_chain: bool) -> Result<(), AnnotationError> {
        if !mentions(text) {
            return Ok(());
        }
        if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| AnnotationError::DuplicateKey)?;
            return items.iter().try_for_each(|item| self.schema(item.get(), false));
        }
        if !text.starts_with('{') {
            return Ok(());
        }
        let schema = parse(text)?;
        for member in schema.members() {
            match member.key() {
                ANNOTATION if on_chain && !self.path.is_empty() => self.annotation(&schema, member.value())?,
                ANNOTATION => return Err(AnnotationError::OutOfReach),
                "properties" => self.named(member.value(), on_chain)?,
                "$defs" | "definitions" | "patternProperties" | "dependentSchemas" | "dependencies" => self.named(member.value(), false)?,
                // Data and property names, no schemas.
                "default" | "const" | "enum" | "examples" | "required" | "dependentRequired" => {}
                _ => self.schema(member.value(), false)?,
            }
        }
        Ok(())
    }

    /// A map from names to schemas.
    fn named(&mut self, text: &str, on_chain: bool) -> Result<(), AnnotationError> {
        if !text.starts_with('{') || !mentions(text) {
            return Ok(());
        }
        for member in parse(text)?.members() {
            self.path.push(member.key().into());
            self.schema(member.value(), on_chain)?;
            self.path.pop();
        }
        Ok(())
    }

    fn annotation(&mut self, property: &RawObject<'_>, value: &str) -> Result<(), AnnotationError> {
        let name = decode_string(value).ok_or(AnnotationError::NotAString)?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(AnnotationError::NotAToken);
        }
        let header = HeaderName::from_bytes(format!("mcp-param-{name}").as_bytes()).map_err(|_| AnnotationError::NotAToken)?;
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(AnnotationError::Twice);
        }
        let kind = match property.get_str("type").as_deref() {
            Some("string") => ParamKind::String,
            Some("integer") => ParamKind::Integer,
            Some("boolean") => ParamKind::Boolean,
            _ => return Err(AnnotationError::NotPrimitive),
        };
        self.found.push(ParamHeader { path: self.path.clone().into(), header, kind });
        Ok(())
    }
}

fn parse(text: &str) -> Result<RawObject<'_>, AnnotationError> {
    // The item was scanned as a whole: what can still be wrong is a key that stands twice.
    RawObject::parse(text).map_err(|_| AnnotationError::DuplicateKey)
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(properties: &str) -> Result<Arc<[ParamHeader]>, AnnotationError> {
        annotations(&format!(r#"{{"type":"object","properties":{properties}}}"#))
    }

    #[test]
    fn annotations_are_found_at_any_depth_of_properties() {
        let found = of(r#"{"region":{"type":"string","x-mcp-header":"Region","maximum":1e400},
            "a/b":{"type":"object","properties":{"c~d":{"x-mcp-header":"Deep-One","type":"integer"}}},
            "on":{"type":"boolean","x-mcp\u002dheader":"on"}}"#)
        .unwrap();
        let rows: Vec<_> = found.iter().map(|p| (p.pointer(), p.header().as_str(), p.kind())).collect();
        assert_eq!(
            rows,
            [
                ("/region".to_owned(), "mcp-param-region", ParamKind::String),
                ("/a~1b/c~0d".to_owned(), "mcp-param-deep-one", ParamKind::Integer),
                ("/on".to_owned(), "mcp-param-on", ParamKind::Boolean),
            ]
        );
        assert_eq!(found[1].path().collect::<Vec<_>>(), ["a/b", "c~d"]);
    }

    #[test]
    fn each_broken_rule_is_named() {
        use AnnotationError as E;
        for (properties, error) in [
            (r#"{"a":{"type":"string","x-mcp-header":1}}"#, E::NotAString),
            (r#"{"a":{"type":"string","x-mcp-header":null}}"#, E::NotAString),
            (r#"{"a":{"type":"string","x-mcp-header":""}}"#, E::NotAToken),
            (r#"{"a":{"type":"string","x-mcp-header":"a b"}}"#, E::NotAToken),
            (r#"{"a":{"type":"string","x-mcp-header":"a\r\nb"}}"#, E::NotAToken),
            (r#"{"a":{"type":"string","x-mcp-header":"é"}}"#, E::NotAToken),
            (r#"{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}"#, E::Twice),
            (r#"{"a":{"type":"number","x-mcp-header":"X"}}"#, E::NotPrimitive),
            (r#"{"a":{"type":["string","null"],"x-mcp-header":"X"}}"#, E::NotPrimitive),
            (r#"{"a":{"x-mcp-header":"X"}}"#, E::NotPrimitive),
            (r#"{"a":{"type":"array","items":{"type":"string","x-mcp-header":"X"}}}"#, E::OutOfReach),
            (r#"{"a":{"oneOf":[{"type":"string","x-mcp-header":"X"}]}}"#, E::OutOfReach),
            (r#"{"a":{"items":{"properties":{"b":{"type":"string","x-mcp-header":"X"}}}}}"#, E::OutOfReach),
            (r#"{"a":{"type":"string","x-mcp-header":"X","type":"string"}}"#, E::DuplicateKey),
        ] {
            assert_eq!(of(properties), Err(error), "{properties}");
        }
        assert_eq!(annotations(r#"{"x-mcp-header":"X","type":"string"}"#), Err(E::OutOfReach));
        assert_eq!(annotations(r#"{"$defs":{"a":{"type":"string","x-mcp-header":"X"}}}"#), Err(E::OutOfReach));
        assert_eq!(annotations(&format!("{}{}", r#"{"x-mcp-header":"#, "1".repeat(MAX_SCHEMA))), Err(E::TooLong));
    }

    #[test]
    fn a_property_or_a_value_of_that_name_is_no_annotation() {
        let found = of(r#"{"x-mcp-header":{"type":"string"},"b":{"default":{"x-mcp-header":1},"enum":[{"x-mcp-header":2}]}}"#);
        assert!(found.unwrap().is_empty());
    }
}
