//! Whether a policy looks at a call's arguments.

use cedar_policy::Policy;
use serde_json::Value;

/// Whether any decision of this policy can depend on arguments. Where that is not sure, it is said that it can.
pub(super) fn arguments(policy: &Policy) -> bool {
    // The JSON form of a policy (Cedar's EST) names every attribute that is asked for.
    policy.to_json().map_or(true, |json| looks(&json))
}

fn looks(json: &Value) -> bool {
    match json {
        Value::Object(members) => members.iter().any(|(key, value)| match (key.as_str(), value) {
            // An attribute of the context: only its name counts.
            ("." | "has", Value::Object(access)) => {
                let attribute = access.get("attr").and_then(Value::as_str);
                let of_context = access.get("left").is_some_and(is_context);
                attribute.is_none_or(|name| name.starts_with("arg_")) || (!of_context && access.get("left").is_some_and(looks))
            }
            // The context as a whole, to compare it with something.
            ("Var", Value::String(name)) => name == "context",
            (_, value) => looks(value),
        }),
        Value::Array(items) => items.iter().any(looks),
        _ => false,
    }
}

fn is_context(json: &Value) -> bool {
    json.get("Var").and_then(Value::as_str) == Some("context")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> bool {
        arguments(&Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap())
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
        for not in ["true", "context.claim_x == 1", "context has claim_x && principal.claim_arg == \"arg_x\"", "resource.name == \"arg_x\""]
        {
            assert!(!reads(not), "{not}");
        }
    }
}
