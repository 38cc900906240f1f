//! Policies so deep that going through them could overflow a stack. Cedar goes down an expression by calling itself, when it reads one, makes
//! JSON of it, evaluates it and drops it. Where that needs more than there is, an evaluation fails, and everything else ends the process.

use serde_json::Value;
use std::thread::{Builder, scope};

/// The stack on which policies are read: enough for all that [`nesting`](super::nesting) lets pass, and it takes no memory that is not used.
const STACK: usize = 256 * 1024 * 1024;
/// How many operators a policy may have within one another, the conditions that are one behind the other among them.
pub(super) const MAX: usize = 1000;

/// What evaluating takes of the stack for each operator, measured and half as much again: 4 KiB and 41 KiB for each call within another one, of
/// which some operators are two (`a != b` is `!(a == b)`).
const OPERATOR: usize = if cfg!(debug_assertions) { 120 * 1024 } else { 12 * 1024 };
/// What it takes besides: Cedar gives up where there are not 100 KiB left.
const BESIDE: usize = 160 * 1024;

/// Runs this where there is room for policies of any depth that are read.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    scope(|threads| Builder::new().name("policies".to_owned()).stack_size(STACK).spawn_scoped(threads, work).ok()?.join().ok())
}

/// Runs this where there is room to evaluate so many operators within one another: on the stack as it is, but for policies that are so deep
/// that they need one of their own.
pub(super) fn evaluating<T>(operators: usize, work: impl FnOnce() -> T) -> T {
    let needed = operators * OPERATOR + BESIDE;
    stacker::maybe_grow(needed, needed + BESIDE, work)
}

/// How many operators a policy has within one another, by its JSON form (Cedar's EST). To be asked [with room](with_room).
pub(super) fn operators(policy: &Value) -> usize {
    // Each is an object in an object, and the conditions are joined by `&&`.
    let conditions = policy.get("conditions").and_then(Value::as_array).map_or(0, Vec::len);
    levels(policy) / 2 + conditions
}

/// How many arrays and objects lie within one another.
pub(super) fn levels(json: &Value) -> usize {
    let below = match json {
        Value::Array(items) => items.iter().map(levels).max(),
        Value::Object(members) => members.values().map(levels).max(),
        _ => return 0,
    };
    1 + below.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    fn is_too_deep(conditions: &str) -> bool {
        let policy = Policy::parse(None, format!("permit(principal, action, resource) {conditions};")).unwrap();
        operators(&policy.to_json().unwrap()) > MAX
    }

    #[test]
    fn what_is_too_deep_is_told_from_what_is_only_long() {
        let many = (0..3000).map(|n| format!("decimal(\"{n}.0\")")).collect::<Vec<_>>().join(", ");
        let chain = |terms| vec!["context.arg_a == 1"; terms].join(" || ");
        let when = |condition: &str| format!("when {{ {condition} }}");
        with_room(|| {
            assert!(!is_too_deep(&when(&format!("[{many}].contains(resource.arg_x)"))));
            assert!(!is_too_deep(&when(&chain(900))));
            assert!(is_too_deep(&when(&chain(1200))));
            assert!(is_too_deep(&when(&format!("context{} == 1", ".a".repeat(1200)))));
            assert!(is_too_deep(&format!("// 5\" disks\n{}", when(&chain(1200)))));
            assert!(is_too_deep(&when(&format!("{}true", "if\ntrue then true else ".repeat(1200)))));
            assert!(!is_too_deep(&when("context.arg_a == 1").repeat(900)));
            assert!(is_too_deep(&when("context.arg_a == 1").repeat(1200)));
        })
        .unwrap();
    }
}
