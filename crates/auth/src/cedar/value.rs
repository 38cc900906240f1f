//! JSON as Cedar values.

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Number, Value};

/// How deep claims are looked into; what lies deeper is left out.
const MAX_DEPTH: usize = 10;
/// How many digits a decimal may have in front of its point: those that Cedar takes whatever they are.
const MAX_DIGITS: usize = 14;

/// A claim's value. `None` for what Cedar has no value for: null, and numbers that are neither 64-bit integers nor decimals of four places.
pub(super) fn of_claim(value: &Value) -> Option<RestrictedExpression> {
    at_depth(value, 0)
}

fn at_depth(value: &Value, depth: usize) -> Option<RestrictedExpression> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Value::Number(number) => of_number(number),
        Value::String(text) => Some(RestrictedExpression::new_string(text.clone())),
        _ if depth >= MAX_DEPTH => None,
        Value::Array(items) => Some(RestrictedExpression::new_set(items.iter().filter_map(|item| at_depth(item, depth + 1)))),
        Value::Object(members) => {
            let members = members.iter().filter_map(|(name, value)| Some((name.clone(), at_depth(value, depth + 1)?)));
            RestrictedExpression::new_record(members).ok()
        }
    }
}

/// An integer, or a decimal where that says exactly the same number.
fn of_number(number: &Number) -> Option<RestrictedExpression> {
    if let Some(integer) = number.as_i64() {
        return Some(RestrictedExpression::new_long(integer));
    }
    let text = number.to_string();
    let (whole, places) = text.split_once('.')?;
    let digits = whole.trim_start_matches('-').len();
    let is_decimal = digits <= MAX_DIGITS && places.len() <= 4 && places.bytes().all(|digit| digit.is_ascii_digit());
    is_decimal.then(|| RestrictedExpression::new_decimal(text))
}

/// The claims under the names that policies know them by. The value is `None` for a claim that Cedar has no value for.
pub(super) fn claims(claims: &Map<String, Value>) -> impl Iterator<Item = (String, RestrictedExpression)> {
    claims.iter().filter_map(|(name, value)| Some((format!("claim_{name}"), of_claim(value)?)))
}

/// The arguments under the names that policies know them by: `arg_<name>`, or `arg_<name>_present` for what is no text, number or truth
/// value. A number that Cedar has no value for counts as present.
pub(super) fn arguments(arguments: &Map<String, Value>) -> Vec<(String, RestrictedExpression)> {
    let mut out: Vec<(String, RestrictedExpression)> = Vec::with_capacity(arguments.len());
    for (name, value) in arguments {
        let simple = match value {
            Value::Array(_) | Value::Object(_) | Value::Null => None,
            simple => of_claim(simple),
        };
        match simple {
            // What is said of another argument is not for a caller to say.
            Some(_) if is_taken(name, arguments) => {}
            Some(value) => out.push((format!("arg_{name}"), value)),
            None => out.push((format!("arg_{name}_present"), RestrictedExpression::new_bool(true))),
        }
    }
    // `a: []` and `a_present: {}` may still meet in nothing else than in two times the same word.
    out.sort_by(|(one, _), (other, _)| one.cmp(other));
    out.dedup_by(|(one, _), (other, _)| one == other);
    out
}

/// Whether `arg_<name>` is what another argument is announced by: `a_present` beside an `a` that is no simple value.
fn is_taken(name: &str, arguments: &Map<String, Value>) -> bool {
    let of = name.strip_suffix("_present").and_then(|of| arguments.get(of));
    of.is_some_and(|value| match value {
        Value::Array(_) | Value::Object(_) | Value::Null => true,
        simple => of_claim(simple).is_none(),
    })
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
        json_of(arguments(given.as_object().unwrap()))
    }

    #[test]
    fn simple_arguments_have_their_values_and_others_are_announced() {
        let decimal = json!({"__extn": {"fn": "decimal", "arg": "1.25"}});
        assert_eq!(
            shown(
                json!({"t": "x", "n": 7, "f": true, "d": 1.25, "o": {"a": 1}, "l": [1], "z": null, "big": 1e30, "wide": 123456789012345.5})
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
        let text = |depth| json_of(vec![("a".to_owned(), of_claim(&nested(depth)).unwrap())]).to_string();
        assert!(text(10).contains("deep"));
        assert!(!text(11).contains("deep"));
    }
}
