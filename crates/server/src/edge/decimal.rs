//! Numbers as JSON writes them, compared without rounding.

/// `digits` × 10^`exponent`, with no zero at either end of the digits; without digits it is zero.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Whether two texts are the same number (RFC 8259 §6): `7`, `7.0` and `70e-1` are. A text that is no number is the same as none.
pub(super) fn is_same_number(one: &str, other: &str) -> bool {
    matches!((Decimal::parse(one), Decimal::parse(other)), (Some(one), Some(other)) if one == other)
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let all = [whole, fraction].concat();
        let digits = all.trim_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let dropped = all.len() - all.trim_end_matches('0').len();
        let shift = i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Self { negative, digits: digits.to_owned(), exponent: exponent.checked_add(shift)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_many_spellings() {
        for (one, other) in [
            ("7", "7.0"),
            ("7", "70e-1"),
            ("7", "0.7E+1"),
            ("-120", "-1.2e2"),
            ("0", "-0.00e9"),
            ("100", "1e2"),
            ("9007199254740993", "9007199254740993.0"),
            ("1e400", "10e399"),
        ] {
            assert!(is_same_number(one, other) && is_same_number(other, one), "{one} {other}");
        }
    }

    #[test]
    fn numbers_that_a_float_cannot_tell_apart_differ() {
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("9007199254740993", "9007199254740993.1"),
            ("10000000000000000000001", "10000000000000000000002"),
            ("1e400", "1e401"),
            ("7", "-7"),
            ("7", "70"),
            ("0", "1e-400"),
        ] {
            assert!(!is_same_number(one, other) && !is_same_number(other, one), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_number_is_the_same_as_none() {
        for text in ["", "-", "+7", "7.", ".7", "7e", "7e1.0", "NaN", "inf", "0x7", "7 ", "\"7\"", "٧", "7e99999999999999999999"] {
            assert!(!is_same_number(text, text), "{text:?}");
        }
    }
}
