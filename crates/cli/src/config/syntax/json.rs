//! JSON with comments and trailing commas, as editors write it.

use super::{Document, Place, SyntaxError};
use crate::config::document::{Lines, Places};
use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{self, ObjectPropName},
    common::Ranged,
    parse_to_ast,
};
use serde_json::{Map, Number, Value};
use vmcp_core::config::{index_path, key_path};

pub(super) fn parse(text: &str) -> Result<Document, Vec<SyntaxError>> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let place = Place { line: error.line_display(), column: error.column_display() };
        let message = error.kind().to_string();
        let mut letters = message.chars();
        let message = letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or(message);
        vec![SyntaxError { place: Some(place), message }]
    })?;
    let mut reader = Reader { lines: Lines::new(text), places: Places::default(), errors: Vec::new() };
    let value = parsed.value.map_or(Value::Null, |value| reader.value(value, ""));
    if reader.errors.is_empty() { Ok(Document { value, places: reader.places, ..Document::default() }) } else { Err(reader.errors) }
}

struct Reader<'a> {
    lines: Lines<'a>,
    places: Places,
    errors: Vec<SyntaxError>,
}

impl Reader<'_> {
    fn value(&mut self, value: ast::Value<'_>, path: &str) -> Value {
        match value {
            ast::Value::StringLit(text) => Value::String(text.value.into_owned()),
            ast::Value::BooleanLit(boolean) => Value::Bool(boolean.value),
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::NumberLit(number) => match number.value.parse::<Number>() {
                Ok(number) => Value::Number(number),
                Err(_) => self.error(number.range.start, "a number out of range".to_owned()),
            },
            ast::Value::Array(array) => {
                let elements = array.elements.into_iter().enumerate().map(|(index, element)| {
                    let path = index_path(path, index);
                    self.places.set(path.clone(), self.lines.place(element.start()));
                    self.value(element, &path)
                });
                Value::Array(elements.collect())
            }
            ast::Value::Object(object) => {
                let mut members = Map::new();
                for property in object.properties {
                    let start = match &property.name {
                        ObjectPropName::String(name) => name.range.start,
                        ObjectPropName::Word(name) => name.range.start,
                    };
                    let key = property.name.into_string();
                    let path = key_path(path, &key);
                    self.places.set(path.clone(), self.lines.place(start));
                    let value = self.value(property.value, &path);
                    if members.contains_key(&key) {
                        self.error(start, format!("the key `{key}` is there twice"));
                    }
                    members.insert(key, value);
                }
                Value::Object(members)
            }
        }
    }

    fn error(&mut self, offset: usize, message: String) -> Value {
        self.errors.push(SyntaxError { place: Some(self.lines.place(offset)), message });
        Value::Null
    }
}
