//! `${ENV}`, `${env:ENV}` and `${ENV:-default}` in the texts of a file; `$${` stands for a plain `${`.

use super::environment::Environment;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vmcp_core::config::{Problem, index_path, key_path};

/// What stands where a variable is not set and nothing needs its value.
const UNSET: &str = "unset";

/// What became of the variables in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interpolated {
    /// The variables behind each text, by its path.
    pub(crate) texts: BTreeMap<String, Vec<String>>,
    /// The variables that are not set and have no default, with the path of the text.
    pub(crate) missing: Vec<(String, String)>,
    /// The values that were put in, with their variables, so that no message repeats them.
    pub(crate) values: Vec<(String, String)>,
    /// Every variable that the file speaks of, whether it is set or not.
    pub(crate) mentioned: BTreeSet<String>,
    /// Texts in which something is wrong.
    pub(crate) problems: Vec<Problem>,
}

impl Interpolated {
    /// Replaces the variables in every text of `value`.
    pub(crate) fn replace(value: &mut Value, environment: &Environment) -> Self {
        let mut done = Self::default();
        done.walk(value, String::new(), environment);
        done
    }

    /// Whether the text at `path` stands for one that lacks a variable.
    pub(crate) fn is_unset(&self, path: &str) -> bool {
        self.missing.iter().any(|(at, _)| at == path)
    }

    fn walk(&mut self, value: &mut Value, path: String, environment: &Environment) {
        match value {
            Value::String(text) if text.contains("${") => {
                if let Some(replaced) = self.text(text, path, environment) {
                    *text = replaced;
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(item, index_path(&path, index), environment);
                }
            }
            Value::Object(members) => {
                for (key, member) in members.iter_mut() {
                    // `fromEnv`, `headerValueEnv` and their like.
                    if let (true, Value::String(name)) = (key.ends_with("Env"), &*member) {
                        self.mentioned.insert(name.clone());
                    }
                    self.walk(member, key_path(&path, key), environment);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn text(&mut self, text: &str, path: String, environment: &Environment) -> Option<String> {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        let mut names = Vec::new();
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                replaced.push_str(&rest[..at - 1]);
                replaced.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            replaced.push_str(&rest[..at]);
            let Some((reference, after)) =
                rest[at + 2..].split_once('}').and_then(|(inner, after)| Some((Reference::parse(inner)?, after)))
            else {
                let hint = "write ${NAME}, ${env:NAME} or ${NAME:-default}; `$${` stands for a plain `${`";
                self.problems.push(Problem::error(path, "a `${` that is no environment variable").with_hint(hint));
                return None;
            };
            if reference.default.is_some_and(|default| default.contains("${")) {
                let hint = format!("write a plain text behind `{}:-`; `$${{` is not read there either", reference.name);
                self.problems.push(Problem::error(path, "a default with a `${` in it").with_hint(hint));
                return None;
            }
            rest = after;
            self.mentioned.insert(reference.name.to_owned());
            match (environment.get(reference.name), reference.default) {
                (Some(value), default) if !(value.is_empty() && default.is_some()) => {
                    replaced.push_str(value);
                    self.values.push((value.to_owned(), reference.name.to_owned()));
                    names.push(reference.name.to_owned());
                }
                (_, Some(default)) => replaced.push_str(default),
                (_, None) => {
                    replaced.push_str(UNSET);
                    self.missing.push((path.clone(), reference.name.to_owned()));
                    names.push(reference.name.to_owned());
                }
            }
        }
        replaced.push_str(rest);
        // A text of which only the default was used is still no text of the file: it may stand for a number.
        self.texts.insert(path, names);
        Some(replaced)
    }
}

/// What stands between `${` and `}`.
struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(inner: &'a str) -> Option<Self> {
        let inner = inner.strip_prefix("env:").unwrap_or(inner);
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (plain && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(Self { name, default })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment() -> Environment {
        Environment::from_iter([("TOKEN", "hunter2"), ("EMPTY", ""), ("A_1", "a")])
    }

    fn one(text: &str) -> (Value, Interpolated) {
        let mut value = json!({ "k": text });
        let done = Interpolated::replace(&mut value, &environment());
        (value["k"].take(), done)
    }

    #[test]
    fn variables_are_replaced_in_every_form() {
        for (text, expected) in [
            ("${TOKEN}", "hunter2"),
            ("${env:TOKEN}", "hunter2"),
            ("Bearer ${TOKEN}!", "Bearer hunter2!"),
            ("${A_1}${A_1}", "aa"),
            ("${NOPE:-x y}", "x y"),
            ("${NOPE:-}", ""),
            ("${env:NOPE:-d}", "d"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${TOKEN:-d}", "hunter2"),
            ("$${TOKEN}", "${TOKEN}"),
            ("$$${TOKEN}", "$${TOKEN}"),
            ("$TOKEN {x} $", "$TOKEN {x} $"),
        ] {
            let (value, done) = one(text);
            assert_eq!(value, expected, "{text}");
            assert!(done.problems.is_empty() && done.missing.is_empty(), "{text}");
        }
    }

    #[test]
    fn every_missing_variable_is_told_with_its_place() {
        let mut value = json!({"a": ["${ONE}", "x-${TWO}-${ONE}"], "b": {"x y": "${TOKEN}"}});
        let done = Interpolated::replace(&mut value, &environment());
        let missing: Vec<_> = done.missing.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
        assert_eq!(missing, [("a[0]", "ONE"), ("a[1]", "TWO"), ("a[1]", "ONE")]);
        assert_eq!(value["a"][1], "x-unset-unset");
        assert!(done.is_unset("a[0]") && !done.is_unset("b"));
        assert_eq!(done.texts[r#"b["x y"]"#], ["TOKEN"]);
    }

    #[test]
    fn every_variable_that_the_file_speaks_of_is_known() {
        let mut value = json!({"a": "${ONE:-x}", "b": {"fromEnv": "TWO"}, "c": {"headerValueEnv": "THREE"}, "d": "FOUR"});
        let done = Interpolated::replace(&mut value, &environment());
        assert_eq!(done.mentioned.iter().collect::<Vec<_>>(), ["ONE", "THREE", "TWO"]);
    }

    #[test]
    fn a_variable_within_a_default_is_refused() {
        for text in ["Bearer ${NOPE:-${TOKEN}}", "${TOKEN:-${NOPE:-x}}", "${env:NOPE:-a$${b}}"] {
            let (value, done) = one(text);
            assert_eq!(value, text);
            let said: Vec<_> = done.problems.iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), 1);
            assert!(said[0].starts_with("k: a default with a `${` in it; write a plain text behind `"), "{said:?}");
        }
    }

    #[test]
    fn what_is_no_variable_is_told_without_the_text() {
        for text in ["hunter2${", "${hunter2", "${}", "${1A}", "${a b}", "${input:token}", "${a-b}", "${${TOKEN}}"] {
            let (value, done) = one(text);
            assert_eq!(value, text);
            assert_eq!(
                done.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [
                    "k: a `${` that is no environment variable; write ${NAME}, ${env:NAME} or ${NAME:-default}; `$${` stands for a plain `${`"
                ]
            );
        }
    }
}
