use super::*;
use serde_json::json;

const ANNOTATED: &str = r#"{"name":"x","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#;
const INVALID: &str = r#"{"name":"x","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"}}}}"#;

fn composed(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object","anyOf":[]}}}}"#)
}

#[test]
fn the_lint_warns_and_shows() {
    let catalogue = rules(json!({}), &["a"]).merge(&[legacy(ListKind::Tools, &[composed("x")])], Era::Legacy);
    assert_eq!(findings(&catalogue), ["backend `a`: tool `a_x`: inputSchema has `anyOf` at its top, which many models' APIs refuse"]);
    assert!(catalogue.tool("a_x").is_some());
}

#[test]
fn names_are_measured_as_they_are_published() {
    let name = "n".repeat(49);
    let catalogue = rules(json!({}), &["a"]).merge(&[tools(&[&name])], Era::Legacy);
    assert!(matches!(catalogue.findings()[0].concern, Concern::NameLong(51)));
    let manual = rules(json!({"conflictResolution": "manual"}), &["a"]);
    assert!(findings(&manual.merge(&[tools(&[&name])], Era::Legacy)).is_empty());
}

#[test]
fn quarantine_leaves_the_tool_out_and_gives_its_name_to_nobody() {
    let settings = json!({
        "lint": "quarantine",
        "conflictResolution": "priority",
        "conflictResolutionConfig": {"priorityOrder": ["a", "b"]},
    });
    let lists = [legacy(ListKind::Tools, &[composed("x"), tool("y")]), tools(&["x"])];
    let catalogue = rules(settings, &["a", "b"]).merge(&lists, Era::Legacy);
    assert_eq!(routes(&catalogue), [("y", 0, "y")]);
    assert_eq!(
        findings(&catalogue),
        ["backend `a`: tool `x`: inputSchema has `anyOf` at its top, which many models' APIs refuse; it is left out"]
    );
}

#[test]
fn over_a_hundred_tools_in_all_are_reported_and_never_quarantined() {
    let names: Vec<_> = (0..101).map(|i| format!("t{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let quarantine = rules(json!({"lint": "quarantine"}), &["a", "b"]);
    let many = quarantine.merge(&[tools(&names[..50]), tools(&names[50..])], Era::Legacy);
    assert_eq!(
        findings(&many),
        ["tools/list: 101 tools in all: over 100 many models choose badly and some clients cut the list; use filters"]
    );
    assert_eq!(many.count(ListKind::Tools), 101);
    assert!(findings(&quarantine.merge(&[tools(&names[..50]), tools(&names[51..])], Era::Legacy)).is_empty());
}

#[test]
fn header_annotations_are_at_hand_for_each_call() {
    for era in [Era::Legacy, Era::Modern] {
        let catalogue = rules(json!({}), &["a"]).merge(&[listed(era, ListKind::Tools, &[ANNOTATED])], Era::Modern);
        let route = catalogue.tool("a_x").unwrap();
        let [param] = route.param_headers.as_ref() else { panic!("{route:?}") };
        assert_eq!((param.pointer().as_str(), param.header().as_str(), param.kind()), ("/region", "mcp-param-region", ParamKind::String));
    }
    assert!(rules(json!({}), &["a"]).merge(&[tools(&["x"])], Era::Modern).tool("a_x").unwrap().param_headers.is_empty());
}

#[test]
fn a_tool_with_an_invalid_header_annotation_is_left_out_when_its_backend_is_modern() {
    let one = rules(json!({}), &["a"]);
    let modern = one.merge(&[listed(Era::Modern, ListKind::Tools, &[INVALID])], Era::Legacy);
    assert!(modern.tool("a_x").is_none());
    assert_eq!(text(&modern, ListKind::Tools), "[]");
    assert_eq!(
        findings(&modern),
        ["backend `a`: tool `a_x`: x-mcp-header stands at a property whose type is not string, integer or boolean; it is left out"]
    );
    let legacy = one.merge(&[listed(Era::Legacy, ListKind::Tools, &[INVALID])], Era::Modern);
    assert!(legacy.tool("a_x").unwrap().param_headers.is_empty());
    assert_eq!(legacy.findings().len(), 1);
    assert!(!legacy.findings()[0].left_out);
}
