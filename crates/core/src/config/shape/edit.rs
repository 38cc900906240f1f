//! What the shape knows about single texts: which kind of value is wanted where, and where a key of the environment points.

use super::{Place, Shape, adopted, takes};
use crate::config::nearest;
use serde_json::Value;

/// One text in a configuration and what is wanted in its place.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TextSite<'a> {
    /// Its path.
    pub path: &'a str,
    /// The text.
    pub text: &'a str,
    /// What the key takes.
    pub wanted: Wanted<'a>,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Text, of a format if there is one (`uri`, `go-duration`, `byte-size`, `socket-address`, `network`, `path`), or one of a few words, of
    /// which this is the first.
    Text {
        /// The format.
        format: Option<&'a str>,
        /// The first of the words that the key takes.
        word: Option<&'a str>,
    },
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// A map.
    Map,
    /// Anything.
    Anything,
}

impl Shape {
    /// Goes through every text in `value` and replaces it where `edit` gives another value.
    pub fn edit_texts(&self, value: &mut Value, edit: &mut dyn FnMut(TextSite<'_>) -> Option<Value>) {
        self.edit(&self.schema, value, &Place::default(), edit);
    }

    fn edit(&self, schema: &Value, value: &mut Value, place: &Place, edit: &mut dyn FnMut(TextSite<'_>) -> Option<Value>) {
        let alternatives = self.alternatives(schema);
        if let Value::String(text) = value {
            if let Some(other) = edit(TextSite { path: &place.path, text, wanted: wanted(&alternatives) }) {
                *value = other;
            }
            return;
        }
        // Where nothing fits, texts are still visited, so that no text is left as it was only because its surroundings are wrong.
        let chosen = self.pick(&alternatives, value).unwrap_or(&Value::Bool(true));
        match value {
            Value::Array(items) => {
                let item_schema = chosen.get("items").unwrap_or(&Value::Bool(true));
                for (index, item) in items.iter_mut().enumerate() {
                    self.edit(item_schema, item, &place.index(index), edit);
                }
            }
            Value::Object(members) => {
                let properties = chosen.get("properties").and_then(Value::as_object);
                let unknown = |key: &str| {
                    let meant = adopted(properties, members, key, &place.key(key).pattern).map(|(_, property)| property);
                    meant.or_else(|| chosen.get("additionalProperties"))
                };
                let found: Vec<Option<&Value>> =
                    members.keys().map(|key| properties.and_then(|known| known.get(key)).or_else(|| unknown(key))).collect();
                for ((key, member), property) in members.iter_mut().zip(found) {
                    self.edit(property.unwrap_or(&Value::Bool(true)), member, &place.key(key), edit);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Removes keys without a value wherever the key takes none, since they count as left out.
    pub(super) fn drop_empty(&self, value: &mut Value) {
        self.drop_empty_below(&self.schema, value);
    }

    fn drop_empty_below(&self, schema: &Value, value: &mut Value) {
        let alternatives = self.alternatives(schema);
        let Some(chosen) = self.pick(&alternatives, value) else { return };
        match value {
            Value::Array(items) => {
                if let Some(item_schema) = chosen.get("items") {
                    items.iter_mut().for_each(|item| self.drop_empty_below(item_schema, item));
                }
            }
            Value::Object(members) => {
                if let Some(properties) = chosen.get("properties").and_then(Value::as_object) {
                    members.retain(|key, member| {
                        let takes_null = |schema| self.alternatives(schema).iter().any(|schema| takes(schema, &Value::Null));
                        !member.is_null() || properties.get(key).is_none_or(takes_null)
                    });
                }
                for (key, member) in members.iter_mut() {
                    let property = chosen.get("properties").and_then(|known| known.get(key)).or_else(|| chosen.get("additionalProperties"));
                    if let Some(property) = property {
                        self.drop_empty_below(property, member);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Finds the key that an environment variable's name stands for: `["SESSIONS", "IDLE_TIMEOUT"]` is `sessions.idleTimeout`. Free
    /// keys (a backend's name) are taken in lower case.
    ///
    /// # Errors
    /// When there is no such key: the nearest name, if there is one, as segments.
    pub fn key_from_env(&self, segments: &[&str]) -> Result<(Vec<String>, Wanted<'_>), Option<Vec<String>>> {
        let mut keys = Vec::with_capacity(segments.len());
        let mut schema = &self.schema;
        for (depth, segment) in segments.iter().enumerate() {
            let map = self.alternatives(schema).into_iter().find(|schema| schema.get("type").is_some_and(|it| it == "object"));
            let map = map.ok_or(None)?;
            let properties = map.get("properties").and_then(Value::as_object);
            let known = || properties.into_iter().flatten().filter(|(key, _)| *key != "$schema");
            if let Some((key, property)) = known().find(|(key, _)| screaming(key) == *segment) {
                keys.push(key.clone());
                schema = property;
            } else if let Some(free) = map.get("additionalProperties").filter(|free| free.as_bool() != Some(false)) {
                keys.push(segment.to_ascii_lowercase());
                schema = free;
            } else {
                let names: Vec<String> = known().map(|(key, _)| screaming(key)).collect();
                let meant = nearest(segment, names.iter().map(String::as_str)).ok_or(None)?;
                let mut suggestion: Vec<String> = segments[..depth].iter().map(|&segment| segment.to_owned()).collect();
                suggestion.push(meant.to_owned());
                suggestion.extend(segments[depth + 1..].iter().map(|&segment| segment.to_owned()));
                return Err(Some(suggestion));
            }
        }
        Ok((keys, wanted(&self.alternatives(schema))))
    }
}

/// What these alternatives take, text first, since it is what a text already is.
fn wanted<'a>(alternatives: &[&'a Value]) -> Wanted<'a> {
    let of_type = |name: &str| {
        alternatives.iter().copied().find(|schema| match schema.get("type") {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(names)) => names.iter().any(|it| it == name),
            _ => false,
        })
    };
    let word = alternatives.iter().find_map(|schema| schema.get("const").and_then(Value::as_str));
    if let Some(schema) = of_type("string") {
        let format = schema.get("format").and_then(Value::as_str);
        return Wanted::Text { format, word: word.or_else(|| schema.get("enum").and_then(|words| words.get(0)).and_then(Value::as_str)) };
    }
    if word.is_some() {
        return Wanted::Text { format: None, word };
    }
    [("integer", Wanted::Integer), ("boolean", Wanted::Boolean), ("array", Wanted::List), ("object", Wanted::Map)]
        .into_iter()
        .find(|(name, _)| of_type(name).is_some())
        .map_or(Wanted::Anything, |(_, wanted)| wanted)
}

/// `idleTimeout` as environment variables write it: `IDLE_TIMEOUT`.
fn screaming(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
