//! TOML 1.1.

use super::{Document, SyntaxError};
use crate::config::document::{Lines, Places};
use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use vmcp_core::config::{index_path, key_path};

pub(super) fn parse(text: &str) -> Result<Document, Vec<SyntaxError>> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors: Vec<SyntaxError> = errors
        .iter()
        .map(|error| SyntaxError {
            place: error.span().map(|span| lines.place(span.start)),
            message: error.message().lines().collect::<Vec<_>>().join("; "),
        })
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut reader = Reader { errors, lines, places: Places::default() };
    let value = reader.table(table.into_inner(), "");
    if reader.errors.is_empty() { Ok(Document { value, places: reader.places, ..Document::default() }) } else { Err(reader.errors) }
}

struct Reader<'a> {
    lines: Lines<'a>,
    places: Places,
    errors: Vec<SyntaxError>,
}

impl Reader<'_> {
    fn table(&mut self, table: DeTable<'_>, path: &str) -> Value {
        let mut members = Map::new();
        for (key, value) in table {
            let path = key_path(path, key.get_ref());
            self.places.set(path.clone(), self.lines.place(key.span().start));
            members.insert(key.into_inner().into_owned(), self.value(value, &path));
        }
        Value::Object(members)
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>, path: &str) -> Value {
        let start = value.span().start;
        match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(boolean) => Value::Bool(boolean),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Value::from(integer),
                Err(_) => self.error(start),
            },
            DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => self.error(start),
            },
            DeValue::Array(array) => {
                let elements = array.into_iter().enumerate().map(|(index, element)| {
                    let path = index_path(path, index);
                    self.places.set(path.clone(), self.lines.place(element.span().start));
                    self.value(element, &path)
                });
                Value::Array(elements.collect())
            }
            DeValue::Table(table) => self.table(table, path),
        }
    }

    fn error(&mut self, offset: usize) -> Value {
        self.errors.push(SyntaxError { place: Some(self.lines.place(offset)), message: "a number out of range".to_owned() });
        Value::Null
    }
}
