//! Walks a value along its schema and says everything that does not fit.

use super::{NOT_AVAILABLE, Place, Shape, adopted, format, kind_of, sources, takes, unavailable, words_of};
use crate::config::{Problem, nearest};
use serde_json::{Map, Value};

/// Everything in `value` that does not fit the whole schema.
pub(super) fn check(shape: &Shape, value: &Value, hidden: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut walk = Walk { shape, hidden, problems: Vec::new() };
    walk.value(&shape.schema, value, &Place::default());
    walk.problems
}

/// Everything in `value` that does not fit this one schema; for comparing alternatives.
pub(super) fn check_against(shape: &Shape, schema: &Value, value: &Value) -> Vec<Problem> {
    let mut walk = Walk { shape, hidden: &|_| true, problems: Vec::new() };
    walk.concrete(schema, value, &[], &Place::default());
    walk.problems
}

/// Whether `value` fits this schema.
pub(super) fn fits(shape: &Shape, schema: &Value, value: &Value) -> bool {
    let mut walk = Walk { shape, hidden: &|_| true, problems: Vec::new() };
    walk.value(schema, value, &Place::default());
    walk.problems.is_empty()
}

struct Walk<'a> {
    shape: &'a Shape,
    hidden: &'a dyn Fn(&str) -> bool,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &Value, place: &Place) {
        let alternatives = self.shape.alternatives(schema);
        let words: Vec<&str> = alternatives.iter().flat_map(|schema| words_of(schema)).collect();
        if let (Value::String(text), false) = (value, words.is_empty()) {
            if !words.contains(&text.as_str()) {
                self.wrong_word(text, &words, place);
            }
            return;
        }
        let sources = sources(&alternatives);
        if let (Value::Object(members), false) = (value, sources.is_empty()) {
            self.source(&sources, members, place);
        } else if let Some(chosen) = self.shape.pick(&alternatives, value) {
            self.concrete(chosen, value, &alternatives, place);
        } else if value.is_object() && alternatives.iter().any(|schema| kind_of(schema).is_some()) {
            self.wrong_kind(&alternatives, value, place);
        } else {
            self.wrong_type(&alternatives, value, place);
        }
    }

    /// Checks against a schema that takes the value's type, one of these alternatives.
    fn concrete(&mut self, schema: &Value, value: &Value, alternatives: &[&Value], place: &Place) {
        match value {
            Value::Object(members) => self.map(schema, members, alternatives, place),
            Value::Array(items) => {
                let Some(item_schema) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.value(item_schema, item, &place.index(index));
                }
            }
            Value::String(text) => {
                let complaint = schema.get("format").and_then(Value::as_str).and_then(|format| format::complaint(format, text));
                if let Some((what, hint)) = complaint {
                    let message = format!("{} {what}", self.quote(text, place));
                    self.problems.push(Problem::error(&place.path, message).with_hint(hint));
                }
            }
            Value::Number(number) => {
                let largest = if schema.get("format").is_some_and(|format| format == "uint32") { u64::from(u32::MAX) } else { u64::MAX };
                let least = schema.get("minimum").and_then(Value::as_i64);
                if number.as_u64().is_some_and(|number| number > largest) {
                    self.problems.push(Problem::error(&place.path, format!("too large; at most {largest}")));
                } else if let (Some(least), Some(number)) = (least, number.as_i64())
                    && number < least
                {
                    self.problems.push(Problem::error(&place.path, format!("too small; at least {least}")));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn map(&mut self, schema: &Value, members: &Map<String, Value>, alternatives: &[&Value], place: &Place) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let free = schema.get("additionalProperties");
        let mut meant = Vec::new();
        for (key, value) in members {
            match (properties.and_then(|known| known.get(key)), free) {
                // A key without a value counts as left out.
                (Some(property), _) => {
                    if !value.is_null() || self.shape.alternatives(property).iter().any(|schema| takes(schema, value)) {
                        self.value(property, value, &place.key(key));
                    }
                }
                (None, Some(Value::Bool(false))) => {
                    meant.extend(self.unknown_key(key, properties, alternatives, place));
                    self.misspelt(properties, members, key, place);
                }
                (None, Some(free)) => self.value(free, value, &place.free_key(key)),
                (None, None) => {}
            }
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let there = members.get(key).is_some_and(|value| !value.is_null());
            if !there && !meant.contains(&key) {
                self.problems.push(Problem::error(&place.path, format!("the key `{key}` is missing")));
            }
        }
        if meant.is_empty() {
            self.exactly_one(schema, members, place);
        }
    }

    /// Looks into what stands under a key that was probably meant as another one, where it is as large as to hide something.
    fn misspelt(&mut self, properties: Option<&Map<String, Value>>, members: &Map<String, Value>, key: &str, place: &Place) {
        let (Some(value), at) = (members.get(key).filter(|value| value.is_object() || value.is_array()), place.key(key)) else { return };
        if let Some((own, property)) = adopted(properties, members, key, &at.pattern)
            && self.shape.pick(&self.shape.alternatives(property), value).is_some()
        {
            self.value(property, value, &Place { path: at.path, pattern: place.key(own).pattern });
        }
    }

    /// A map that says where a value is: one of these keys, with text.
    fn source(&mut self, sources: &[(&str, &Value)], members: &Map<String, Value>, place: &Place) {
        let there = members.iter().filter(|(key, value)| !value.is_null() && sources.iter().any(|(known, _)| known == key)).count();
        let properties: Map<String, Value> = sources.iter().map(|(key, schema)| ((*key).to_owned(), (*schema).clone())).collect();
        let mut unknown = false;
        for (key, value) in members {
            match properties.get(key) {
                Some(property) if !value.is_null() => self.value(property, value, &place.key(key)),
                Some(_) => {}
                None => {
                    unknown = true;
                    self.unknown_key(key, Some(&properties), &[], place);
                }
            }
        }
        let keys: Vec<&str> = sources.iter().map(|(key, _)| *key).collect();
        if there > 1 || !unknown {
            self.one_of(&keys, there, place);
        }
    }

    /// Checks `oneOf: [{required: [a]}, {required: [b]}]` beside `properties`: exactly one of the keys.
    fn exactly_one(&mut self, schema: &Value, members: &Map<String, Value>, place: &Place) {
        let branches = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<&str> = branches.filter_map(|branch| branch.get("required")?.get(0)?.as_str()).collect();
        let there = keys.iter().filter(|key| members.get(**key).is_some_and(|value| !value.is_null())).count();
        self.one_of(&keys, there, place);
    }

    /// Reports another number than one of these keys.
    fn one_of(&mut self, keys: &[&str], there: usize, place: &Place) {
        if keys.is_empty() || there == 1 {
            return;
        }
        let listed = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>();
        let problem = if there == 0 {
            Problem::error(&place.path, format!("one of the keys {} is missing", listed.join(" and ")))
        } else {
            Problem::error(&place.path, format!("{} exclude each other", listed.join(" and "))).with_hint("keep one of them")
        };
        self.problems.push(problem);
    }

    /// Reports a key that is unknown, or belongs to another kind among the alternatives; gives the key that was probably meant.
    fn unknown_key<'s>(
        &mut self,
        key: &str,
        properties: Option<&'s Map<String, Value>>,
        alternatives: &[&Value],
        place: &Place,
    ) -> Option<&'s str> {
        let at = place.key(key);
        if let Some(hint) = unavailable::unavailable_key(&at.pattern) {
            self.problems.push(Problem::error(at.path, NOT_AVAILABLE).with_hint(hint));
            return None;
        }
        let has_key = |schema: &&Value| schema.get("properties").is_some_and(|properties| properties.get(key).is_some());
        let others = alternatives.iter().copied().filter(has_key).filter_map(kind_of);
        let others: Vec<String> = others.map(|kind| format!("`type: {kind}`")).collect();
        if !others.is_empty() {
            let message = format!("belongs to {} and does nothing here", others.join(" and "));
            self.problems.push(Problem::error(at.path, message).with_hint("remove it, or change `type`"));
            return None;
        }
        let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).filter(|key| *key != "$schema").collect();
        let meant = nearest(key, known.iter().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.problems.push(Problem::error(at.path, "unknown key").with_hint(hint));
        meant
    }

    fn wrong_word(&mut self, text: &str, words: &[&str], place: &Place) {
        if let Some(hint) = unavailable::word(&place.pattern, text) {
            let message = format!("`{text}` is {NOT_AVAILABLE}");
            self.problems.push(Problem::error(&place.path, message).with_hint(hint));
            return;
        }
        let listed: Vec<String> = words.iter().filter(|word| !word.is_empty()).map(|word| format!("`{word}`")).collect();
        let message = format!("{} is not one of {}", self.quote(text, place), listed.join(", "));
        let mut problem = Problem::error(&place.path, message);
        if let (Some(meant), false) = (nearest(text, words.iter().copied()), (self.hidden)(&place.path)) {
            problem = problem.with_hint(format!("did you mean `{meant}`?"));
        }
        self.problems.push(problem);
    }

    /// `type` is missing or names no kind.
    fn wrong_kind(&mut self, alternatives: &[&Value], value: &Value, place: &Place) {
        let kinds: Vec<&str> = alternatives.iter().copied().filter_map(kind_of).collect();
        match value.get("type") {
            Some(Value::String(kind)) => self.wrong_word(kind, &kinds, &place.key("type")),
            None | Some(Value::Null) => {
                let message = "the key `type` is missing";
                self.problems.push(Problem::error(&place.path, message).with_hint(format!("known kinds: {}", kinds.join(", "))));
            }
            Some(other) => {
                let message = format!("expected text, found {}", describe(other));
                self.problems.push(Problem::error(place.key("type").path, message));
            }
        }
    }

    fn wrong_type(&mut self, alternatives: &[&Value], value: &Value, place: &Place) {
        let mut expected: Vec<&str> = Vec::new();
        for schema in alternatives {
            for name in type_names(schema) {
                if !expected.contains(&name) {
                    expected.push(name);
                }
            }
        }
        let message = format!("expected {}, found {}", expected.join(" or "), describe(value));
        let mut problem = Problem::error(&place.path, message);
        if expected.contains(&"text") && (value.is_number() || value.is_boolean()) {
            let format = alternatives.iter().find_map(|schema| schema.get("format")).and_then(Value::as_str);
            problem = problem.with_hint(if format == Some("go-duration") { "add a unit, for example 30s" } else { "put it in quotes" });
        }
        self.problems.push(problem);
    }

    fn quote(&self, text: &str, place: &Place) -> String {
        // What looks like a URL with a key in it, or is longer than any word or number, is not repeated either.
        if (self.hidden)(&place.path) || text.len() > 100 || text.contains(['@', '?']) || text.chars().any(char::is_control) {
            "the value".to_owned()
        } else {
            format!("`{text}`")
        }
    }
}

fn type_names(schema: &Value) -> Vec<&'static str> {
    let word = |name: &str| match name {
        "boolean" => Some("true or false"),
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "string" => Some("text"),
        "array" => Some("a list"),
        "object" => Some("a map"),
        _ => None,
    };
    match schema.get("type") {
        Some(Value::String(name)) => word(name).into_iter().collect(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).filter_map(word).collect(),
        _ if !words_of(schema).is_empty() => vec!["text"],
        _ => Vec::new(),
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
