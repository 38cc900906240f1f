//! YAML 1.2, with anchors and merge keys.

use super::{Document, Place, SyntaxError};
use crate::config::document::Places;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, MessageFormatter as _, NonFiniteFloatPolicy, Spanned, UserMessageFormatter};
use std::fmt;
use vmcp_core::config::{index_path, key_path};

pub(super) fn parse(text: &str) -> Result<Vec<Document>, SyntaxError> {
    // `yes`, `0755` and `1_000` stay what they look like in YAML 1.2: text.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| syntax_error(&error))?;
    let documents = nodes.into_iter().map(|node| {
        let mut document = Document::default();
        document.value = flatten(node.value, "", &mut document.places);
        document
    });
    Ok(documents.collect())
}

fn syntax_error(error: &serde_saphyr::Error) -> SyntaxError {
    let error = error.without_snippet();
    let place = error.location().filter(|location| *location != Location::UNKNOWN).map(place);
    let message = UserMessageFormatter.format_message(error).lines().collect::<Vec<_>>().join("; ");
    SyntaxError { place, message }
}

fn place(location: Location) -> Place {
    Place { line: usize::try_from(location.line()).unwrap_or(0), column: usize::try_from(location.column()).unwrap_or(0) }
}

/// A YAML node with the places of what it holds.
enum Node {
    Leaf(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

fn flatten(node: Node, path: &str, places: &mut Places) -> Value {
    match node {
        Node::Leaf(value) => value,
        Node::List(elements) => {
            let elements = elements.into_iter().enumerate().map(|(index, element)| {
                let path = index_path(path, index);
                places.set(path.clone(), place(element.referenced));
                flatten(element.value, &path, places)
            });
            Value::Array(elements.collect())
        }
        Node::Map(members) => {
            let mut map = Map::new();
            for (key, member) in members {
                let path = key_path(path, &key.value);
                let at = if key.referenced == Location::UNKNOWN { member.referenced } else { key.referenced };
                places.set(path.clone(), place(at));
                map.insert(key.value, flatten(member.value, &path, places));
            }
            Value::Object(map)
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(Value::from(value)))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Leaf(Value::String(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Leaf(Value::String(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Leaf(Value::String(value)))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Map(members))
    }
}
