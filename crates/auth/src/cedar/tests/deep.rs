//! Policies and entities as deep as they may be work on the stack of a thread that serves requests.

use super::*;

/// What the standard library gives a thread.
const STACK: usize = 2 * 1024 * 1024;

fn on_a_workers_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| {
        std::thread::Builder::new().stack_size(STACK).spawn_scoped(threads, work).unwrap().join().unwrap_or_else(|_| panic!("it failed"))
    })
}

#[test]
fn the_deepest_policies_are_built_and_decide_on_the_stack_of_a_worker() {
    let nested = |before: &str, inner: &str, after: &str, times| format!("{}{inner}{}", before.repeat(times), after.repeat(times));
    for condition in [
        nested("", "context.arg_a == 2", " || context.arg_a == 1", 990),
        nested("if context.arg_a == 2 then false else ", "context.arg_a == 1", "", 990),
        // Each is two calls of Cedar's.
        nested("(true != ", "(context.arg_a == 1)", ")", 990),
        nested("{a: ", "context.arg_a == 1", "}.a", 495),
        nested("[", "context.arg_a == 1", "].contains(true)", 495),
    ] {
        let when = |effect: &str| format!("@id(\"{effect}\") {effect}(principal, action, resource) when {{ {condition} }};");
        on_a_workers_stack(|| {
            let ask = |policies: &[&str], n| Asked { arguments: Some(json!({ "a": n })), ..Asked::default() }.of(&build(&config(policies)));
            let listed = |policies: &[&str]| allowed(policies, Asked { arguments: None, ..Asked::default() });
            let (permit, forbid) = (when("permit"), when("forbid"));
            let yes = ask(&[&permit], 1);
            assert_eq!((yes.is_allowed, &yes.errors[..]), (true, &[][..]), "{:.60}", condition);
            assert_eq!(ask(&[ALL, &forbid], 1).reasons, ["forbid"], "{:.60}", condition);
            let other = ask(&[ALL, &forbid, &permit], 3);
            assert_eq!(other.errors, Vec::<String>::new());
            assert!(listed(&[&permit]) && listed(&[ALL, &forbid]), "{:.60}", condition);
        });
    }
    let conditions = "when { context.arg_a == 1 }".repeat(990);
    on_a_workers_stack(|| {
        let asked = Asked { arguments: Some(json!({ "a": 1 })), ..Asked::default() };
        assert!(allowed(&[&format!("permit(principal, action, resource) {conditions};")], asked));
    });
}

#[test]
fn the_deepest_entities_are_read_and_asked_on_the_stack_of_a_worker() {
    let deep = (0..120).fold(json!(1), |inner, _| json!({ "a": inner }));
    let entities = json!([{"uid": {"type": "Client", "id": "ann"}, "attrs": {"box": deep}, "parents": []}]);
    let policy = format!("permit(principal, action, resource) when {{ principal.box{} == 1 }};", ".a".repeat(120));
    on_a_workers_stack(|| {
        let cedar = build(&CedarConfig { entities_json: Some(entities.to_string()), ..config(&[&policy]) });
        assert!(Asked::default().of(&cedar).is_allowed);
    });
}
