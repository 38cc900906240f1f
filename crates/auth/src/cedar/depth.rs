//! Policies so deep that going through them could overflow a stack. Cedar goes down an expression by calling itself, when it reads one, makes
//! JSON of it and drops it; an overflow would end the process instead of refusing the policy.

use cedar_policy::Policy;
use std::thread::{Builder, scope};

/// The stack on which policies are read: enough for all that a file may have, as it takes no memory that is not used.
const STACK: usize = 256 * 1024 * 1024;
/// How many operators and brackets a policy may have, so that every other stack is enough for it.
pub(super) const MAX: usize = 2000;

/// Runs this where there is room for policies of any depth.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    scope(|threads| Builder::new().name("policies".to_owned()).stack_size(STACK).spawn_scoped(threads, work).ok()?.join().ok())
}

/// Whether a policy is refused for its depth.
pub(super) fn is_too_deep(policy: &Policy) -> bool {
    let (text, mut bytes, mut count) = (policy.to_string(), 0, 0);
    while let Some(byte) = text.as_bytes().get(bytes) {
        bytes += 1;
        match byte {
            b'"' => bytes += length_of_text(&text.as_bytes()[bytes.min(text.len())..]),
            b'|' | b'&' | b'+' | b'-' | b'*' | b'!' | b'(' | b'[' | b'{' | b'.' | b'?' => count += 1,
            b'i' if text[bytes - 1..].starts_with("if ") => count += 1,
            _ => {}
        }
    }
    count > MAX
}

/// How long a text in quotes is, with the second quote.
fn length_of_text(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = bytes.iter().position(|&byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(bytes.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(condition: &str) -> Policy {
        Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap()
    }

    #[test]
    fn what_is_too_deep_is_told_from_what_is_only_long() {
        let names = (0..5000).map(|n| format!("\"a.b-(\\\"{n}\"")).collect::<Vec<_>>().join(", ");
        let chain = vec!["context.arg_a == 1"; 1200].join(" || ");
        with_room(|| {
            assert!(!is_too_deep(&policy(&format!("[{names}].contains(resource.name)"))));
            assert!(is_too_deep(&policy(&chain)));
            assert!(is_too_deep(&policy(&format!("context{} == 1", ".a".repeat(2500)))));
        })
        .unwrap();
    }
}
