use super::*;
use serde_json::{Value, json};

fn one(syntax: Syntax, text: &str) -> Document {
    let mut documents = syntax.parse(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn complaints(syntax: Syntax, text: &str) -> Vec<String> {
    let errors = syntax.parse(text).unwrap_err();
    errors
        .into_iter()
        .map(|error| error.place.map_or_else(|| error.message.clone(), |at| format!("{}:{} {}", at.line, at.column, error.message)))
        .collect()
}

fn at(document: &Document, path: &str) -> (usize, usize) {
    assert!(document.places.has(path), "{path}");
    document.places.nearest(path).map(|place| (place.line, place.column)).unwrap()
}

const EXPECTED: &str =
    r#"{"path": "/mcp", "backends": [{"name": "a", "headers": {"x-ü": "1"}}, {"name": "b", "http2": true, "maxConcurrent": 8}]}"#;

fn expected() -> Value {
    serde_json::from_str(EXPECTED).unwrap()
}

#[test]
fn extensions_decide() {
    for (extension, syntax) in
        [("yaml", Syntax::Yaml), ("YML", Syntax::Yaml), ("toml", Syntax::Toml), ("json", Syntax::Json), ("jsonc", Syntax::Json)]
    {
        assert_eq!(Syntax::of_extension(extension), Some(syntax));
    }
    assert_eq!(Syntax::of_extension("ini"), None);
}

#[test]
fn yaml_keeps_the_place_of_every_key_and_element() {
    let text = "path: /mcp\nbackends:\n  - name: a\n    headers:\n      x-ü: '1'\n  - name: b\n    http2: true\n    maxConcurrent: 8\n";
    let document = one(Syntax::Yaml, text);
    assert_eq!(document.value, expected());
    assert_eq!(at(&document, "path"), (1, 1));
    assert_eq!(at(&document, "backends[0]"), (3, 5));
    assert_eq!(at(&document, r#"backends[0].headers["x-ü"]"#), (5, 7));
    assert_eq!(at(&document, "backends[1].http2"), (7, 5));
}

#[test]
fn toml_keeps_the_place_of_every_key_and_element() {
    let text =
        "path = '/mcp'\n[[backends]]\nname = 'a'\nheaders = { 'x-ü' = '1' }\n[[backends]]\nname = 'b'\nhttp2 = true\nmaxConcurrent = 8\n";
    let document = one(Syntax::Toml, text);
    assert_eq!(document.value, expected());
    assert_eq!(at(&document, "path"), (1, 1));
    assert_eq!(at(&document, "backends[0].name"), (3, 1));
    assert_eq!(at(&document, r#"backends[0].headers["x-ü"]"#), (4, 13));
    assert_eq!(at(&document, "backends[1].maxConcurrent"), (8, 1));
}

#[test]
fn json_keeps_the_place_of_every_key_and_element_beside_comments() {
    let text = "\u{feff}{\n  // endpoint\n  \"path\": \"/mcp\", /* äö */ \"backends\": [\n    {\"name\": \"a\", \"headers\": {\"x-ü\": \"1\"}},\n    \
                {\"name\": \"b\", \"http2\": true, \"maxConcurrent\": 8},\n  ],\n}\n";
    let document = one(Syntax::Json, text);
    assert_eq!(document.value, expected());
    assert_eq!(at(&document, "path"), (3, 3));
    assert_eq!(at(&document, "backends"), (3, 28));
    assert_eq!(at(&document, "backends[1]"), (5, 5));
    assert_eq!(at(&document, r#"backends[0].headers["x-ü"]"#), (4, 31));
}

#[test]
fn yaml_has_documents_anchors_and_merge_keys() {
    let documents = Syntax::Yaml.parse("a: 1\n---\nb: 2\n").unwrap();
    assert_eq!(documents.iter().map(|document| &document.value).collect::<Vec<_>>(), [&json!({"a": 1}), &json!({"b": 2})]);
    let document = one(Syntax::Yaml, "a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n");
    assert_eq!(document.value["b"], json!({"x": 1, "y": 2}));
}

#[test]
fn yaml_reads_only_what_yaml_1_2_reads() {
    let document = one(
        Syntax::Yaml,
        "a: yes\nb: 0755\nc: 1_000\nd: .inf\ne: ~\nf: 1.5\ng: 2025-11-25\nh: ${X}\ni: -3\nj: 18446744073709551615\n8080: k\n",
    );
    assert_eq!(
        document.value,
        json!({"a": "yes", "b": "0755", "c": "1_000", "d": ".inf", "e": null, "f": 1.5, "g": "2025-11-25", "h": "${X}", "i": -3,
               "j": 18446744073709551615_u64, "8080": "k"})
    );
}

#[test]
fn an_empty_file_has_no_value() {
    assert_eq!(one(Syntax::Json, "// nothing\n").value, Value::Null);
    assert_eq!(one(Syntax::Toml, "").value, json!({}));
    assert!(Syntax::Yaml.parse("").unwrap().iter().all(|document| document.value.is_null()));
    assert!(Syntax::Yaml.parse("# nothing\n").unwrap().iter().all(|document| document.value.is_null()));
}

#[test]
fn what_is_not_the_language_is_told_with_its_place_and_without_its_values() {
    for (text, complaint) in [
        ("a: hunter2\na: hunter2\n", "2:1 duplicate mapping key `a` is not allowed here"),
        ("a: [hunter2\n", "1:4 unclosed bracket '['"),
        ("a:\n\t- hunter2\n", "2:2 tabs disallowed within this context (block indentation)"),
        ("a: \"hunter2\nb: 1", "1:4 unclosed quote"),
        ("a: *hunter2", "1:4 reference to unknown value"),
        ("a: &x [*x]", "1:8 Recursive reference not allowed here"),
        ("a: !!int hunter2", "1:10 invalid u64"),
        ("a: b: hunter2", "1:5 mapping values are not allowed in this context"),
    ] {
        assert_eq!(complaints(Syntax::Yaml, text), [complaint], "{text}");
    }
    for (text, complaint) in [
        ("{\"a\": \"hunter2\" \"b\": 1}", "1:16 expected comma"),
        ("{\"a\": 1,\n \"a\": 2}", "2:2 the key `a` is there twice"),
        ("{'a': 'hunter2'}", "1:2 single-quoted strings are not allowed"),
        ("{\"a\": hunter2}", "1:7 unexpected token"),
        ("{\"a\": 1e99}\n{}", "2:1 text cannot contain more than one JSON value"),
    ] {
        assert_eq!(complaints(Syntax::Json, text), [complaint], "{text}");
    }
    assert_eq!(
        complaints(Syntax::Toml, "a = hunter2\nb = \nc = 1\nc = 2\n"),
        [
            "1:5 string values must be quoted, expected literal string",
            "2:5 string values must be quoted, expected literal string",
            "4:1 duplicate key",
        ]
    );
    assert_eq!(complaints(Syntax::Toml, "a = 9223372036854775808\n"), ["1:5 a number out of range"]);
}
