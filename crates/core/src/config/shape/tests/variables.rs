//! The schema in which variables may stand.

use super::{properties, shape};
use crate::config::with_variables;
use serde_json::{Value, json};

/// Whether `schema` takes `text`, as far as types, words and the pattern of variables say.
fn takes_text(root: &Value, schema: &Value, text: &str) -> bool {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return takes_text(root, root.pointer(name.trim_start_matches('#')).unwrap(), text);
    }
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        let takers = branches.iter().filter(|branch| takes_text(root, branch, text)).count();
        return if schema.get("oneOf").is_some() { takers == 1 } else { takers > 0 };
    }
    match (schema.get("const"), schema.get("pattern").and_then(Value::as_str), schema.get("format").and_then(Value::as_str)) {
        (Some(word), ..) => word == text,
        (_, Some(r"\$\{"), _) => text.contains("${"),
        (_, Some(_), _) | (_, _, Some("uri" | "socket-address" | "network")) => false,
        _ => schema.get("type").is_some_and(|it| it == "string" || it.as_array().is_some_and(|names| names.contains(&json!("string")))),
    }
}

#[test]
fn the_schema_for_files_takes_a_variable_wherever_vmcp_does() {
    let plain = shape().schema().clone();
    let schema = with_variables(plain.clone());
    let all = properties(&schema);
    let mut formed = 0;
    for ((path, before), (_, after)) in properties(&plain).iter().zip(&all) {
        let is_formed = |leaf: &&Value| {
            leaf.get("const").is_some()
                || ["integer", "boolean"].iter().any(|it| leaf["type"] == *it || leaf["type"][0] == *it)
                || leaf.get("pattern").is_some()
                || leaf.get("format").is_some_and(|format| format != "path" && format != "command")
        };
        let is_formed = shape().alternatives(before).iter().any(is_formed);
        assert_eq!(takes_text(&plain, before, "${X:-30s}"), !is_formed && takes_text(&schema, after, "${X:-30s}"), "{path}");
        assert!(!is_formed || takes_text(&schema, after, "${X:-30s}"), "{path}");
        formed += usize::from(is_formed);
    }
    assert!(formed > 30, "{formed}");
    for key in
        ["Backend.timeout", "Backend.maxConcurrent", "Backend.http2", "Backend.protocolEra", "Backend.url", "Backend.transport", ".listen"]
    {
        let property = all.iter().find(|(path, _)| path == key).unwrap().1;
        assert!(takes_text(&schema, property, "${X:-30s}"), "{key}");
        assert!(!takes_text(&schema, property, "nonsense"), "{key}");
    }
    assert_eq!(all.iter().find(|(path, _)| path == "Backend.maxConcurrent").unwrap().1["default"], 256);
}
