use super::*;
use serde_json::json;

const AB: [&str; 2] = ["a", "b"];

#[test]
fn prefix_puts_the_backends_name_before_every_tool_and_prompt() {
    let lists = [tools(&["x", "y"]), tools(&["x"])];
    let catalogue = rules(json!({}), &AB).merge(&lists, Era::Legacy);
    assert_eq!(routes(&catalogue), [("a_x", 0, "x"), ("a_y", 0, "y"), ("b_x", 1, "x")]);
    assert!(catalogue.tool("x").is_none(), "the bare name is nobody's");
    let prompts = [legacy(ListKind::Prompts, &[prompt("x")]), legacy(ListKind::Prompts, &[prompt("x")])];
    let catalogue = rules(json!({"conflictResolutionConfig": {"prefixFormat": "{workload}."}}), &AB).merge(&prompts, Era::Legacy);
    assert_eq!(catalogue.prompts().map(|(name, _)| name).collect::<Vec<_>>(), ["a.x", "b.x"]);
    assert_eq!(catalogue.prompt("b.x"), Some(&Route { backend: 1, original: "x".into() }));
}

#[test]
fn after_prefixing_the_first_backend_in_configuration_order_wins() {
    let lists = [tools(&["b_x"]), tools(&["x"])];
    let catalogue = rules(json!({}), &["a", "a_b"]).merge(&lists, Era::Legacy);
    assert_eq!(routes(&catalogue), [("a_b_x", 0, "b_x")]);
    assert_eq!(
        collisions(&catalogue),
        ["tool `a_b_x` of backend `a_b` (there `x`) is left out: backend `a` has it too and stands first in the configuration"]
    );
    let literal = rules(json!({"conflictResolutionConfig": {"prefixFormat": "all_"}}), &AB);
    assert_eq!(routes(&literal.merge(&[tools(&["x"]), tools(&["x", "y"])], Era::Legacy)), [("all_x", 0, "x"), ("all_y", 1, "y")]);
}

#[test]
fn priority_gives_the_name_to_the_first_in_the_order_and_prefixes_those_outside() {
    let settings = json!({"conflictResolution": "priority", "conflictResolutionConfig": {"priorityOrder": ["c", "b"]}});
    let lists = [tools(&["x", "own"]), tools(&["x"]), tools(&["x"]), tools(&["y"])];
    let catalogue = rules(settings, &["a", "b", "c", "d"]).merge(&lists, Era::Legacy);
    assert_eq!(routes(&catalogue), [("a_x", 0, "x"), ("own", 0, "own"), ("x", 2, "x"), ("y", 3, "y")]);
    assert_eq!(collisions(&catalogue), ["tool `x` of backend `b` is left out: backend `c` has it too and stands first in priorityOrder"]);
}

#[test]
fn priority_prefixes_all_rivals_when_none_of_them_is_in_the_order() {
    let settings = json!({
        "conflictResolution": "priority",
        "conflictResolutionConfig": {"priorityOrder": ["c"], "prefixFormat": "{workload}-"},
    });
    let lists = [tools(&["x"]), tools(&["x"]), tools(&["a-x"])];
    let catalogue = rules(settings, &["a", "b", "c"]).merge(&lists, Era::Legacy);
    assert_eq!(routes(&catalogue), [("b-x", 1, "x"), ("a-x", 2, "a-x")]);
    assert_eq!(collisions(&catalogue), ["tool `a-x` of backend `a` (there `x`) is left out: with its prefix it has a name of backend `c`"]);
}

#[test]
fn manual_keeps_names_and_an_unsolved_conflict_costs_one_tool_only() {
    let settings = json!({"conflictResolution": "manual", "tools": [{"workload": "b", "overrides": {"y": {"name": "why"}}}]});
    let catalogue = rules(settings, &AB).merge(&[tools(&["x", "y"]), tools(&["x", "y", "z"])], Era::Legacy);
    assert_eq!(routes(&catalogue), [("x", 0, "x"), ("y", 0, "y"), ("why", 1, "y"), ("z", 1, "z")]);
    assert_eq!(
        collisions(&catalogue),
        ["tool `x` of backend `b` is left out: backend `a` has it too and no override gives one of them another name"]
    );
}

#[test]
fn overrides_come_before_conflicts_and_filters_match_originals() {
    let settings = json!({
        "conflictResolution": "manual",
        "tools": [{"workload": "b", "filter": ["x"], "overrides": {"x": {"name": "y"}}}],
    });
    let catalogue = rules(settings, &AB).merge(&[tools(&["x"]), tools(&["x", "y"])], Era::Legacy);
    assert_eq!(routes(&catalogue), [("x", 0, "x"), ("y", 1, "x")]);
    assert!(collisions(&catalogue).is_empty(), "what a filter leaves out is in nobody's way");
}

#[test]
fn within_a_backend_the_first_of_two_stays_and_an_override_keeps_its_name() {
    let settings = json!({"tools": [{"workload": "a", "overrides": {"new": {"name": "old"}}}]});
    let catalogue = rules(settings, &["a"]).merge(&[tools(&["old", "x", "x", "new"])], Era::Legacy);
    assert_eq!(routes(&catalogue), [("a_x", 0, "x"), ("a_old", 0, "new")]);
    assert_eq!(
        collisions(&catalogue),
        [
            "tool `a_x` of backend `a` (there `x`) is left out: the backend has it twice",
            "tool `a_old` of backend `a` (there `old`) is left out: the backend has it twice",
        ]
    );
}

#[test]
fn hidden_tools_are_neither_shown_nor_callable_and_prompts_stay() {
    let mut builder = BackendList::builder(Era::Legacy);
    builder.add_page(ListKind::Tools, &[&tool("x")]).unwrap();
    builder.add_page(ListKind::Prompts, &[&prompt("p")]).unwrap();
    let list = Some(Arc::new(builder.build()));
    for settings in [
        json!({"excludeAllTools": true}),
        json!({"tools": [{"workload": "a", "excludeAll": true}]}),
        json!({"tools": [{"workload": "a", "filter": ["y"]}]}),
        json!({"defaultToolVisibility": "deny"}),
    ] {
        let catalogue = rules(settings.clone(), &["a"]).merge(std::slice::from_ref(&list), Era::Legacy);
        assert_eq!(text(&catalogue, ListKind::Tools), "[]", "{settings}");
        assert!(catalogue.tool("a_x").is_none(), "{settings}");
        assert!(catalogue.prompt("a_p").is_some(), "{settings}");
    }
    let entry = rules(json!({"defaultToolVisibility": "deny", "tools": [{"workload": "a"}]}), &["a"]);
    assert!(entry.merge(&[list], Era::Legacy).tool("a_x").is_some(), "an entry is enough to be shown");
}

#[test]
fn a_backend_without_a_list_takes_nothing_from_the_others() {
    let catalogue = rules(json!({}), &["a", "b", "c"]).merge(&[None, tools(&["x"])], Era::Modern);
    assert_eq!(routes(&catalogue), [("b_x", 1, "x")]);
    assert_eq!(
        (catalogue.count(ListKind::Tools), catalogue.count_of(1, ListKind::Tools), catalogue.count_of(0, ListKind::Tools)),
        (1, 1, 0)
    );
    assert_eq!(text(&catalogue, ListKind::Prompts), "[]");
}

#[test]
fn a_backend_alone_keeps_its_names_and_its_overrides_and_has_no_rivals() {
    let tool_rules = json!([{"workload": "b", "filter": ["x", "y"], "overrides": {"y": {"name": "z"}}}]);
    for strategy in [
        json!({"tools": tool_rules}),
        json!({"tools": tool_rules, "conflictResolution": "manual"}),
        json!({"tools": tool_rules, "conflictResolution": "priority", "conflictResolutionConfig": {"priorityOrder": ["a"]}}),
    ] {
        let all = rules(strategy, &AB);
        let lists = [tools(&["x"]), tools(&["x", "y", "hidden"])];
        let alone = all.alone(1);
        let catalogue = alone.merge(&lists, Era::Legacy);
        assert_eq!(routes(&catalogue), [("x", 1, "x"), ("z", 1, "y")]);
        assert!(catalogue.collisions().is_empty());
        let keys = [&all, &all.alone(0), &alone].map(|rules| rules.merge_key(&lists, Era::Legacy));
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "one cache may hold all of them");
    }
}
