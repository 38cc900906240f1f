//! The schema as a page for people.

use serde_json::{Map, Value};
use std::fmt::Write as _;

const INTRODUCTION: &str = include_str!("introduction.md");

const HEAD: &str = "| Key | Takes | Default | Meaning |\n| --- | --- | --- | --- |\n";

/// Marks a word that is another spelling of one that is told.
const SPELLING: &str = "x-spelling-of";

/// The whole reference page.
pub(super) fn page(schema: &Value) -> String {
    let mut page = Page { schema, text: INTRODUCTION.to_owned(), told: Vec::new(), shared: Vec::new() };
    page.section("", schema);
    page.text
}

struct Page<'a> {
    schema: &'a Value,
    text: String,
    /// Definitions that have a section, with its title.
    told: Vec<(&'a str, String)>,
    /// Keys that have a section and stand beside several kinds of a plugin.
    shared: Vec<&'a str>,
}

impl<'a> Page<'a> {
    /// A table of a map's keys, then a section for each map among them.
    fn section(&mut self, path: &str, map: &'a Value) {
        let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
        let title = if path.is_empty() { "Top level".to_owned() } else { format!("`{path}`") };
        let _ = write!(self.text, "\n## {title}\n\n");
        if let Some(description) = map.get("description").and_then(Value::as_str).filter(|_| !path.is_empty()) {
            let _ = write!(self.text, "{}\n\n", one_line(description));
        }
        self.text.push_str(HEAD);
        self.rows(map, properties.iter());
        for (key, property) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.below(&path, property);
        }
    }

    /// A row for each of these keys of a map.
    fn rows(&mut self, map: &'a Value, properties: impl Iterator<Item = (&'a String, &'a Value)>) {
        let required: Vec<&str> = map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in properties {
            let default = match property.get("default") {
                Some(Value::String(text)) if text.is_empty() => String::new(),
                Some(Value::String(text)) => format!("`{text}`"),
                Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
                Some(Value::Object(members)) if members.is_empty() => "none".to_owned(),
                Some(Value::Object(_) | Value::Null) | None if !required.contains(&key.as_str()) => String::new(),
                None => "**required**".to_owned(),
                Some(other) => format!("`{other}`"),
            };
            let _ = writeln!(self.text, "| `{key}` | {} | {default} | {} |", self.takes(property), self.meaning(property));
        }
    }

    /// The sections of what a key takes.
    fn below(&mut self, path: &str, schema: &'a Value) {
        let alternatives = self.alternatives(schema);
        for alternative in &alternatives {
            if let Some(items) = alternative.get("items") {
                self.below(&format!("{path}[]"), items);
            } else if let Some(properties) = alternative.get("properties").and_then(Value::as_object) {
                if let Some(kind) = kind_of(alternative) {
                    self.kind(kind, alternative, &alternatives);
                } else if self.first_time(path, alternative) && !is_source(properties) {
                    self.section(path, alternative);
                }
            } else if let Some(free) = alternative.get("additionalProperties").filter(|free| free.is_object()) {
                self.below(&format!("{path}.<name>"), free);
            }
        }
    }

    /// The sections of one kind of plugin: its settings, if it has any, and what stands beside it and others of `all` kinds.
    fn kind(&mut self, kind: &str, branch: &'a Value, all: &[&'a Value]) {
        let properties = branch.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (key, settings) in properties.filter(|(key, _)| *key != "type") {
            let alternatives = self.alternatives(settings);
            let kinds: Vec<_> = alternatives.iter().filter_map(|branch| Some((kind_of(branch)?, *branch))).collect();
            let maps: Vec<_> = alternatives.into_iter().filter(|branch| branch.get("properties").is_some()).collect();
            if kinds.is_empty() && !maps.is_empty() {
                for settings in maps {
                    if self.first_time(key, settings) {
                        self.section(key, settings);
                        let _ = write!(self.text, "\nStands beside `type: {kind}`.\n");
                    }
                }
            } else if !self.shared.contains(&key.as_str()) {
                self.shared.push(key);
                if kinds.is_empty() {
                    let _ = write!(self.text, "\n## `{key}`\n\n{HEAD}");
                    self.rows(branch, std::iter::once((key, settings)));
                    let having = all.iter().filter(|branch| branch.get("properties").is_some_and(|keys| keys.get(key).is_some()));
                    let having: Vec<&str> = having.filter_map(|branch| kind_of(branch)).collect();
                    let _ = write!(self.text, "\nStands beside `type: {}`.\n", having.join("`, `"));
                } else {
                    self.kinds(key, &kinds);
                }
            }
        }
    }

    /// The section of a key that stands beside every kind of a plugin and takes kinds of its own, whose settings stand beside its `type`.
    fn kinds(&mut self, key: &str, kinds: &[(&str, &'a Value)]) {
        let words: Vec<String> = kinds.iter().map(|(kind, _)| format!("`{kind}`")).collect();
        let word = |branch: &'a Value| branch.get("properties")?.get("type").map(|word| self.meaning(word));
        let meanings: Vec<String> = kinds.iter().filter_map(|(_, branch)| word(branch)).filter(|meaning| !meaning.is_empty()).collect();
        let _ = write!(self.text, "\n## `{key}`\n\n{HEAD}| `type` | {} | **required** | {} |\n", words.join(", "), meanings.join(" "));
        for (kind, branch) in kinds {
            let properties = branch.get("properties").and_then(Value::as_object).into_iter().flatten();
            let own: Vec<_> = properties.filter(|(key, _)| *key != "type").collect();
            self.rows(branch, own.iter().copied());
            if let [first, .., last] = own.as_slice() {
                let _ = write!(self.text, "\n`{}` to `{}` are keys of `type: {kind}`.\n", first.0, last.0);
            }
        }
    }

    fn first_time(&mut self, path: &str, schema: &'a Value) -> bool {
        let Some(title) = self.name_of(schema) else { return true };
        let new = self.told.iter().all(|(name, _)| *name != title);
        if new {
            self.told.push((title, path.to_owned()));
        }
        new
    }

    /// The name of the definition that `schema` is.
    fn name_of(&self, schema: &Value) -> Option<&'a str> {
        let definitions = self.schema.get("$defs").and_then(Value::as_object)?;
        definitions.iter().find(|(_, definition)| std::ptr::eq(*definition, schema)).map(|(name, _)| name.as_str())
    }

    fn alternatives(&self, schema: &'a Value) -> Vec<&'a Value> {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/"));
        let schema = name.and_then(|name| self.schema.get("$defs")?.get(name)).unwrap_or(schema);
        if schema.get("type").is_some() {
            return vec![schema];
        }
        match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            Some(branches) => branches.iter().flat_map(|branch| self.alternatives(branch)).collect(),
            None => vec![schema],
        }
    }

    fn takes(&self, schema: &'a Value) -> String {
        let mut words: Vec<String> = Vec::new();
        let alternatives = self.alternatives(schema);
        let kinds: Vec<String> = alternatives.iter().filter_map(|branch| kind_of(branch)).map(|kind| format!("`{kind}`")).collect();
        if !kinds.is_empty() {
            return format!("map with `type`: {}", kinds.join(", "));
        }
        for alternative in alternatives {
            let word = match alternative.get("const") {
                Some(_) if alternative.get(SPELLING).is_some() => continue,
                Some(word) => format!("`{}`", word.as_str().unwrap_or_default()),
                None => self.type_of(alternative),
            };
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    }

    fn type_of(&self, schema: &'a Value) -> String {
        let name = match schema.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default(),
            _ => return "anything".to_owned(),
        };
        match (name, schema.get("format").and_then(Value::as_str)) {
            ("string", Some("go-duration")) => "duration".to_owned(),
            ("string", Some("byte-size")) => "size".to_owned(),
            ("string", Some("uri")) => "URL".to_owned(),
            ("string", Some("socket-address")) => "address:port".to_owned(),
            ("string", Some("network")) => "network".to_owned(),
            ("string", Some("path")) => "path".to_owned(),
            ("string", _) => "text".to_owned(),
            ("integer", _) => "number".to_owned(),
            ("boolean", _) => "true, false".to_owned(),
            ("array", _) => format!("list of {}", schema.get("items").map(|items| self.takes(items)).unwrap_or_default()),
            ("object", _) => match schema.get("properties").and_then(Value::as_object) {
                Some(properties) if is_source(properties) => {
                    format!("{{ {} }}", properties.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
                }
                Some(_) => "map".to_owned(),
                None => match schema.get("additionalProperties").filter(|free| free.is_object()) {
                    Some(free) => format!("map of {}", self.takes(free)),
                    None => "map".to_owned(),
                },
            },
            ("null", _) => String::new(),
            (other, _) => other.to_owned(),
        }
    }

    /// The description, and those of the words that the key takes.
    fn meaning(&self, schema: &'a Value) -> String {
        // What describes a key that takes one word describes the word.
        let own = schema.get("description").filter(|_| schema.get("const").is_none());
        let mut meaning = own.and_then(Value::as_str).map(one_line).unwrap_or_default();
        for alternative in self.alternatives(schema) {
            let word = alternative.get("const").and_then(Value::as_str).filter(|_| alternative.get(SPELLING).is_none());
            let description = alternative.get("description").and_then(Value::as_str);
            if let (Some(word), Some(description)) = (word, description) {
                let _ = write!(meaning, " `{word}`: {}", one_line(description));
            }
        }
        meaning.trim_start().replace('|', "\\|")
    }
}

/// The fixed word behind `type` in the schema of one kind among several.
fn kind_of(schema: &Value) -> Option<&str> {
    schema.get("properties")?.get("type")?.get("const")?.as_str()
}

/// A map that only says where a value is: told with the key that takes it.
fn is_source(properties: &Map<String, Value>) -> bool {
    properties.keys().all(|key| key.starts_with("from"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
