//! What numbers are in policies: whole (`long`) or with places (`decimal`), which Cedar never holds for equal. JSON does not tell `100` from
//! `100.0`, nor do the servers that read it, so how a caller writes a number must not decide: what the policies compare it with does.

use cedar_policy::{PolicyId, PolicySet, RestrictedExpression};
use serde_json::{Number, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The largest whole number that a decimal of Cedar's can be; it holds 64 bits with four of its digits behind the point.
const MAX_DECIMAL: u64 = i64::MAX.unsigned_abs() / 10_000 - 1;
/// How many digits a decimal may have behind its point.
const MAX_PLACES: usize = 4;

/// How the policies use claims and arguments that are numbers. They are known by their paths: `arg_count`, `claim_org.level`; what is in an
/// array has the path of the array.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    decimals: BTreeSet<String>,
}

/// What a part of a policy says of the number that it stands for.
enum Part {
    Whole,
    Decimal,
    Path(String),
    /// The members of a record.
    Record(Vec<(String, Vec<Part>)>),
}

/// What is compared with what, and the first policy that does.
#[derive(Default)]
struct Uses {
    whole: BTreeMap<String, PolicyId>,
    decimal: BTreeMap<String, PolicyId>,
    same: Vec<(String, String)>,
}

impl Numbers {
    /// What these policies make of numbers. `Err`: what is compared both with whole numbers and with decimals, so that one of the two could
    /// never be met: a policy, and what is wrong with it.
    pub(super) fn of(policies: &PolicySet) -> Result<Self, Vec<(PolicyId, String)>> {
        let mut all: Vec<_> = policies.policies().collect();
        all.sort_by(|one, other| one.id().cmp(other.id()));
        let mut uses = Uses::default();
        for policy in all {
            match policy.to_json() {
                Ok(json) => uses.look(&json, policy.id()),
                Err(_) => {
                    return Err(vec![(
                        policy.id().clone(),
                        "has no JSON form, so that it cannot be looked through; write it otherwise".to_owned(),
                    )]);
                }
            }
        }
        uses.settle();
        let Uses { whole, decimal, .. } = uses;
        let both = decimal.iter().filter_map(|(path, by)| Some((path, by, whole.get(path)?)));
        let wrong: Vec<_> = both
            .map(|(path, by, other)| {
                let by_whom = if by == other { "itself".to_owned() } else { format!("policy `{other}`") };
                let message = format!(
                    "compares `{path}` with decimals, and {by_whom} with whole numbers, which no decimal is equal to; write decimals in all places: 100 is decimal(\"100.0\")"
                );
                (by.clone(), message)
            })
            .collect();
        if wrong.is_empty() { Ok(Self { decimals: decimal.into_keys().collect() }) } else { Err(wrong) }
    }

    /// A number of a claim, which an issuer vouches for: every whole number of 64 bits is itself.
    pub(super) fn of_claim(&self, path: &str, number: &Number) -> Option<RestrictedExpression> {
        self.value(path, number.as_i64().or_else(|| whole(number)), number)
    }

    /// A number of an argument. `None` as well for what servers read as different numbers: those that a double cannot hold (RFC 8259 §6).
    pub(super) fn of_argument(&self, path: &str, number: &Number) -> Option<RestrictedExpression> {
        let whole = whole(number);
        let is_the_same_to_all = number.as_i64() == whole || number.is_f64();
        is_the_same_to_all.then(|| self.value(path, whole, number))?
    }

    fn value(&self, path: &str, whole: Option<i64>, number: &Number) -> Option<RestrictedExpression> {
        match whole {
            Some(whole) if !self.decimals.contains(path) => Some(RestrictedExpression::new_long(whole)),
            Some(whole) => (whole.unsigned_abs() <= MAX_DECIMAL).then(|| RestrictedExpression::new_decimal(format!("{whole}.0"))),
            None => {
                let text = number.as_f64()?.to_string();
                let (before, places) = text.split_once('.')?;
                let before: i64 = before.parse().ok()?;
                let fits = before.unsigned_abs() <= MAX_DECIMAL && places.len() <= MAX_PLACES;
                fits.then(|| RestrictedExpression::new_decimal(text))
            }
        }
    }
}

/// The whole number that this is as a double, however it is written: `100`, `100.0` and `1e2` are one.
#[expect(clippy::cast_possible_truncation, reason = "it is within the bounds, and has no places")]
fn whole(number: &Number) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let double = number.as_f64()?;
    (double.fract() == 0.0 && (-BOUND..BOUND).contains(&double)).then_some(double as i64)
}

impl Uses {
    /// Looks through a policy in its JSON form (Cedar's EST).
    fn look(&mut self, json: &Value, by: &PolicyId) {
        match json {
            Value::Object(members) => {
                for (operator, operands) in members {
                    self.note(operator, operands, by);
                    self.look(operands, by);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item, by)),
            _ => {}
        }
    }

    fn note(&mut self, operator: &str, operands: &Value, by: &PolicyId) {
        let side = |name: &str| operands.get(name).map(parts).unwrap_or_default();
        match operator {
            "==" | "!=" | "contains" | "containsAll" | "containsAny" => self.relate(&side("left"), &side("right"), by),
            "<" | "<=" | ">" | ">=" | "+" | "-" | "*" => {
                self.relate(&side("left"), &[Part::Whole], by);
                self.relate(&side("right"), &[Part::Whole], by);
            }
            "neg" => self.relate(&side("arg"), &[Part::Whole], by),
            "lessThan" | "lessThanOrEqual" | "greaterThan" | "greaterThanOrEqual" => {
                for operand in operands.as_array().into_iter().flatten() {
                    self.relate(&parts(operand), &[Part::Decimal], by);
                }
            }
            _ => {}
        }
    }

    fn relate(&mut self, some: &[Part], others: &[Part], by: &PolicyId) {
        for one in some {
            for other in others {
                match (one, other) {
                    (Part::Path(path), Part::Whole) | (Part::Whole, Part::Path(path)) => {
                        self.whole.entry(path.clone()).or_insert_with(|| by.clone());
                    }
                    (Part::Path(path), Part::Decimal) | (Part::Decimal, Part::Path(path)) => {
                        self.decimal.entry(path.clone()).or_insert_with(|| by.clone());
                    }
                    (Part::Path(one), Part::Path(other)) => self.same.push((one.clone(), other.clone())),
                    (Part::Path(path), Part::Record(members)) | (Part::Record(members), Part::Path(path)) => {
                        for (name, inner) in members {
                            self.relate(&[Part::Path(format!("{path}.{name}"))], inner, by);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What is compared with each other is of one kind.
    fn settle(&mut self) {
        for _ in 0..=self.same.len() {
            let mut is_settled = true;
            for kinds in [&mut self.whole, &mut self.decimal] {
                for (one, other) in &self.same {
                    for (from, to) in [(one, other), (other, one)] {
                        if let (Some(by), false) = (kinds.get(from).cloned(), kinds.contains_key(to)) {
                            kinds.insert(to.clone(), by);
                            is_settled = false;
                        }
                    }
                }
            }
            if is_settled {
                return;
            }
        }
    }
}

/// What an expression can stand for; nothing where numbers do not come into it.
fn parts(expression: &Value) -> Vec<Part> {
    let Some((operator, of)) = expression.as_object().and_then(|members| members.iter().next()) else { return Vec::new() };
    match operator.as_str() {
        "Value" if of.is_number() => vec![Part::Whole],
        "+" | "-" | "*" | "neg" => vec![Part::Whole],
        "decimal" => vec![Part::Decimal],
        "Set" => of.as_array().into_iter().flatten().flat_map(parts).collect(),
        "Record" => {
            let members = of.as_object().into_iter().flatten();
            vec![Part::Record(members.map(|(name, value)| (name.clone(), parts(value))).collect())]
        }
        "if-then-else" => ["then", "else"].into_iter().filter_map(|branch| of.get(branch)).flat_map(parts).collect(),
        "." => path(expression).map(Part::Path).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The path of a claim or an argument.
fn path(expression: &Value) -> Option<String> {
    let access = expression.get(".")?;
    let (left, attribute) = (access.get("left")?, access.get("attr")?.as_str()?);
    if ["context", "principal", "resource"].iter().any(|var| is_var(left, var)) {
        return (attribute.starts_with("arg_") || attribute.starts_with("claim_")).then(|| attribute.to_owned());
    }
    Some(format!("{}.{attribute}", path(left)?))
}

fn is_var(json: &Value, name: &str) -> bool {
    json.get("Var").and_then(Value::as_str) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Context;
    use serde_json::json;

    fn numbers(conditions: &[&str]) -> Result<Numbers, Vec<(PolicyId, String)>> {
        let text: String =
            conditions.iter().map(|condition| format!("permit(principal, action, resource) when {{ {condition} }};")).collect();
        Numbers::of(&text.parse().unwrap())
    }

    fn shown(value: Option<RestrictedExpression>) -> Value {
        let pairs = value.map(|value| ("n".to_owned(), value));
        Context::from_pairs(pairs).unwrap().to_json_value().unwrap().get("n").cloned().unwrap_or_default()
    }

    fn decimal(text: &str) -> Value {
        json!({"__extn": {"fn": "decimal", "arg": text}})
    }

    #[test]
    fn one_number_is_one_value_however_it_is_written() {
        let numbers = numbers(&["context.arg_d.lessThan(decimal(\"5.5\"))"]).unwrap();
        for text in ["100", "100.0", "1e2", "1.0E2", "1000e-1", "100.000000000000000001"] {
            let number: Number = serde_json::from_str(text).unwrap();
            assert_eq!(shown(numbers.of_argument("arg_n", &number)), json!(100), "{text}");
            assert_eq!(shown(numbers.of_claim("claim_n", &number)), json!(100), "{text}");
            assert_eq!(shown(numbers.of_argument("arg_d", &number)), decimal("100.0"), "{text}");
        }
        for text in ["-0", "-0.0", "0e9"] {
            assert_eq!(shown(numbers.of_argument("arg_n", &serde_json::from_str(text).unwrap())), json!(0), "{text}");
        }
        for text in ["1.25", "125e-2", "1.2500"] {
            assert_eq!(shown(numbers.of_argument("arg_n", &serde_json::from_str(text).unwrap())), decimal("1.25"), "{text}");
        }
    }

    #[test]
    fn what_no_value_says_exactly_has_none() {
        let numbers = numbers(&["context.arg_d == decimal(\"5.5\")"]).unwrap();
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for text in ["0.00001", "1e30", "-1e30", "9223372036854775808", "922337203685477.5"] {
            assert_eq!(shown(numbers.of_argument("arg_n", &number(text))), Value::Null, "{text}");
        }
        assert_eq!(shown(numbers.of_argument("arg_d", &number("922337203685477"))), Value::Null);
        // Half of all servers read the number before it here.
        assert_eq!(shown(numbers.of_argument("arg_n", &number("9007199254740993"))), Value::Null);
        assert_eq!(shown(numbers.of_claim("claim_n", &number("9007199254740993"))), json!(9_007_199_254_740_993_i64));
        assert_eq!(shown(numbers.of_argument("arg_n", &number("9007199254740992"))), json!(9_007_199_254_740_992_i64));
    }

    #[test]
    fn what_is_compared_with_a_decimal_is_one() {
        for condition in [
            "context.arg_n == decimal(\"1.0\")",
            "decimal(\"1.0\") != resource.arg_n",
            "resource.arg_n.greaterThan(decimal(\"1.0\"))",
            "decimal(\"1.0\").lessThanOrEqual(context[\"arg_n\"])",
            "[decimal(\"1.0\"), decimal(\"2.0\")].contains(context.arg_n)",
            "(if context has arg_n then context.arg_n else decimal(\"0.0\")) == decimal(\"1.0\")",
            "context.arg_n == principal.claim_max && principal.claim_max.lessThan(decimal(\"1.0\"))",
            "!(true && (false || {\"a\": context.arg_n == decimal(\"1.0\")}.a))",
        ] {
            assert!(numbers(&[condition]).unwrap().decimals.contains("arg_n"), "{condition}");
        }
        for condition in [
            "principal.claim_org.rate == decimal(\"1.0\")",
            "context.claim_org == {\"rate\": decimal(\"1.0\"), \"level\": 1}",
            "principal.claim_org.rate.contains(decimal(\"1.0\"))",
        ] {
            assert!(numbers(&[condition]).unwrap().decimals.contains("claim_org.rate"), "{condition}");
        }
        for condition in ["context.arg_n == 1", "context has arg_n", "context.arg_m == decimal(\"1.0\") && context.arg_n < 3"] {
            assert!(!numbers(&[condition]).unwrap().decimals.contains("arg_n"), "{condition}");
        }
    }

    #[test]
    fn what_is_compared_with_both_kinds_is_refused() {
        for conditions in [
            &["context.arg_n == decimal(\"1.0\")", "resource.arg_n == 1"][..],
            &["context.arg_n == decimal(\"1.0\") || context.arg_n > 5"],
            &["context.arg_n == context.arg_m", "context.arg_m == decimal(\"1.0\")", "context.arg_n + 1 == 2"],
        ] {
            let wrong = numbers(conditions).unwrap_err();
            assert!(wrong[0].1.contains("write decimals in all places"), "{wrong:?}");
        }
    }
}
