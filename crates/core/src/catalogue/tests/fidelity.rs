use super::*;
use serde_json::json;

const ODD: &str = r#"{ "title":"\u00c4" , "name" : "x","n":[1e400,12345678901234567890.10],
 "inputSchema":{"type":"object","x":{"a":1,"a":2}},"_meta":{"ui.resourceUri":"ui://x"} ,"annotations" : { "b":1e999 ,"title":"T"}}"#;

fn one(settings: serde_json::Value, item: &str, audience: Era) -> String {
    let catalogue = rules(settings, &["a"]).merge(&[listed(Era::Modern, ListKind::Tools, &[item])], audience);
    text(&catalogue, ListKind::Tools).to_owned()
}

fn manual(change: &serde_json::Value) -> serde_json::Value {
    json!({"conflictResolution": "manual", "tools": [{"workload": "a", "overrides": {"x": change}}]})
}

#[test]
fn an_item_that_keeps_its_name_stays_byte_for_byte() {
    assert_eq!(one(json!({"conflictResolution": "manual"}), ODD, Era::Modern), format!("[{ODD}]"));
    let escaped = r#"{"name":"\u0078","inputSchema":{}}"#;
    assert_eq!(one(json!({"conflictResolution": "manual"}), escaped, Era::Modern), format!("[{escaped}]"));
}

#[test]
fn a_prefix_changes_the_name_and_no_other_byte() {
    assert_eq!(one(json!({}), ODD, Era::Modern), format!("[{}]", ODD.replace(r#""name" : "x""#, r#""name" : "a_x""#)));
    let nested = r#"{"_meta":{"name":"x"},"name":"x"}"#;
    assert_eq!(one(json!({}), nested, Era::Legacy), r#"[{"_meta":{"name":"x"},"name":"a_x"}]"#);
}

#[test]
fn an_override_sets_its_members_and_leaves_the_others() {
    let shown =
        one(manual(&json!({"name": "é\"", "description": "d\n", "annotations": {"readOnlyHint": true, "title": "New"}})), ODD, Era::Modern);
    assert_eq!(
        shown,
        "[{\"title\":\"\\u00c4\",\"name\":\"é\\\"\",\"n\":[1e400,12345678901234567890.10],\
         \"inputSchema\":{\"type\":\"object\",\"x\":{\"a\":1,\"a\":2}},\"_meta\":{\"ui.resourceUri\":\"ui://x\"},\
         \"annotations\":{\"b\":1e999,\"title\":\"New\",\"readOnlyHint\":true},\"description\":\"d\\n\"}]"
    );
}

#[test]
fn an_override_of_annotations_alone_is_enough_and_replaces_what_is_no_object() {
    let change = manual(&json!({"annotations": {"destructiveHint": false}}));
    assert_eq!(
        one(change.clone(), r#"{"name":"x","k":1}"#, Era::Modern),
        r#"[{"name":"x","k":1,"annotations":{"destructiveHint":false}}]"#
    );
    assert_eq!(one(change, r#"{"annotations":null,"name":"x"}"#, Era::Modern), r#"[{"annotations":{"destructiveHint":false},"name":"x"}]"#);
}

#[test]
fn legacy_callers_get_no_output_schema_that_is_not_of_type_object() {
    for schema in [r#"{"type":"array"}"#, "true", "{}", r#"{"type":["object","null"]}"#] {
        let item = format!(r#"{{"name":"x","outputSchema":{schema},"z":1.0}}"#);
        assert_eq!(one(json!({}), &item, Era::Legacy), r#"[{"name":"a_x","z":1.0}]"#, "{schema}");
        assert_eq!(one(json!({}), &item, Era::Modern), format!("[{}]", item.replace("\"x\"", "\"a_x\"")), "{schema}");
    }
    let object = r#"{"name":"a_x","outputSchema":{"type":"object"}}"#;
    assert_eq!(one(json!({}), &object.replace("a_x", "x"), Era::Legacy), format!("[{object}]"));
}

#[test]
fn modern_callers_get_no_execution() {
    let item = r#"{"name":"x","execution":{"taskSupport":"optional"},"z":1}"#;
    assert_eq!(one(json!({}), item, Era::Modern), r#"[{"name":"a_x","z":1}]"#);
    assert_eq!(one(json!({}), item, Era::Legacy), format!("[{}]", item.replace("\"x\"", "\"a_x\"")));
}

#[test]
fn the_hash_of_a_list_is_that_of_its_published_bytes() {
    let prefix = rules(json!({}), &["a"]);
    let (one, two) = (prefix.merge(&[tools(&["x"])], Era::Legacy), prefix.merge(&[tools(&["y"])], Era::Legacy));
    assert_ne!(one.hash(ListKind::Tools), two.hash(ListKind::Tools));
    assert_eq!(one.hash(ListKind::Prompts), two.hash(ListKind::Prompts));
    let excluding = rules(json!({"tools": [{"workload": "a", "filter": ["x"]}]}), &["a"]);
    assert_eq!(excluding.merge(&[tools(&["x", "y"])], Era::Modern).hash(ListKind::Tools), one.hash(ListKind::Tools));
}
