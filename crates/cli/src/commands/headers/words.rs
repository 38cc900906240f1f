//! Words for what the policy knows.

use crate::table::count;
use vmcp_core::header::{ClosedGroup, HeaderOrigin, HeaderPolicy, Refusal, Side};

/// Who makes an outgoing header, as `--json` spells it.
pub(super) fn origin(origin: HeaderOrigin) -> &'static str {
    match origin {
        HeaderOrigin::Global => "global",
        HeaderOrigin::Backend => "backend",
        HeaderOrigin::Static => "static",
        HeaderOrigin::Strategy => "strategy",
    }
}

/// Where the configuration says so.
pub(super) fn place(origin: HeaderOrigin) -> &'static str {
    match origin {
        HeaderOrigin::Global => "global passthroughHeaders",
        HeaderOrigin::Backend => "own passthroughHeaders",
        HeaderOrigin::Static => "own headers",
        HeaderOrigin::Strategy => "outgoingAuth",
    }
}

/// A closed group, as `--json` spells it.
pub(super) fn group(group: ClosedGroup) -> &'static str {
    match group {
        ClosedGroup::Framing => "framing",
        ClosedGroup::Address => "address",
        ClosedGroup::Own => "own",
        ClosedGroup::Impersonation => "impersonation",
        ClosedGroup::Credential => "credential",
    }
}

/// The key that opens a closed group for a caller's header, if one does.
pub(super) fn opened_by(group: ClosedGroup) -> Option<&'static str> {
    match group {
        ClosedGroup::Framing | ClosedGroup::Address | ClosedGroup::Own => None,
        ClosedGroup::Impersonation => Some("impersonation"),
        ClosedGroup::Credential => Some("allowCredentialHeaderPassthrough"),
    }
}

/// Why a caller's header of that group does not travel: what a refusal says, less what to do about an entry that nobody has written.
pub(super) fn reason(group: ClosedGroup) -> String {
    without_advice(&refusal(group))
}

/// The same, with what to do where something can be done.
pub(super) fn advice(group: ClosedGroup) -> String {
    if opened_by(group).is_some() { refusal(group) } else { reason(group) }
}

/// Why a caller's header does not travel that incoming authentication reads.
pub(super) fn consumed() -> String {
    without_advice(&Refusal::Consumed.to_string())
}

fn without_advice(refusal: &str) -> String {
    refusal.split(';').next().unwrap_or_default().to_owned()
}

/// The names of the headers that incoming authentication reads.
pub(super) fn consumed_names(policy: &HeaderPolicy) -> Vec<&str> {
    policy.consumed().iter().map(http::HeaderName::as_str).collect()
}

/// The names of a group, less those that incoming authentication reads: these are opened by nothing.
pub(super) fn patterns(group: ClosedGroup, policy: &HeaderPolicy) -> Vec<&'static str> {
    let read = consumed_names(policy);
    group.patterns().iter().copied().filter(|pattern| !read.contains(pattern)).collect()
}

fn refusal(group: ClosedGroup) -> String {
    Refusal::Closed { group, side: Side::Inbound }.to_string()
}

/// `value of 1 byte`, `2 values of 3 and 4 bytes`, and for more of them `70 values of 1 to 12 bytes`.
pub(super) fn size(lengths: &[usize]) -> String {
    let shortest = lengths.iter().min().copied().unwrap_or_default();
    let longest = lengths.iter().max().copied().unwrap_or_default();
    match lengths {
        [one] => format!("value of {}", count(*one, "byte")),
        [one, other] if one != other => format!("2 values of {one} and {other} bytes"),
        many if shortest == longest => format!("{} values of {} each", many.len(), count(longest, "byte")),
        many => format!("{} values of {shortest} to {longest} bytes", many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stand_for_values() {
        assert_eq!(size(&[0]), "value of 0 bytes");
        assert_eq!(size(&[1]), "value of 1 byte");
        assert_eq!(size(&[3, 12]), "2 values of 3 and 12 bytes");
        assert_eq!(size(&[3, 3]), "2 values of 3 bytes each");
        assert_eq!(size(&[5, 1, 9]), "3 values of 1 to 9 bytes");
        assert_eq!(size(&[1; 70]), "70 values of 1 byte each");
    }

    #[test]
    fn a_group_that_nothing_opens_comes_without_advice() {
        for group in ClosedGroup::ALL {
            let (reason, advice) = (reason(group), advice(group));
            assert!(advice.starts_with(&reason) && !reason.contains(';'), "{reason}");
            match opened_by(group) {
                Some(key) => assert!(advice.contains(&format!("`{key}: true`")), "{advice}"),
                None => assert_eq!(advice, reason),
            }
        }
    }
}
