//! Policies so deep that going through them could overflow a stack. Cedar goes down an expression by calling itself, when it reads one, makes
//! JSON of it and drops it; an overflow would end the process instead of refusing the policy.

use cedar_policy::Policy;
use serde_json::Value;
use std::thread::{Builder, scope};

/// The stack on which policies are read: enough for all that a file may have, as it takes no memory that is not used.
const STACK: usize = 256 * 1024 * 1024;
/// How many levels of JSON a policy may have, about two for each operator within another one, so that every other stack is enough for it.
pub(super) const MAX: usize = 2000;

/// Runs this where there is room for policies of any depth.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    scope(|threads| Builder::new().name("policies".to_owned()).stack_size(STACK).spawn_scoped(threads, work).ok()?.join().ok())
}

/// Whether a policy is refused for its depth. To be asked [with room](with_room).
pub(super) fn is_too_deep(policy: &Policy) -> bool {
    policy.to_json().is_ok_and(|json| levels(&json) > MAX)
}

fn levels(json: &Value) -> usize {
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

    fn policy(condition: &str) -> Policy {
        Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap()
    }

    #[test]
    fn what_is_too_deep_is_told_from_what_is_only_long() {
        let many = (0..3000).map(|n| format!("decimal(\"{n}.0\")")).collect::<Vec<_>>().join(", ");
        let chain = |terms| vec!["context.arg_a == 1"; terms].join(" || ");
        with_room(|| {
            assert!(!is_too_deep(&policy(&format!("[{many}].contains(resource.arg_x)"))));
            assert!(!is_too_deep(&policy(&chain(900))));
            assert!(is_too_deep(&policy(&chain(1200))));
            assert!(is_too_deep(&policy(&format!("context{} == 1", ".a".repeat(2500)))));
            assert!(is_too_deep(&policy(&format!("// 5\" disks\n{}", chain(1200)))));
            assert!(is_too_deep(&policy(&format!("{}true{}", "if\ntrue then true else ".repeat(2500), ""))));
        })
        .unwrap();
    }
}
