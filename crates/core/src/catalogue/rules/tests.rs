use super::*;
use serde_json::{Value, json};

const BACKENDS: [&str; 3] = ["git", "git_hub", "mail"];

fn aggregation(settings: Value) -> Aggregation {
    serde_json::from_value(settings).unwrap()
}

fn rules(settings: Value) -> Rules {
    Rules::compile(&aggregation(settings), &BACKENDS).unwrap()
}

fn problems(settings: Value) -> Vec<String> {
    Rules::compile(&aggregation(settings), &BACKENDS).unwrap_err().iter().map(ToString::to_string).collect()
}

fn warnings(settings: Value) -> Vec<String> {
    rules(settings).warnings().iter().map(ToString::to_string).collect()
}

fn route(backend: usize, original: &str) -> Unlisted {
    Unlisted::Route { backend, original: original.into() }
}

const NOBODY: [bool; 3] = [false; 3];

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let found = problems(json!({
        "conflictResolution": "priority",
        "conflictResolutionConfig": {"prefixFormat": "", "priorityOrder": ["mail", "gti", "mail"]},
        "tools": [
            {"workload": "mial", "filter": []},
            {"workload": "mail", "overrides": {"a": {}, "b": {"name": ""}, "c d": {"annotations": {}}}},
            {"workload": "mail", "overrides": {"x": {"name": "same"}, "y": {"name": "same"}}},
        ],
    }));
    assert_eq!(
        found,
        [
            "aggregation.conflictResolutionConfig.prefixFormat: is empty; leave it out for `{workload}_`, or choose `priority` or `manual` \
             to keep names as they are",
            "aggregation.conflictResolutionConfig.priorityOrder[1]: there is no backend `gti`; did you mean `git`?",
            "aggregation.conflictResolutionConfig.priorityOrder[2]: backend `mail` stands in the order already; name it once",
            "aggregation.tools[0].workload: there is no backend `mial`; did you mean `mail`?",
            "aggregation.tools[0].filter: is empty; leave it out to show every tool, or write `excludeAll: true` to show none",
            "aggregation.tools[1].overrides.a: changes nothing; give it a name, a description or annotations, or remove it",
            "aggregation.tools[1].overrides.b.name: is empty; write the tool's new name, or leave it out",
            "aggregation.tools[1].overrides[\"c d\"]: changes nothing; give it a name, a description or annotations, or remove it",
            "aggregation.tools[2].workload: backend `mail` has an entry already; put both into one",
            "aggregation.tools[2].overrides.y.name: `same` is given to `x` of backend `mail` already; choose another name for one of them",
        ]
    );
}

#[test]
fn priority_needs_an_order_and_a_denied_winner_an_entry() {
    assert_eq!(
        problems(json!({"conflictResolution": "priority"})),
        ["aggregation.conflictResolutionConfig.priorityOrder: `priority` needs at least one backend here, the winner first"]
    );
    let denied = json!({
        "conflictResolution": "priority",
        "conflictResolutionConfig": {"priorityOrder": ["git", "mail"]},
        "defaultToolVisibility": "deny",
        "tools": [{"workload": "git"}],
    });
    assert_eq!(
        problems(denied),
        ["aggregation.conflictResolutionConfig.priorityOrder[1]: with `defaultToolVisibility: deny` backend `mail` needs an entry in \
          `aggregation.tools`, else its tools win names and are hidden"]
    );
}

#[test]
fn one_name_for_two_backends_is_a_problem_only_where_no_prefix_or_priority_solves_it() {
    let two = |mut settings: Value| {
        settings["tools"] = json!([
            {"workload": "git", "overrides": {"find": {"name": "search"}}},
            {"workload": "mail", "overrides": {"look": {"name": "search"}}},
        ]);
        Rules::compile(&aggregation(settings), &BACKENDS).is_ok()
    };
    assert!(two(json!({})));
    assert!(two(json!({"conflictResolution": "priority", "conflictResolutionConfig": {"priorityOrder": ["git"]}})));
    assert!(!two(json!({"conflictResolution": "manual"})));
    assert!(!two(json!({"conflictResolutionConfig": {"prefixFormat": "all_"}})));
}

#[test]
fn settings_that_do_nothing_are_warnings() {
    assert_eq!(
        warnings(json!({
            "conflictResolution": "manual",
            "conflictResolutionConfig": {"prefixFormat": "x_", "priorityOrder": ["git"]},
            "tools": [
                {"workload": "git", "excludeAll": true, "filter": ["a"], "overrides": {"a": {"name": "b"}}},
                {"workload": "mail", "filter": ["a"], "overrides": {"c": {"description": "d"}}},
            ],
        })),
        [
            "aggregation.conflictResolutionConfig.prefixFormat: has no effect under `manual`; remove it",
            "aggregation.conflictResolutionConfig.priorityOrder: has no effect under `manual`; remove it",
            "aggregation.tools[0].filter: has no effect beside `excludeAll: true`; remove it",
            "aggregation.tools[0].overrides: has no effect beside `excludeAll: true`; remove it",
            "aggregation.tools[1].overrides.c: has no effect because the filter leaves the tool out; remove it",
        ]
    );
    assert!(warnings(json!({"conflictResolution": "manual", "conflictResolutionConfig": {"prefixFormat": "{workload}_"}})).is_empty());
    assert_eq!(warnings(json!({"conflictResolutionConfig": {"priorityOrder": ["git"]}})).len(), 1);
}

#[test]
fn under_prefix_the_configuration_alone_routes_by_the_longest_prefix() {
    let rules = rules(json!({}));
    assert_eq!(rules.unlisted_tool("git_push", &NOBODY), route(0, "push"));
    assert_eq!(rules.unlisted_tool("git_hub_push", &NOBODY), route(1, "push"));
    assert_eq!(rules.unlisted_tool("git_hub_push", &[false, true, false]), route(0, "hub_push"), "what a list lacks is not there");
    assert_eq!(rules.unlisted_tool("git_push", &[true, false, false]), Unlisted::Unknown);
    assert_eq!(rules.unlisted_tool("push", &NOBODY), Unlisted::Unknown);
    assert_eq!(rules.unlisted_tool("mail_", &NOBODY), Unlisted::Unknown);
    assert_eq!(rules.unlisted_prompt("git_hub_greet", &NOBODY), route(1, "greet"));
    assert_eq!(rules.unlisted_prompt("mail_", &NOBODY), Unlisted::Unknown);
}

#[test]
fn overrides_and_filters_count_before_anything_is_listed() {
    let rules = rules(json!({"tools": [
        {"workload": "git", "filter": ["find", "push"], "overrides": {"find": {"name": "search"}, "log": {"name": "history"}}},
        {"workload": "mail", "excludeAll": true},
    ]}));
    assert_eq!(rules.unlisted_tool("git_search", &NOBODY), route(0, "find"));
    assert_eq!(rules.unlisted_tool("git_push", &NOBODY), route(0, "push"));
    for hidden in ["git_find", "git_history", "git_log", "mail_send"] {
        assert_eq!(rules.unlisted_tool(hidden, &NOBODY), Unlisted::Unknown, "{hidden}");
    }
    assert_eq!(rules.unlisted_prompt("mail_send", &NOBODY), route(2, "send"), "prompts are not filtered");
}

#[test]
fn hidden_tools_look_unknown_before_anything_is_listed() {
    let all = rules(json!({"excludeAllTools": true}));
    assert_eq!(all.unlisted_tool("git_push", &NOBODY), Unlisted::Unknown);
    let denied = rules(json!({"defaultToolVisibility": "deny", "tools": [{"workload": "mail"}]}));
    assert_eq!(denied.unlisted_tool("git_push", &NOBODY), Unlisted::Unknown);
    assert_eq!(denied.unlisted_tool("mail_send", &NOBODY), route(2, "send"));
}

#[test]
fn a_prefix_without_the_backends_name_leaves_several_owners_to_ask() {
    let rules = rules(json!({"conflictResolutionConfig": {"prefixFormat": "all."}}));
    assert_eq!(rules.unlisted_tool("all.push", &NOBODY), Unlisted::AskFirst(vec![0, 1, 2]));
    assert_eq!(rules.unlisted_tool("all.push", &[true, false, true]), route(1, "push"));
}

#[test]
fn under_priority_and_manual_the_backends_that_can_own_a_name_are_asked() {
    let priority = rules(json!({
        "conflictResolution": "priority",
        "conflictResolutionConfig": {"priorityOrder": ["mail"]},
        "tools": [{"workload": "git", "filter": ["push"]}],
    }));
    assert_eq!(priority.unlisted_tool("push", &NOBODY), Unlisted::AskFirst(vec![2, 0, 1]));
    assert_eq!(priority.unlisted_tool("send", &NOBODY), Unlisted::AskFirst(vec![2, 1]));
    assert_eq!(
        priority.unlisted_tool("git_push", &[false, false, true]),
        Unlisted::AskFirst(vec![0, 1]),
        "a conflict may have prefixed it"
    );
    assert_eq!(priority.unlisted_tool("push", &[true; 3]), Unlisted::Unknown);
    let manual = rules(json!({"conflictResolution": "manual", "tools": [{"workload": "git", "overrides": {"push": {"name": "p"}}}]}));
    assert_eq!(manual.unlisted_tool("push", &NOBODY), Unlisted::AskFirst(vec![1, 2]));
    assert_eq!(manual.unlisted_tool("p", &[false, true, true]), Unlisted::AskFirst(vec![0]));
}

#[test]
fn any_backend_without_a_list_can_own_a_resource() {
    assert_eq!(rules(json!({})).unlisted_resource("x://y", &[true, false]), Unlisted::AskFirst(vec![1, 2]));
    assert_eq!(rules(json!({})).unlisted_resource("x://y", &[true; 3]), Unlisted::Unknown);
}

#[test]
fn a_backend_alone_keeps_its_names_its_filter_and_its_overrides_and_nobody_elses_count() {
    let all = rules(json!({"tools": [
        {"workload": "git", "filter": ["find", "push"], "overrides": {"find": {"name": "search"}}},
        {"workload": "mail", "excludeAll": true},
    ]}));
    let git = all.alone(0);
    assert_eq!(git.unlisted_tool("search", &NOBODY), route(0, "find"), "the configuration alone says whose it is");
    assert_eq!(git.unlisted_tool("push", &NOBODY), route(0, "push"));
    assert_eq!(git.unlisted_prompt("greet", &NOBODY), route(0, "greet"));
    for unknown in ["git_push", "find", "log", "hub_push"] {
        assert_eq!(git.unlisted_tool(unknown, &NOBODY), Unlisted::Unknown, "{unknown}");
    }
    assert_eq!(git.unlisted_tool("push", &[true, false, false]), Unlisted::Unknown, "what its list lacks is not there");
    assert_eq!(git.unlisted_resource("x://y", &NOBODY), Unlisted::AskFirst(vec![0]));
    assert_eq!(all.alone(2).unlisted_tool("send", &NOBODY), Unlisted::Unknown, "hidden is hidden");
}
