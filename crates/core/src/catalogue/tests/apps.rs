use super::*;
use serde_json::json;

fn app(name: &str, meta: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}},"_meta":{meta}}}"#)
}

fn list(tools: &[String], pages: &[&str], templates: &[&str]) -> Option<Arc<BackendList>> {
    let mut builder = BackendList::builder(Era::Modern);
    let pages: Vec<_> = pages.iter().map(|uri| format!(r#"{{ "uri" : "{uri}","name":"p","x":1.0}}"#)).collect();
    let templates: Vec<_> = templates.iter().map(|uri| format!(r#"{{"uriTemplate":"{uri}","name":"t"}}"#)).collect();
    for (kind, items) in [(ListKind::Tools, tools), (ListKind::Resources, &pages), (ListKind::ResourceTemplates, &templates)] {
        builder.add_page(kind, &items.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    }
    Some(Arc::new(builder.build()))
}

fn shows(uri: &str) -> String {
    app("show", &format!(r#"{{"ui":{{"resourceUri":"{uri}","visibility":["model"]}}}}"#))
}

/// The page of each tool, and whose page that is, as its backend calls it.
fn pages(catalogue: &Catalogue) -> Vec<(String, Option<usize>, String)> {
    let tools: Vec<Value> = serde_json::from_str(text(catalogue, ListKind::Tools)).unwrap();
    let pages = tools.iter().map(|tool| tool["_meta"]["ui"]["resourceUri"].as_str().unwrap().to_owned());
    let original = |uri: &str| catalogue.original_uri(uri).map_or_else(|| uri.to_owned(), ToString::to_string);
    pages.map(|uri| (uri.clone(), catalogue.resource(&uri), original(&uri))).collect()
}

fn page(shown: &str, backend: usize, original: &str) -> (String, Option<usize>, String) {
    (shown.to_owned(), Some(backend), original.to_owned())
}

#[test]
fn a_page_that_only_its_own_backend_has_keeps_its_uri_under_any_name_of_its_tool() {
    let catalogue = rules(json!({}), &["a"]).merge(&[list(&[shows("ui://show")], &["ui://show"], &[])], Era::Modern);
    assert_eq!(pages(&catalogue), [page("ui://show", 0, "ui://show")]);
    let tool = shows("ui://show").replacen(r#""name":"show""#, r#""name":"a_show""#, 1);
    assert_eq!(text(&catalogue, ListKind::Tools), format!("[{tool}]"));
}

#[test]
fn two_pages_with_one_uri_are_two_pages_and_each_tool_opens_its_own_backends() {
    let backend = || list(&[shows("ui://show")], &["ui://show"], &[]);
    for audience in [Era::Legacy, Era::Modern] {
        let catalogue = rules(json!({}), &["a", "b"]).merge(&[backend(), backend()], audience);
        assert_eq!(pages(&catalogue), [page("ui://show", 0, "ui://show"), page("ui://b/show", 1, "ui://show")]);
        let listed = r#"[{ "uri" : "ui://show","name":"p","x":1.0},{ "uri" : "ui://b/show","name":"p","x":1.0}]"#;
        assert_eq!(text(&catalogue, ListKind::Resources), listed);
        assert_eq!(collisions(&catalogue), [""; 0]);
    }
}

#[test]
fn pages_need_not_be_listed() {
    let lists =
        [list(&[shows("ui://show")], &[], &[]), list(&[shows("ui://show")], &[], &[]), list(&[shows("ui://else")], &["ui://x"], &[])];
    let catalogue = rules(json!({}), &["a", "b", "c"]).merge(&lists, Era::Modern);
    let expected = [page("ui://show", 0, "ui://show"), page("ui://b/show", 1, "ui://show"), page("ui://else", 2, "ui://else")];
    assert_eq!(pages(&catalogue), expected);
}

#[test]
fn a_page_behind_a_template_is_that_of_the_tools_own_backend() {
    let lists = [list(&[shows("ui://w/1")], &[], &["ui://w/{id}"]), list(&[shows("ui://w/1")], &[], &["ui://w/{id}"])];
    let catalogue = rules(json!({}), &["a", "b"]).merge(&lists, Era::Modern);
    assert_eq!(pages(&catalogue), [page("ui://w/1", 0, "ui://w/1"), page("ui://b/w/1", 1, "ui://w/1")]);
}

#[test]
fn a_uri_that_looks_like_anothers_own_stays_with_who_has_it() {
    let lists = [list(&[], &["ui://show", "ui://b/show"], &[]), list(&[shows("ui://show")], &["ui://show"], &[])];
    let catalogue = rules(json!({}), &["a", "b"]).merge(&lists, Era::Modern);
    assert_eq!((catalogue.resource("ui://b/show"), catalogue.original_uri("ui://b/show")), (Some(0), None));
    assert_eq!(collisions(&catalogue).len(), 1, "it is reported");
}

#[test]
fn only_the_uri_of_the_page_changes_and_in_both_forms() {
    let tool = app("t", r#"{"n":1e400,"ui/resourceUri":"ui://show","ui":{"resourceUri" : "ui://show","csp":{"x":[1.0]}}}"#);
    let other = app("u", r#"{"ui":{"resourceUri":"https://x"}}"#);
    let lists = [list(&[], &["ui://show", "https://x"], &[]), list(&[tool, other.clone()], &["ui://show"], &[])];
    let catalogue = rules(json!({"conflictResolution": "manual"}), &["a", "b"]).merge(&lists, Era::Modern);
    let expected = app("t", r#"{"n":1e400,"ui/resourceUri":"ui://b/show","ui":{"resourceUri":"ui://b/show","csp":{"x":[1.0]}}}"#);
    assert_eq!(text(&catalogue, ListKind::Tools), format!("[{expected},{other}]"));
}
