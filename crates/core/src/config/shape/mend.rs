//! Makes a configuration fit, so that what is right in it can be checked beside what is wrong.
//!
//! A misspelt key counts as the one that was meant, a value that cannot be used is left out, and where one is needed a stand-in takes
//! its place. Places in lists stay what they are, since problems name them.

use super::{Place, Shape, adopted, check, sources, words_of};
use crate::config::{follow::STAND_IN, nearest};
use serde_json::{Map, Value};

/// What was changed.
#[derive(Default)]
pub(super) struct Mended {
    /// Where something else stands than was written.
    pub(super) replaced: Vec<String>,
    /// What was written under a misspelt key, and where.
    pub(super) misspelt: Vec<(String, String)>,
}

pub(super) fn mend(shape: &Shape, value: &mut Value) -> Mended {
    let mut mender = Mender { shape, mended: Mended::default(), count: 0 };
    if !mender.value(&shape.schema, value, &Place::default()) {
        *value = mender.stand_in(&shape.schema);
        mender.mended.replaced.push(String::new());
    }
    mender.mended
}

struct Mender<'a> {
    shape: &'a Shape,
    mended: Mended,
    /// How many stand-ins there are: no two are equal.
    count: usize,
}

impl Mender<'_> {
    /// Makes everything in `value` fit; false when nothing of it can stay.
    fn value(&mut self, schema: &Value, value: &mut Value, place: &Place) -> bool {
        let alternatives = self.shape.alternatives(schema);
        let words: Vec<&str> = alternatives.iter().flat_map(|schema| words_of(schema)).collect();
        if let (Value::String(text), false) = (&*value, words.is_empty()) {
            return words.contains(&text.as_str()) || self.replace(nearest(text, words).map(Value::from), value, place);
        }
        if matches!((&*value, sources(&alternatives).is_empty()), (Value::Object(_), false)) {
            return check::fits(self.shape, schema, value);
        }
        let Some(chosen) = self.shape.pick(&alternatives, value) else {
            let boolean = alternatives.iter().any(|schema| schema.get("type").is_some_and(|it| it == "boolean"));
            return self.replace(boolean.then(|| truth(value)).flatten().map(Value::from), value, place);
        };
        match value {
            Value::Array(items) => {
                if let Some(item_schema) = chosen.get("items") {
                    self.list(item_schema, items, place);
                }
                true
            }
            Value::Object(members) => {
                self.map(chosen, members, place);
                true
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => check::fits(self.shape, chosen, value),
        }
    }

    /// Puts what was probably meant into the place of `value`, if there is such a thing.
    fn replace(&mut self, meant: Option<Value>, value: &mut Value, place: &Place) -> bool {
        let Some(meant) = meant else { return false };
        *value = meant;
        self.mended.replaced.push(place.path.clone());
        true
    }

    fn list(&mut self, item_schema: &Value, items: &mut [Value], place: &Place) {
        for (index, item) in items.iter_mut().enumerate() {
            let at = place.index(index);
            if !self.value(item_schema, item, &at) {
                *item = self.stand_in(item_schema);
                self.mended.replaced.push(at.path);
            }
        }
    }

    fn map(&mut self, schema: &Value, members: &mut Map<String, Value>, place: &Place) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let given = std::mem::take(members);
        for (key, member) in &given {
            let known = properties.and_then(|known| known.get(key));
            let (own, schema) = match (known, schema.get("additionalProperties")) {
                (Some(property), _) => (key.as_str(), property),
                (None, Some(Value::Bool(false))) => match adopted(properties, &given, key, &place.key(key).pattern) {
                    Some(meant) => meant,
                    None => continue,
                },
                (None, Some(free)) => (key.as_str(), free),
                (None, None) => (key.as_str(), &Value::Bool(true)),
            };
            let at = place.key(own);
            let mut member = member.clone();
            let kept = (member.is_null() && known.is_some()) || self.value(schema, &mut member, &at);
            if kept {
                members.insert(own.to_owned(), member);
            }
            match (kept, own == key) {
                (true, true) => {}
                (true, false) => self.mended.misspelt.push((at.path, place.key(key).path)),
                (false, _) => self.mended.replaced.push(at.path),
            }
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            self.require(properties, members, key, place.key(key).path);
        }
        let branches = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<&str> = branches.filter_map(|branch| branch.get("required")?.get(0)?.as_str()).collect();
        if let Some((first, others)) = keys.split_first() {
            let there = keys.iter().find(|key| members.get(**key).is_some_and(|value| !value.is_null())).copied();
            for key in others.iter().chain([first]).filter(|key| there.is_some_and(|there| there != **key)) {
                if members.shift_remove(*key).is_some() {
                    self.mended.replaced.push(place.path.clone());
                }
            }
            self.require(properties, members, there.unwrap_or(first), place.path.clone());
        }
    }

    /// Sees to it that a key is there; `path` is what is replaced when it was not.
    fn require(&mut self, properties: Option<&Map<String, Value>>, members: &mut Map<String, Value>, key: &str, path: String) {
        if members.get(key).is_none_or(Value::is_null) {
            let schema = properties.and_then(|known| known.get(key)).unwrap_or(&Value::Bool(true));
            members.insert(key.to_owned(), self.stand_in(schema));
            if !self.mended.replaced.contains(&path) {
                self.mended.replaced.push(path);
            }
        }
    }

    /// Something that fits.
    fn stand_in(&mut self, schema: &Value) -> Value {
        let alternatives = self.shape.alternatives(schema);
        let Some(first) = alternatives.first() else { return Value::Null };
        if let Some(word) = words_of(first).first() {
            return (*word).into();
        }
        let named = match first.get("type") {
            Some(Value::Array(names)) => names.first().and_then(Value::as_str),
            name => name.and_then(Value::as_str),
        };
        match named {
            Some("integer" | "number") => 1.into(),
            Some("boolean") => false.into(),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => {
                let mut members = Value::Object(Map::new());
                if let Value::Object(members) = &mut members {
                    let properties = first.get("properties").and_then(Value::as_object);
                    for key in first.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                        let schema = properties.and_then(|known| known.get(key)).unwrap_or(&Value::Bool(true));
                        members.insert(key.to_owned(), self.stand_in(schema));
                    }
                }
                members
            }
            Some("string") => {
                self.count += 1;
                let name = format!("{STAND_IN}{}", self.count);
                match first.get("format").and_then(Value::as_str) {
                    Some("uri") => format!("https://{name}.invalid/").into(),
                    Some("socket-address") => "127.0.0.1:0".into(),
                    Some("network") => "127.0.0.1".into(),
                    Some("go-duration") => "1s".into(),
                    Some("byte-size") => "1MiB".into(),
                    _ => name.into(),
                }
            }
            _ => Value::Null,
        }
    }
}

/// What somebody meant who wrote a word or a number for a truth value.
fn truth(value: &Value) -> Option<bool> {
    let is = |words: [&str; 5], text: &str| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match value {
        Value::String(text) if is(["true", "yes", "on", "y", "1"], text) => Some(true),
        Value::String(text) if is(["false", "no", "off", "n", "0"], text) => Some(false),
        Value::Number(number) => match number.as_u64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}
