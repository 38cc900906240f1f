//! A configuration's shape: which keys there are, what each takes, and what a value that does not fit is told.
//!
//! `serde` stops at the first thing that is wrong, so the schema is walked instead: every unknown key, wrong type, wrong word and
//! missing key is found in one pass, each with its path. Afterwards `serde` has nothing left to refuse.

mod check;
mod defaults;
mod edit;
mod format;
mod mend;
mod unavailable;

#[cfg(test)]
mod tests;

pub use edit::{TextSite, Wanted};
pub use unavailable::unavailable_key;

use super::{Config, Problem, key_path, nearest};
use crate::plugin::Registries;
use serde_json::{Map, Value};

/// What is said of a key or a word of the original's that has nothing behind it here.
pub const NOT_AVAILABLE: &str = "not available in this version of vmcp";

/// The shape of a configuration, compiled from its JSON Schema.
#[derive(Clone, Debug)]
pub struct Shape {
    schema: Value,
}

impl Shape {
    /// The shape of a configuration in which these kinds of plugins are known.
    #[must_use]
    pub fn new(plugins: &Registries) -> Self {
        Self { schema: super::json_schema(plugins) }
    }

    /// The JSON Schema.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Reads a configuration. A key without a value (`aggregation:`) counts as left out, and so does an empty text under a key of the
    /// original's of which it is the default, unless a variable of the environment was put in there: that is an error.
    ///
    /// `hidden` says of a path whether a variable was put in there, so that the value must not be quoted in a message.
    ///
    /// # Errors
    /// Everything that does not fit, as in [`Reading::problems`].
    pub fn read(&self, value: Value, hidden: &dyn Fn(&str) -> bool) -> Result<Config, Vec<Problem>> {
        let reading = self.read_what_fits(value, hidden, hidden);
        match reading.config {
            Some(config) if reading.problems.is_empty() => Ok(config),
            _ => Err(reading.problems),
        }
    }

    /// As [`Shape::read`], but reads what does not fit too, as far as it goes, so that the rest can be checked all the same.
    ///
    /// `hidden` says of a path whether the value there must not be quoted. `filled` says whether a variable was put into a text there: what
    /// was written out as a whole may be hidden and have the original's defaults in it all the same.
    #[must_use]
    pub fn read_what_fits(&self, mut value: Value, hidden: &dyn Fn(&str) -> bool, filled: &dyn Fn(&str) -> bool) -> Reading {
        if let Value::Object(members) = &mut value {
            members.shift_remove("$schema");
        }
        let empty = defaults::drop(&mut value, filled);
        let mut reading = Reading { problems: check::check(self, &value, hidden), ..Reading::default() };
        if !reading.problems.is_empty() {
            let mended = mend::mend(self, &mut value);
            (reading.replaced, reading.misspelt) = (mended.replaced, mended.misspelt);
        }
        reading.problems.extend(empty.iter().map(|path| {
            let hint = "set it, remove the key, or write ${NAME:-} if it may be left out";
            Problem::error(path, "the environment variable behind it is empty").with_hint(hint)
        }));
        reading.replaced.extend(empty);
        self.drop_empty(&mut value);
        match serde_path_to_error::deserialize(value) {
            Ok(config) => reading.config = Some(config),
            // What was mended and still does not fit was complained about already.
            Err(_) if !reading.problems.is_empty() => {}
            Err(error) => {
                let error: serde_path_to_error::Error<serde_json::Error> = error;
                // Only what follows `expected` is sure not to quote the value.
                let text = error.inner().to_string();
                let expected = text.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
                let path = error.path().to_string();
                let path = if path == "." { String::new() } else { path };
                reading.problems.push(Problem::error(path, format!("does not fit; expected {expected}")));
            }
        }
        reading
    }

    /// The concrete schemas that a value may match: references followed, `anyOf` and `oneOf` flattened.
    fn alternatives<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolve(schema);
        if schema.get("type").is_some() {
            // What stands beside a type only narrows it.
            return vec![schema];
        }
        match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            Some(branches) => branches.iter().flat_map(|branch| self.alternatives(branch)).collect(),
            None => vec![schema],
        }
    }

    fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/")) {
            match self.schema.get("$defs").and_then(|definitions| definitions.get(name)) {
                Some(definition) => schema = definition,
                None => break,
            }
        }
        schema
    }

    /// The one of `alternatives` that fits a map with these members best.
    fn pick<'a>(&self, alternatives: &[&'a Value], value: &Value) -> Option<&'a Value> {
        let fitting: Vec<_> = alternatives.iter().copied().filter(|schema| takes(schema, value)).collect();
        if fitting.iter().any(|schema| kind_of(schema).is_some()) {
            let kind = value.get("type").and_then(Value::as_str);
            return fitting.into_iter().find(|schema| kind_of(schema).is_some() && kind_of(schema) == kind);
        }
        if let [only] = fitting.as_slice() {
            return Some(only);
        }
        fitting.into_iter().min_by_key(|schema| check::check_against(self, schema, value).len())
    }
}

/// What came of reading a configuration.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The configuration. Where something did not fit, something else stands, or nothing.
    pub config: Option<Config>,
    /// Everything that does not fit, in the order of the value, and after that what is empty and must not be.
    pub problems: Vec<Problem>,
    /// The paths at which something else stands than was written; see [`follows_from`](super::follows_from).
    pub replaced: Vec<String>,
    /// The paths of what was written under a misspelt key, each with the path where it was written.
    pub misspelt: Vec<(String, String)>,
}

/// The key that an unknown one of a map was probably meant as, with its schema, if it stands nowhere else in the map. `pattern` is the
/// unknown key's.
fn adopted<'s>(
    properties: Option<&'s Map<String, Value>>,
    members: &Map<String, Value>,
    key: &str,
    pattern: &str,
) -> Option<(&'s str, &'s Value)> {
    let properties = properties?;
    let meant = |key: &str| nearest(key, properties.keys().map(String::as_str).filter(|key| *key != "$schema"));
    let own = meant(key).filter(|_| unavailable::unavailable_key(pattern).is_none())?;
    let first = || members.keys().find(|other| !properties.contains_key(*other) && meant(other) == Some(own));
    let free = members.get(own).is_none_or(Value::is_null) && first().is_some_and(|first| first == key);
    Some((own, properties.get(own).filter(|_| free)?))
}

/// The keys of maps of which each says one place where a value may be (`fromEnv`, `fromFile`), with what they take. None when there
/// are fewer than two such maps, or others beside them.
fn sources<'s>(alternatives: &[&'s Value]) -> Vec<(&'s str, &'s Value)> {
    let maps: Vec<&Value> = alternatives.iter().copied().filter(|schema| schema.get("properties").is_some()).collect();
    let only = |schema: &'s Value| {
        let properties = schema.get("properties")?.as_object()?;
        properties.iter().next().filter(|(key, _)| properties.len() == 1 && key.starts_with("from")).map(|(key, it)| (key.as_str(), it))
    };
    maps.into_iter().map(only).collect::<Option<Vec<_>>>().filter(|sources| sources.len() > 1).unwrap_or_default()
}

/// The words that a schema takes.
fn words_of(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    schema.get("const").into_iter().chain(listed).filter_map(Value::as_str).collect()
}

/// The fixed word behind `type` in a schema of one kind among several.
fn kind_of(schema: &Value) -> Option<&str> {
    schema.get("properties")?.get("type")?.get("const")?.as_str()
}

/// Whether `schema` takes a value of this JSON type at all.
fn takes(schema: &Value, value: &Value) -> bool {
    let of_type = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match schema.get("type") {
        Some(Value::String(name)) => of_type(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(of_type),
        _ => match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
            (Some(only), _) => std::mem::discriminant(only) == std::mem::discriminant(value),
            (None, Some(words)) => words.iter().any(|word| std::mem::discriminant(word) == std::mem::discriminant(value)),
            (None, None) => true,
        },
    }
}

/// A place in the value, as text for messages and as a pattern in which list indexes and free keys are `*`.
#[derive(Clone, Default)]
struct Place {
    path: String,
    pattern: String,
}

impl Place {
    fn key(&self, key: &str) -> Self {
        let pattern = if self.pattern.is_empty() { key.to_owned() } else { format!("{}.{key}", self.pattern) };
        Self { path: key_path(&self.path, key), pattern }
    }

    fn free_key(&self, key: &str) -> Self {
        Self { path: key_path(&self.path, key), pattern: format!("{}.*", self.pattern) }
    }

    fn index(&self, index: usize) -> Self {
        Self { path: super::index_path(&self.path, index), pattern: format!("{}.*", self.pattern) }
    }
}
