//! Every file in `examples/` is a configuration that works, and together they show every key.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The examples' texts by their names.
fn examples() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension != "md" && extension != "cedar"));
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())).collect()
}

/// Runs vmcp in the examples' folder, with an empty environment.
fn vmcp(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vmcp")).args(arguments).current_dir(folder()).env_clear().output().unwrap()
}

/// Whether `validate` was content, and its warnings and errors without notes.
fn validate(file: &str) -> (bool, Vec<String>) {
    let output = vmcp(&["validate", file]);
    let lines = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), lines.lines().filter(|line| !line.contains(": note: ")).map(str::to_owned).collect())
}

/// What is worth a warning in the examples that show it.
fn expected_warnings(file: &str) -> &'static [&'static str] {
    match file {
        "headers.yaml" => &[
            "headers.yaml:33:5: warning: backends[2].allowPlaintext: `authorization`, `x-remote-user` may travel unencrypted",
            "headers.yaml:37:9: warning: backends[2].passthroughHeaders[0]: the caller's `authorization` is passed on to backend `internal`",
        ],
        "network.yaml" => &["network.yaml:8:1: warning: listen: anyone who reaches 0.0.0.0:4483 can call every tool"],
        "vscode.json" => &["vscode.json:13:20: warning: servers.wiki.headers.Authorization: skipped: only the client can ask"],
        _ => &[],
    }
}

#[test]
fn every_example_is_a_valid_configuration() {
    let examples = examples();
    assert!(examples.len() >= 14, "{:?}", examples.keys());
    for file in examples.keys() {
        let (content, lines) = validate(file);
        assert!(content, "{file}: {lines:#?}");
        let expected = expected_warnings(file);
        assert_eq!(lines.len(), expected.len(), "{file}: {lines:#?}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}");
        }
    }
}

#[test]
fn every_example_names_its_schema_and_says_what_it_shows() {
    for (file, text) in examples() {
        match file.rsplit('.').next() {
            Some("yaml") if !file.starts_with("kubernetes") => {
                assert!(text.starts_with("# yaml-language-server: $schema=../docs/vmcp.schema.json\n# "), "{file}");
            }
            Some("toml") => assert!(text.starts_with("#:schema ../docs/vmcp.schema.json\n# "), "{file}"),
            Some("jsonc") => assert!(text.contains("\"$schema\": \"../docs/vmcp.schema.json\"") && text.contains("// "), "{file}"),
            _ => assert!(text.contains("# ") || text.contains("// "), "{file}"),
        }
    }
    let schema: Value = serde_json::from_str(&fs::read_to_string(folder().join("../docs/vmcp.schema.json")).unwrap()).unwrap();
    assert_eq!(schema["title"], "Configuration of vmcp");
}

/// What a schema may be: references followed, alternatives flattened.
fn alternatives<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(at) = schema["$ref"].as_str() {
        return alternatives(root, root.pointer(&at[1..]).unwrap());
    }
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(branches) if schema.get("type").is_none() => branches.iter().flat_map(|branch| alternatives(root, branch)).collect(),
        _ => vec![schema],
    }
}

/// The place of each key in the schema at which a value has one: `/$defs/Backend/properties/timeout`.
fn keys_of(root: &Value, schema: &Value, value: &Value, found: &mut BTreeSet<*const Value>) {
    let alternatives = alternatives(root, schema);
    match value {
        Value::Object(members) => {
            let kind = |schema: &Value| schema["properties"]["type"].get("const").cloned();
            let maps = alternatives.into_iter().filter(|schema| schema["type"] == "object");
            for map in maps.filter(|map| kind(map).is_none_or(|kind| Some(&kind) == members.get("type"))) {
                for (key, member) in members {
                    if let Some(property) = map["properties"].get(key) {
                        found.insert(property);
                        keys_of(root, property, member, found);
                    } else if let Some(free) = map.get("additionalProperties") {
                        keys_of(root, free, member, found);
                    }
                }
            }
        }
        Value::Array(items) => {
            for schema in alternatives.iter().filter_map(|schema| schema.get("items")) {
                items.iter().for_each(|item| keys_of(root, schema, item, found));
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_stands_in_an_example() {
    let output = vmcp(&["schema"]);
    assert!(output.status.success());
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = BTreeSet::new();
    // The other languages show the same keys, and the files of others are not written along the schema.
    for (file, text) in examples().into_iter().filter(|(file, _)| file.ends_with(".yaml") && !file.starts_with("kubernetes")) {
        let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        keys_of(&schema, &schema, &value, &mut found);
    }
    let definitions = schema["$defs"].as_object().unwrap().iter().map(|(name, definition)| (name.as_str(), definition));
    let mut missing = Vec::new();
    for (name, definition) in definitions.chain([("", &schema)]) {
        for map in alternatives(&schema, definition) {
            for (key, property) in map["properties"].as_object().into_iter().flatten().filter(|(key, _)| *key != "$schema") {
                if !found.contains(&std::ptr::from_ref(property)) {
                    missing.push(format!("{name}.{key}"));
                }
            }
        }
    }
    assert!(found.len() > 80, "{}", found.len());
    assert_eq!(missing, Vec::<String>::new(), "no example has these keys");
}

#[test]
fn the_readme_lists_every_example() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for file in examples().keys() {
        assert!(readme.contains(&format!("[{file}]({file})")), "{file}");
    }
}

#[test]
fn every_set_up_in_the_documentation_of_logins_is_a_valid_configuration() {
    let page = fs::read_to_string(folder().join("../docs/auth.md")).unwrap();
    let set_ups: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(set_ups.iter().filter(|text| text.contains("type: oidc")).count() >= 3, "{}", set_ups.len());
    let file = std::env::temp_dir().join(format!("vmcp-set-up-{}.yaml", std::process::id()));
    for set_up in set_ups.into_iter().filter(|text| text.contains("incomingAuth:")) {
        fs::write(&file, format!("{set_up}backends:\n  - {{ name: tickets, url: https://tickets.example.com/mcp }}\n")).unwrap();
        let (content, lines) = validate(&file.to_string_lossy());
        assert!(content && lines.is_empty(), "{set_up}\n{lines:#?}");
    }
    fs::remove_file(&file).unwrap();
}
