//! The configuration as a JSON Schema, with the settings of the registered plugin kinds.

use super::{AuthzConfig, Config, OnError};
use crate::plugin::{Registries, Registry, config_key};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a configuration file in which these kinds are known.
///
/// Besides standard formats it uses `go-duration`, `byte-size`, `socket-address`, `network`, `path` and `command`, which [`super::Shape`] checks and
/// other readers ignore.
#[must_use]
pub fn json_schema(plugins: &Registries) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = Config::json_schema(&mut generator).to_value();
    let mut on_error = described(generator.subschema_for::<OnError>(), "What becomes of a request for which there are no credentials.");
    on_error["default"] = json!(OnError::default());
    let authz = any(&plugins.authorizers)
        .then(|| ("authz", described(generator.subschema_for::<AuthzConfig>(), "What callers may do. When left out, everything.")));
    let outgoing = kinds(&plugins.strategies, &mut generator, "What a backend is sent on behalf of a caller", &[("onError", on_error)]);
    let incoming = kinds(&plugins.authenticators, &mut generator, "How callers are told apart", authz.as_slice());
    let authorizer = any(&plugins.authorizers).then(|| authorizers(plugins, &mut generator));
    let interceptor =
        any(&plugins.interceptors).then(|| kinds(&plugins.interceptors, &mut generator, "What looks at calls on their way", &[]));

    let mut definitions = generator.take_definitions(true);
    definitions.insert("OutgoingStrategy".to_owned(), outgoing);
    definitions.insert("IncomingAuthenticator".to_owned(), incoming);
    // A seam for which nobody has registered anything has no key.
    definitions.shift_remove("Authorizer");
    definitions.shift_remove("Interceptor");
    definitions.extend(authorizer.map(|kinds| ("Authorizer".to_owned(), kinds)));
    if let (None, Some(Value::Object(properties))) = (&interceptor, root.get_mut("properties")) {
        properties.shift_remove("interceptors");
    }
    definitions.extend(interceptor.map(|kinds| ("Interceptor".to_owned(), kinds)));
    for (name, definition) in &mut definitions {
        if let Value::Object(members) = definition {
            members.entry("title").or_insert_with(|| title(name).into());
        }
    }
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        let comment = json!({ "type": "string", "description": "The schema of this file, for editors; ignored." });
        properties.insert("$schema".to_owned(), comment);
    }
    if let Value::Object(members) = &mut root {
        members.shift_insert(0, "$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        members.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

/// The same schema for people's files, in which `${NAME}` may stand wherever text becomes a number, a truth value, a word, or text of a
/// form. Where any text fits, nothing changes.
#[must_use]
pub fn with_variables(mut schema: Value) -> Value {
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for definition in definitions.values_mut() {
            // Whoever refers to a definition gets the variable with it.
            allow_variable(definition);
            allow_below(definition);
        }
    }
    allow_below(&mut schema);
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        let variable = json!({
            "title": "A variable",
            "description": "Text with an environment variable: `${NAME}` or `${NAME:-default}`.",
            "type": "string",
            "pattern": r"\$\{",
        });
        definitions.insert(VARIABLE.to_owned(), variable);
    }
    schema
}

const VARIABLE: &str = "Variable";

/// Goes through the schemas of a map's keys, a list's elements, and their alternatives.
fn allow_below(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    let properties = members.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten().filter(|(key, _)| *key != "$schema") {
        allow_variable(property);
        allow_below(property);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(below) = members.get_mut(key) {
            allow_variable(below);
            allow_below(below);
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = members.get_mut(key) {
            branches.iter_mut().for_each(allow_below);
        }
    }
}

/// Lets a variable stand in the place of a value that is no free text.
fn allow_variable(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    let variable = json!({ "$ref": format!("#/$defs/{VARIABLE}") });
    for key in ["oneOf", "anyOf"] {
        if let Some(Value::Array(branches)) = members.get_mut(key) {
            let formed = |branch: &Value| branch.get("const").is_some() || is_formed(branch);
            if branches.iter().any(formed) {
                branches.push(variable);
            }
            return;
        }
    }
    if is_formed(schema)
        && let Value::Object(members) = schema
    {
        // What explains the key stays beside the alternatives.
        let (about, form): (Map<String, Value>, Map<String, Value>) =
            std::mem::take(members).into_iter().partition(|(key, _)| matches!(key.as_str(), "title" | "description" | "default"));
        *members = about;
        members.insert("anyOf".to_owned(), json!([form, variable]));
    }
}

/// Whether a schema takes a number, a truth value, or text of a form that `${NAME}` has not. The kinds of plugins are told apart by their
/// words, so these stay.
fn is_formed(schema: &Value) -> bool {
    let of_type = |name: &str| match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(names)) => names.iter().any(|it| it == name),
        _ => false,
    };
    let form = schema.get("pattern").is_some() || schema.get("format").is_some_and(|format| format != "path" && format != "command");
    of_type("integer") || of_type("number") || of_type("boolean") || (of_type("string") && (form || schema.get("enum").is_some()))
}

/// The kinds of authorizers, and the word for none.
fn authorizers(plugins: &Registries, generator: &mut SchemaGenerator) -> Value {
    let mut kinds = kinds(&plugins.authorizers, generator, "What callers may do", &[]);
    if let Some(Value::Array(branches)) = kinds.get_mut("oneOf") {
        let none = json!({ "const": "none", "description": "Everybody may do everything." });
        let properties = json!({ "type": none });
        branches.push(
            json!({ "title": "none", "type": "object", "properties": properties, "required": ["type"], "additionalProperties": false }),
        );
    }
    kinds
}

fn any<T: ?Sized>(registry: &Registry<T>) -> bool {
    registry.kinds().next().is_some()
}

fn described(schema: schemars::Schema, text: &str) -> Value {
    let mut schema = schema.to_value();
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), text.into());
    }
    schema
}

/// One branch for each kind of a seam, told apart by `type`, with `more` keys that each takes which is not fixed.
fn kinds<T: ?Sized>(registry: &Registry<T>, generator: &mut SchemaGenerator, title: &str, more: &[(&str, Value)]) -> Value {
    let names: Vec<_> = registry.kinds().collect();
    let one = |kind| {
        let mut branch = if registry.is_flat() { flat(registry, kind, generator) } else { branch(registry, kind, generator) };
        if let Some(Value::Object(properties)) = branch.get_mut("properties").filter(|_| !registry.is_fixed(kind)) {
            properties.extend(more.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())));
        }
        branch
    };
    let branches: Vec<Value> = names.into_iter().map(one).collect();
    json!({ "title": title, "oneOf": branches })
}

/// A kind whose settings stand beside `type`.
fn flat<T: ?Sized>(registry: &Registry<T>, kind: &str, generator: &mut SchemaGenerator) -> Value {
    let settings = registry.schema(kind, generator).map(|schema| schema.to_value()).unwrap_or_default();
    let reference = settings.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/"));
    let definition = match reference {
        // Written out here, and nowhere else.
        Some(name) => generator.definitions_mut().shift_remove(name).unwrap_or_default(),
        None => settings,
    };
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({ "const": kind }));
    properties.extend(definition.get("properties").and_then(Value::as_object).cloned().unwrap_or_default());
    let mut required = vec![json!("type")];
    required.extend(definition.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    json!({ "title": kind, "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn branch<T: ?Sized>(registry: &Registry<T>, kind: &str, generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({ "const": kind }));
    let mut required = vec!["type".to_owned()];
    if let Some(settings) = registry.schema(kind, generator) {
        let reference = settings.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/"));
        let definition = match reference {
            Some(name) => generator.definitions().get(name),
            None => Some(settings.as_value()),
        };
        let members = |key: &str| definition.and_then(|schema| schema.get(key)).is_some_and(|members| !is_empty(members));
        if members("required") {
            required.push(config_key(kind));
        }
        // A kind without settings has no key for them.
        if definition.is_none_or(|schema| schema.get("type").is_none_or(|it| it != "object")) || members("properties") {
            properties.insert(config_key(kind), settings.to_value());
        }
    }
    json!({ "title": kind, "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A definition's name as words: `ToolOverride` is `Tool override`.
fn title(name: &str) -> String {
    let mut title = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !title.is_empty() {
            title.push(' ');
            title.push(c.to_ascii_lowercase());
        } else {
            title.push(c);
        }
    }
    title
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
