//! JSON as serde_json reads it.

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A member of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key as it is written.
    pub raw_key: &'a str,
    /// What it stands for.
    pub key: String,
    /// The value as it is written.
    pub value: &'a str,
}

/// Whether the text is one JSON value, however deep.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// How deep arrays and objects are nested in a JSON text.
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// The string that a literal stands for; `None` for anything else, and for lone surrogates.
pub fn string(literal: &str) -> Option<String> {
    serde_json::from_str(literal).ok()
}

/// The elements of an array.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    serde_json::from_str::<Vec<&RawValue>>(text).ok().map(|raw| raw.into_iter().map(RawValue::get).collect())
}

/// The members of an object, those with equal keys too; `None` when it is no object or a key has lone surrogates.
pub fn members(text: &str) -> Option<Vec<Member<'_>>> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(&'de RawValue, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    let named = members.into_iter().map(|(key, value)| Some(Member { raw_key: key.get(), key: string(key.get())?, value: value.get() }));
    named.collect()
}
