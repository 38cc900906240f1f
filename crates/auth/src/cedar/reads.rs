//! Which of a call's arguments policies look at.

use cedar_policy::Policy;
use serde_json::Value;
use std::collections::BTreeSet;

/// The arguments that what a policy says can depend on.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// As policies know them: `arg_<name>`.
    names: BTreeSet<String>,
    /// Any may count: it takes the context as a whole, or it is not sure what it looks at.
    all: bool,
}

impl Reads {
    /// What a policy looks at.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        // The JSON form of a policy (Cedar's EST) names every attribute that is asked for.
        match policy.to_json() {
            Ok(json) => reads.look(&json),
            Err(_) => reads.all = true,
        }
        reads
    }

    /// Whether any decision depends on any argument.
    pub(super) fn any(&self) -> bool {
        self.all || !self.names.is_empty()
    }

    /// Whether a decision can depend on this one, given as `arg_<name>`.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    /// Whether a policy has this name in it.
    pub(super) fn names(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn note(&mut self, name: &str) {
        if name.starts_with("arg_") {
            self.names.insert(name.to_owned());
        }
    }

    fn look(&mut self, json: &Value) {
        match json {
            Value::Object(members) => members.iter().for_each(|(key, value)| match (key.as_str(), value) {
                // An attribute of the context: only its name counts.
                ("." | "has", Value::Object(access)) => {
                    match access.get("attr") {
                        Some(Value::String(name)) => self.note(name),
                        // `has` with a path.
                        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(|name| self.note(name)),
                        _ => self.all = true,
                    }
                    if let Some(left) = access.get("left").filter(|left| !is_context(left)) {
                        self.look(left);
                    }
                }
                // The context as a whole, to compare it with something.
                ("Var", Value::String(name)) => self.all |= name == "context",
                (_, value) => self.look(value),
            }),
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            _ => {}
        }
    }
}

fn is_context(json: &Value) -> bool {
    json.get("Var").and_then(Value::as_str) == Some("context")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> bool {
        Reads::of(&Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap()).any()
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
        ] {
            assert!(reads(reading), "{reading}");
        }
        for not in [
            "true",
            "principal has claim_org.level && principal.claim_org.level > 2",
            "context.claim_x == 1",
            "context has claim_x && principal.claim_arg == \"arg_x\"",
            "resource.name == \"arg_x\"",
        ] {
            assert!(!reads(not), "{not}");
        }
    }
}
