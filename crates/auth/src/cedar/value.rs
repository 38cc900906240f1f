//! JSON as Cedar values.

use super::{
    numbers::Numbers,
    path::{join, segment},
};
use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};

/// How deep claims are looked into.
pub(super) const MAX_DEPTH: usize = 10;

/// Claims or arguments, as policies know them.
#[derive(Default)]
pub(super) struct Values {
    pub(super) known: Vec<(String, RestrictedExpression)>,
    /// The paths of what Cedar has no value for: numbers that are neither 64-bit integers nor decimals of four places, and what lies too deep.
    pub(super) unknown: Vec<String>,
}

impl Values {
    /// The claims, each as `claim_<name>`. One that is null is not there.
    pub(super) fn of_claims(claims: &Map<String, Value>, numbers: &Numbers) -> Self {
        let (mut known, mut unknown) = (Vec::with_capacity(claims.len()), Vec::new());
        for (name, value) in claims {
            let full = format!("claim_{name}");
            if let Some(value) = of_claim(&segment(&full), value, numbers, 0, &mut unknown) {
                known.push((full, value));
            }
        }
        Self { known, unknown }
    }

    /// The arguments of a call, each as `arg_<name>`, or as `arg_<name>_present` where it is no text, number or truth value, or is a number
    /// that Cedar has no value for.
    pub(super) fn of_arguments(arguments: &Map<String, Value>, numbers: &Numbers) -> Self {
        let mut known: Vec<(String, RestrictedExpression)> = Vec::with_capacity(arguments.len());
        let mut unknown = Vec::new();
        for (name, value) in arguments {
            let full = format!("arg_{name}");
            match simple(&segment(&full), value, numbers) {
                // What is said of another argument is not for a caller to say.
                Some(_) if is_taken(name, arguments, numbers) => {}
                Some(value) => known.push((full, value)),
                None => {
                    known.push((format!("{full}_present"), RestrictedExpression::new_bool(true)));
                    unknown.extend(value.is_number().then(|| segment(&full).into_owned()));
                }
            }
        }
        // `a: []` and `a_present: {}` may still meet in nothing else than in two times the same word.
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        known.dedup_by(|(one, _), (other, _)| one == other);
        Self { known, unknown }
    }
}

/// `path` is what [`Numbers`] knows it by.
fn of_claim(path: &str, value: &Value, numbers: &Numbers, depth: usize, unknown: &mut Vec<String>) -> Option<RestrictedExpression> {
    let value = match value {
        Value::Null => return None,
        Value::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Value::Number(number) => numbers.of_claim(path, number),
        Value::String(text) => Some(RestrictedExpression::new_string(text.clone())),
        _ if depth >= MAX_DEPTH => None,
        Value::Array(items) => {
            let items = items.iter().filter_map(|item| of_claim(path, item, numbers, depth + 1, unknown));
            Some(RestrictedExpression::new_set(items))
        }
        Value::Object(members) => {
            let inner = |(name, value): (&String, &Value)| {
                let value = of_claim(&join(path, &segment(name)), value, numbers, depth + 1, unknown)?;
                Some((name.clone(), value))
            };
            RestrictedExpression::new_record(members.iter().filter_map(inner)).ok()
        }
    };
    if value.is_none() {
        unknown.push(path.to_owned());
    }
    value
}

/// The value of an argument that policies can compare.
fn simple(path: &str, value: &Value, numbers: &Numbers) -> Option<RestrictedExpression> {
    match value {
        Value::Array(_) | Value::Object(_) | Value::Null => None,
        Value::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Value::Number(number) => numbers.of_argument(path, number),
        Value::String(text) => Some(RestrictedExpression::new_string(text.clone())),
    }
}

/// Whether `arg_<name>` is what another argument is announced by: `a_present` beside an `a` that is no simple value.
fn is_taken(name: &str, arguments: &Map<String, Value>, numbers: &Numbers) -> bool {
    let of = name.strip_suffix("_present").and_then(|of| Some((of, arguments.get(of)?)));
    of.is_some_and(|(of, value)| simple(&segment(&format!("arg_{of}")), value, numbers).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The context that these pairs are.
    fn json_of(pairs: Vec<(String, RestrictedExpression)>) -> Value {
        cedar_policy::Context::from_pairs(pairs).unwrap().to_json_value().unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "values are written where it is called")]
    fn shown(given: Value) -> Value {
        json_of(Values::of_arguments(given.as_object().unwrap(), &Numbers::default()).known)
    }

    #[test]
    fn simple_arguments_have_their_values_and_others_are_announced() {
        let decimal = json!({"__extn": {"fn": "decimal", "arg": "1.25"}});
        assert_eq!(
            shown(
                json!({"t": "x", "n": 7, "f": true, "d": 1.25, "o": {"a": 1}, "l": [1], "z": null, "big": 1e30, "wide": 1234567890123456.5})
            ),
            json!({
                "arg_t": "x", "arg_n": 7, "arg_f": true, "arg_d": decimal,
                "arg_o_present": true, "arg_l_present": true, "arg_z_present": true, "arg_big_present": true, "arg_wide_present": true,
            })
        );
    }

    #[test]
    fn a_caller_cannot_say_that_an_argument_is_not_there() {
        assert_eq!(shown(json!({"o": {}, "o_present": false})), json!({"arg_o_present": true}));
        assert_eq!(shown(json!({"o_present": {}, "o": {}})), json!({"arg_o_present": true, "arg_o_present_present": true}));
        assert_eq!(shown(json!({"x_present": false})), json!({"arg_x_present": false}));
    }

    #[test]
    fn what_lies_too_deep_in_a_claim_is_left_out() {
        let nested = |depth| (0..depth).fold(json!("deep"), |value, _| json!([value]));
        let values = |depth| Values::of_claims(&Map::from_iter([("a".to_owned(), nested(depth))]), &Numbers::default());
        let (most, more) = (values(10), values(11));
        assert!(json_of(most.known).to_string().contains("deep") && most.unknown.is_empty());
        assert!(!json_of(more.known).to_string().contains("deep"));
        assert_eq!(more.unknown, ["claim_a"]);
    }

    #[test]
    fn claims_without_a_value_are_named_and_null_is_no_claim() {
        let claims = json!({"a": 1e30, "o": {"rate": 0.000_01, "level": 1}, "l": [1, 1e30], "n": null});
        let values = Values::of_claims(claims.as_object().unwrap(), &Numbers::default());
        assert_eq!(values.unknown, ["claim_a", "claim_o.rate", "claim_l"]);
        assert_eq!(json_of(values.known), json!({"claim_l": [1], "claim_o": {"level": 1}}));
    }
}
