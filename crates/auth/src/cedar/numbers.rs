//! What numbers are in policies: whole (`long`) or with places (`decimal`), which Cedar never holds for equal. JSON does not tell `100` from
//! `100.0`, nor do the servers that read it, so how a caller writes a number must not decide: what a policy compares it with does.

use super::{compared::Compared, entities::Added, looks::Looks, path::shown};
use cedar_policy::RestrictedExpression;
use serde_json::{Number, Value};
use std::collections::BTreeSet;

/// The largest whole number that a decimal of Cedar's can be; it holds 64 bits with four of its digits behind the point.
const MAX_DECIMAL: u64 = i64::MAX.unsigned_abs() / 10_000;
/// How many digits a decimal may have behind its point.
const MAX_PLACES: usize = 4;

/// From here on doubles do not tell all numbers of four places apart.
const EXACT: f64 = (1_u64 << 39) as f64;
/// From here on a double may stand for several whole numbers.
const DOUBLES: u64 = 1 << 53;

/// Which claims and arguments are decimals to some policies, by their paths (as in [`Looks`]), and which ones these look at.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    decimals: BTreeSet<String>,
    looks: Looks,
}

impl Numbers {
    /// What a policy in its JSON form (Cedar's EST) makes of numbers. `Err` says what it compares both with whole numbers and with decimals,
    /// so that one of the two could never be met, or that what it compares cannot be followed.
    pub(super) fn of(policy: &Value, added: &Added) -> Result<Self, String> {
        let compared = Compared::of(policy, added)
            .ok_or("compares claims and arguments with each other in too many ways to follow; make several policies of it")?;
        let mut looks = Looks::default();
        looks.look(policy);
        if looks.is_beyond_bounds() {
            return Err("names more than can be kept; make several policies of it, with shorter names".to_owned());
        }
        match compared.decimal.intersection(&compared.whole).next() {
            Some(path) => Err(format!(
                "compares `{path}` both with decimals and with whole numbers, and no number is equal to both; write decimals in all places (100 is decimal(\"100.0\")), or two policies",
                path = shown(path),
            )),
            None => Ok(Self { decimals: compared.decimal, looks }),
        }
    }

    /// What the policies look at.
    pub(super) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Takes the others in, unless they see a number as something else. They are given back then.
    pub(super) fn join(&mut self, others: Self) -> Result<(), Self> {
        let strange = |some: &Self, to: &Self| some.decimals.iter().any(|path| !to.decimals.contains(path) && to.looks.at(path));
        if strange(self, &others) || strange(&others, self) {
            return Err(others);
        }
        self.decimals.extend(others.decimals);
        self.looks.extend(others.looks);
        Ok(())
    }

    /// A number of a claim, which an issuer vouches for: every whole number of 64 bits is itself.
    pub(super) fn of_claim(&self, path: &str, number: &Number) -> Option<RestrictedExpression> {
        self.value(path, number.as_i64().or_else(|| whole(number)), number)
    }

    /// A number of an argument. `None` as well for what servers read as different numbers: those that a double cannot hold (RFC 8259 §6).
    pub(super) fn of_argument(&self, path: &str, number: &Number) -> Option<RestrictedExpression> {
        let whole = whole(number);
        let is_the_same_to_all =
            if number.is_f64() { whole.is_none_or(|whole| whole.unsigned_abs() < DOUBLES) } else { number.as_i64() == whole };
        is_the_same_to_all.then(|| self.value(path, whole, number))?
    }

    fn value(&self, path: &str, whole: Option<i64>, number: &Number) -> Option<RestrictedExpression> {
        match whole {
            Some(whole) if !self.decimals.contains(path) => Some(RestrictedExpression::new_long(whole)),
            Some(whole) => (whole.unsigned_abs() <= MAX_DECIMAL).then(|| RestrictedExpression::new_decimal(format!("{whole}.0"))),
            None => {
                // So few that they are within the bounds of decimals.
                let text = number.as_f64().filter(|double| double.abs() < EXACT)?.to_string();
                let (_, places) = text.split_once('.')?;
                (places.len() <= MAX_PLACES).then(|| RestrictedExpression::new_decimal(text))
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

#[cfg(test)]
mod tests {
    use super::{super::depth::with_room, *};
    use cedar_policy::{Context, Policy};
    use serde_json::json;

    const ENTITIES: &str = r#"[
        {"uid": {"type": "Client", "id": "ann"}, "attrs": {"limit": {"__extn": {"fn": "decimal", "arg": "10.0"}}, "level": 3, "mixed": 1,
            "claim_org": {"rate": {"__extn": {"fn": "decimal", "arg": "1.0"}}}, "manager": {"__entity": {"type": "Client", "id": "bob"}},
            "claim_max": {"__extn": {"fn": "decimal", "arg": "10.0"}}, "box": {"n": {"__extn": {"fn": "decimal", "arg": "5.0"}}}}, "parents": []},
        {"uid": {"type": "Client", "id": "bob"}, "attrs": {"mixed": {"__extn": {"fn": "decimal", "arg": "10.0"}}}, "parents": [],
         "tags": {"most": {"__extn": {"fn": "decimal", "arg": "10.0"}}}}
    ]"#;

    fn numbers(condition: &str) -> Result<Numbers, String> {
        let policy = Policy::parse(None, format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap();
        Numbers::of(&policy.to_json().unwrap(), &Added::parse(Some(ENTITIES)).unwrap())
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
        let numbers = numbers("context.arg_d.lessThan(decimal(\"5.5\"))").unwrap();
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
        let numbers = numbers("context.arg_d == decimal(\"5.5\")").unwrap();
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for text in ["0.00001", "1e30", "-1e30", "9223372036854775808", "922337203685477.5", "900000000000000.125"] {
            assert_eq!(shown(numbers.of_argument("arg_n", &number(text))), Value::Null, "{text}");
        }
        for sign in ["", "-"] {
            assert_eq!(
                shown(numbers.of_argument("arg_d", &number(&format!("{sign}922337203685477")))),
                decimal(&format!("{sign}922337203685477.0"))
            );
            assert_eq!(shown(numbers.of_argument("arg_d", &number(&format!("{sign}922337203685478")))), Value::Null);
        }
        // Half of all servers read the number before it here.
        assert_eq!(shown(numbers.of_argument("arg_n", &number("9007199254740993"))), Value::Null);
        assert_eq!(shown(numbers.of_claim("claim_n", &number("9007199254740993"))), json!(9_007_199_254_740_993_i64));
        assert_eq!(shown(numbers.of_argument("arg_n", &number("9007199254740992"))), json!(9_007_199_254_740_992_i64));
        assert_eq!(shown(numbers.of_argument("arg_n", &number("9007199254740992.0"))), Value::Null);
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
            "context.arg_n == principal.limit",
            "principal.box.n == context.arg_n",
            "{\"n\": context.arg_n} == principal.box",
            "context.arg_n == principal.claim_max",
            "context.arg_n == principal.claim_org.rate",
            "context.arg_n == principal.manager.limit",
            "principal.getTag(\"owner\").limit == context.arg_n",
            "{\"claim_x\": context.arg_n}.claim_x == decimal(\"1.0\")",
            "{\"claim_x\": context}.claim_x.arg_n == decimal(\"1.0\")",
            "principal.hasTag(\"most\") && principal.getTag(\"most\") == context.arg_n",
            "principal.getTag(principal.subject) == context.arg_n",
            "[{\"t\": \"x\", \"n\": decimal(\"5.0\")}].contains({\"t\": context.arg_t, \"n\": context.arg_n})",
            "context == {\"arg_n\": decimal(\"5.0\")}",
            "{\"a\": decimal(\"1.0\")}.a == context.arg_n",
            "(if true then context else context).arg_n == decimal(\"1.0\")",
            "(if context has arg_n then resource else {\"arg_n\": decimal(\"0.0\")}).arg_n == decimal(\"9.0\")",
            "(if context has arg_n then {\"arg_n\": decimal(\"0.0\")} else Tool::\"x\").arg_n == decimal(\"9.0\")",
            "(if true then principal.manager else principal.box).limit == context.arg_n",
            "{\"r\": if true then resource else context}.r.arg_n == decimal(\"9.0\")",
        ] {
            assert!(numbers(condition).unwrap().decimals.contains("arg_n"), "{condition}");
        }
        for condition in [
            "principal.claim_org.rate == decimal(\"1.0\")",
            "context.claim_org == {\"rate\": decimal(\"1.0\"), \"level\": 1}",
            "principal.claim_org.rate.contains(decimal(\"1.0\"))",
            "(if principal has claim_org then principal.claim_org else {\"rate\": decimal(\"0.0\")}).rate == decimal(\"1.0\")",
            "{\"o\": context.claim_org}.o.rate == decimal(\"1.0\")",
            "{\"a\": context.claim_org == 1}.a || context.claim_org[\"rate\"] == decimal(\"1.0\")",
            "context.claim_org == context.claim_b && context.claim_b.rate == decimal(\"1.0\")",
        ] {
            assert!(numbers(condition).unwrap().decimals.contains("claim_org.rate"), "{condition}");
        }
        for condition in [
            "context.arg_n == 1",
            "context has arg_n",
            "context.arg_m == decimal(\"1.0\") && context.arg_n < 3",
            "context.arg_n == principal.level",
        ] {
            assert!(!numbers(condition).unwrap().decimals.contains("arg_n"), "{condition}");
        }
    }

    #[test]
    fn what_is_compared_with_both_kinds_is_refused() {
        for condition in [
            "context.arg_n == decimal(\"1.0\") && resource.arg_n == 1",
            "context.arg_n == decimal(\"1.0\") || context.arg_n > 5",
            "context.arg_n == context.arg_m && context.arg_m == decimal(\"1.0\") && context.arg_n + 1 == 2",
            "context.arg_n == principal.mixed",
            "[1, decimal(\"2.0\")].contains(context.arg_n)",
            "[{\"n\": context.arg_n}].contains(principal.box) && context.arg_n == 1",
            "context.arg_n == decimal(\"1.0\") || duration(\"1h\").toHours() == context.arg_n",
        ] {
            let wrong = numbers(condition).unwrap_err();
            assert!(wrong.contains("write decimals in all places"), "{wrong}");
        }
    }

    #[test]
    fn a_value_is_never_equal_to_what_is_in_it() {
        let within = (0..8).map(|n| format!("context.claim_a == context.claim_a.b{n}")).collect::<Vec<_>>().join(" || ");
        let numbers = numbers(&format!("{within} || context.claim_a.rate == decimal(\"1.0\")")).unwrap();
        assert_eq!(numbers.decimals, BTreeSet::from(["claim_a.rate".to_owned()]));
    }

    #[test]
    fn what_multiplies_beyond_all_bounds_is_refused_before_it_fills_the_memory() {
        let list = |of: &str| (0..5000).map(|n| format!("context.{of}{n}")).collect::<Vec<_>>().join(", ");
        let long = "x".repeat(900);
        for condition in [
            // Each is within the other, and so on without an end.
            "context.arg_n == decimal(\"1.0\") && (context.arg_n == context.claim_a.x || context.claim_a == context.claim_b.y || context.claim_b == context.claim_a.z)",
            &format!("[{}].containsAny([{}])", list("arg_a"), list("arg_b")),
            &format!("principal{} == 1", format!(".arg_{long}").repeat(900)),
        ] {
            let wrong = with_room(|| numbers(condition).unwrap_err()).unwrap();
            assert!(wrong.contains("in too many ways to follow"), "{wrong}");
        }
    }

    #[test]
    fn a_long_way_from_entity_to_entity_is_followed_to_its_end() {
        let condition = format!("principal{}.limit == context.arg_n", ".manager".repeat(900));
        assert!(with_room(|| numbers(&condition)).unwrap().unwrap().decimals.contains("arg_n"));
    }

    #[test]
    fn policies_that_see_a_number_as_different_things_do_not_join() {
        let joined = |one: &str, other: &str| numbers(one).unwrap().join(numbers(other).unwrap()).is_ok();
        let decimal = "context.arg_n == decimal(\"1.0\")";
        assert!(joined(decimal, "resource.arg_n.lessThan(decimal(\"2.0\"))"));
        assert!(joined(decimal, "context.arg_m == 1 && principal.claim_n == 1"));
        assert!(joined("principal.claim_org.rate == decimal(\"1.0\")", "principal.claim_organ == 1"));
        for other in [
            "context.arg_n == 1",
            "context has arg_n",
            "resource has arg_n.m",
            "[principal.level].contains(context.arg_n)",
            "context == {}",
        ] {
            assert!(!joined(decimal, other) && !joined(other, decimal), "{other}");
        }
        assert!(!joined("principal.claim_org.rate == decimal(\"1.0\")", "principal.claim_org == {\"rate\": 1}"));
    }
}
