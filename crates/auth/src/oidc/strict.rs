//! JSON in which no member stands twice.
//!
//! Readers differ in which of two equal members they believe; a token that says two things is refused instead.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Reads a JSON object; `None` when it is none, or a member stands twice in it or in anything below.
pub(super) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Once>(json).ok()?.0 {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without members that stand twice")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Once(value))) = members.next_entry::<String, Once>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        for json in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","su\u0062":"a"}"#,
            r#"{"act":{"sub":"a","sub":"b"}}"#,
            r#"{"list":[{"x":1,"x":1}]}"#,
            "[]",
            "7",
            r#"{"a":1} "#.trim_end_matches(['}', ' ']),
            r#"{"a":1}{}"#,
            "",
        ] {
            assert!(object(json.as_bytes()).is_none(), "{json}");
        }
    }

    #[test]
    fn everything_else_is_read_as_it_is() {
        let json = r#"{"a":[1,-2,3.5,true,null,"x"],"b":{"a":{}}}"#;
        assert_eq!(serde_json::Value::Object(object(json.as_bytes()).unwrap()).to_string(), json);
        assert!(object("[".repeat(100_000).as_bytes()).is_none(), "depth has a limit");
    }
}
