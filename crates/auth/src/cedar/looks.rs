//! Which claims and arguments policies look at.

use super::path::{is_path, path, step};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many bytes of paths are noted of one policy at most: each name of a `has` is noted with all that it is in.
const MOST: usize = 4 * 1024 * 1024;

/// What a policy says can depend on these. They are known by their paths: `arg_count`, `claim_org.level`; what is in an array has the path of
/// the array.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    /// What they are counts, and what is within them.
    values: BTreeSet<String>,
    /// It counts whether they are there.
    asked: BTreeSet<String>,
    /// Any may count: the context is taken as a whole, or it is not sure what is looked at.
    all: bool,
    /// How many bytes of paths a policy has.
    noted: usize,
}

impl Looks {
    /// Whether the value at this path can count.
    pub(super) fn at(&self, path: &str) -> bool {
        let mut above = path.match_indices('.').map(|(at, _)| &path[..at]).chain([path]);
        self.all || self.asked.contains(path) || above.any(|above| self.values.contains(above))
    }

    /// Whether a policy has this path in it.
    pub(super) fn names(&self, path: &str) -> bool {
        self.asked.contains(path) || self.values.contains(path)
    }

    /// Whether any argument counts.
    pub(super) fn at_arguments(&self) -> bool {
        self.all || self.values.iter().chain(&self.asked).any(|path| path.starts_with("arg_"))
    }

    /// Whether a policy names more than is noted.
    pub(super) fn is_beyond_bounds(&self) -> bool {
        self.noted > MOST
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.values.extend(others.values);
        self.asked.extend(others.asked);
        self.all |= others.all;
    }

    /// Looks through a policy in its JSON form (Cedar's EST), which names every attribute that is asked for.
    pub(super) fn look(&mut self, json: &Value) {
        match json {
            Value::Object(members) => members.iter().for_each(|(operator, operands)| match operator.as_str() {
                "." | "has" => self.note(operator == "has", operands),
                "Var" => self.all |= operands == "context",
                // Its names are no operators.
                "Record" => operands.as_object().into_iter().flatten().for_each(|(_, value)| self.look(value)),
                _ => self.look(operands),
            }),
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            _ => {}
        }
    }

    /// `has` may go down a path.
    fn note(&mut self, is_question: bool, operands: &Value) {
        let Some(left) = operands.get("left") else { return self.all = true };
        let names = match operands.get("attr") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return self.all = true,
        };
        let mut at = path(left);
        for name in names {
            at = step(at, name);
            self.noted += at.as_ref().map_or(0, String::len);
            if self.noted > MOST {
                return;
            }
            if is_question { self.asked.extend(at.clone()) } else { self.values.extend(at.clone()) }
        }
        self.look_left(left);
    }

    /// The steps of a path are not looked at for themselves, and what is asked of the context is not the context as a whole.
    fn look_left(&mut self, left: &Value) {
        match (left.get("Var"), left.get(".").and_then(|access| access.get("left"))) {
            (Some(_), _) => {}
            (None, Some(above)) if is_path(left) => self.look_left(above),
            (None, _) => self.look(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    fn looks(condition: &str) -> Looks {
        let policy = Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap();
        let mut looks = Looks::default();
        looks.look(&policy.to_json().unwrap());
        looks
    }

    #[test]
    fn arguments_are_read_where_one_is_asked_for_or_the_context_is_taken_whole() {
        for reading in [
            "context.arg_x == 1",
            "context has arg_x",
            "resource has arg_x.y || true",
            "resource.arg_x like \"a*\"",
            "context[\"arg_x\"] == 1",
            "true || [context.arg_x].contains(1)",
            "{\"a\": context} == {\"a\": {}}",
            "if context.claim_x == 1 then context.arg_y else false",
            "{\"Var\": context has arg_n && context.arg_n == 100}.Var",
            "{\"claim_x\": context.arg_n}.claim_x == 1",
            "(if context.claim_x == 1 then context else {\"arg_x\": 1}).arg_x == 1",
        ] {
            assert!(looks(reading).at_arguments(), "{reading}");
        }
        for not in [
            "true",
            "principal has claim_org.level && principal.claim_org.level > 2",
            "context.claim_x == 1",
            "context has claim_x && principal.claim_arg == \"arg_x\"",
            "resource.name == \"arg_x\"",
        ] {
            assert!(!looks(not).at_arguments(), "{not}");
        }
    }

    #[test]
    fn there_is_an_end_to_how_much_is_noted_of_one_policy() {
        let names = |times| vec!["name"; times].join(".");
        assert!(!looks(&format!("context.claim_x has {}", names(1000))).is_beyond_bounds());
        assert!(looks(&format!("context.claim_x has {}", names(10_000))).is_beyond_bounds());
    }

    #[test]
    fn what_is_within_a_claim_is_looked_at_where_the_claim_is_taken_whole() {
        for (condition, at) in [
            ("principal.claim_org.rate == 1", ["claim_org.rate", "claim_org.rate.a"]),
            ("principal.claim_org == {\"a\": 1}", ["claim_org", "claim_org.rate"]),
            ("principal has claim_org.rate", ["claim_org", "claim_org.rate"]),
            ("context == {\"a\": 1}", ["claim_org", "arg_x"]),
        ] {
            at.iter().for_each(|path| assert!(looks(condition).at(path), "{condition} {path}"));
        }
        for (condition, not) in [
            ("principal.claim_org.rate == 1", ["claim_org", "claim_org.rates"]),
            ("principal has claim_org && principal.claim_org.level > 2", ["claim_org.rate", "claim_orga"]),
        ] {
            not.iter().for_each(|path| assert!(!looks(condition).at(path), "{condition} {path}"));
        }
    }
}
