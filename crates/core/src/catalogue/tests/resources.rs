use super::*;
use serde_json::json;

fn resource(uri: &str) -> String {
    format!(r#"{{"uri":"{uri}","name":"r"}}"#)
}

fn template(uri: &str) -> String {
    format!(r#"{{"uriTemplate":"{uri}","name":"t"}}"#)
}

fn list(resources: &[&str], templates: &[&str]) -> Option<Arc<BackendList>> {
    let mut builder = BackendList::builder(Era::Legacy);
    let resources: Vec<_> = resources.iter().map(|uri| resource(uri)).collect();
    let templates: Vec<_> = templates.iter().map(|uri| template(uri)).collect();
    builder.add_page(ListKind::Resources, &resources.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    builder.add_page(ListKind::ResourceTemplates, &templates.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    Some(Arc::new(builder.build()))
}

#[test]
fn of_two_resources_with_one_uri_the_first_backend_in_configuration_order_is_shown() {
    let lists = [list(&["memo://1"], &["memo://{id}"]), list(&["memo://1", "memo://2", "memo://2"], &["memo://{id}"])];
    let catalogue = rules(json!({}), &["a", "b"]).merge(&lists, Era::Legacy);
    assert_eq!(text(&catalogue, ListKind::Resources), format!("[{},{}]", resource("memo://1"), resource("memo://2")));
    assert_eq!(text(&catalogue, ListKind::ResourceTemplates), format!("[{}]", template("memo://{id}")));
    assert_eq!(
        (catalogue.resource("memo://1"), catalogue.resource("memo://2"), catalogue.resource("memo://3")),
        (Some(0), Some(1), Some(0))
    );
    assert_eq!(
        collisions(&catalogue),
        [
            "resource `memo://1` of backend `b` is left out: backend `a` has it too and stands first in the configuration",
            "resource `memo://2` of backend `b` is left out: the backend has it twice",
            "resource template `memo://{id}` of backend `b` is left out: backend `a` has it too and stands first in the configuration",
        ]
    );
    assert_eq!((catalogue.count_of(0, ListKind::Resources), catalogue.count_of(1, ListKind::Resources)), (1, 1));
}

#[test]
fn resources_are_routed_exactly_then_by_template_then_by_who_alone_lists_scheme_and_authority() {
    let lists = [list(&["db://main/a", "log://x/1"], &["db://main/{table}"]), list(&["db://main/a/b"], &["db://main/a/{+rest}"]), None];
    let catalogue = rules(json!({}), &["a", "b", "c"]).merge(&lists, Era::Modern);
    for (uri, owner) in [
        ("db://main/a", Some(0)),
        ("db://main/a/b", Some(1)),
        ("db://main/a/c/d", Some(1)),
        ("db://main/z", Some(0)),
        ("db://main/z/z", None),
        ("log://x/2", Some(0)),
        ("log://y/2", None),
        ("nothing", None),
    ] {
        assert_eq!(catalogue.resource(uri), owner, "{uri}");
    }
    assert_eq!(catalogue.resource_template("db://main/a/{+rest}"), Some(1));
    assert_eq!(catalogue.resource_template("db://main/a"), Some(0));
}

#[test]
fn a_template_that_cannot_be_routed_by_is_shown_and_reported() {
    let catalogue = rules(json!({}), &["a"]).merge(&[list(&[], &["db://{a"])], Era::Legacy);
    assert_eq!(catalogue.count(ListKind::ResourceTemplates), 1);
    assert_eq!(
        findings(&catalogue),
        ["backend `a`: resource template `db://{a`: not a URI template that can be routed by: a brace has no partner"]
    );
}
