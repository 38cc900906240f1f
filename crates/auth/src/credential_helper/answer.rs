//! What a helper answers.

use super::timestamp;
use http::{HeaderMap, HeaderName};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, sync::Arc, time::SystemTime};
use vmcp_core::plugin::{Credentials, StrategyError};
use zeroize::Zeroizing;

/// How many lines of headers a helper may give.
const LINES: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    headers: Headers,
    #[serde(default)]
    expires_at: Option<Moment>,
}

/// Names with values, in order.
struct Headers(Vec<(String, Values)>);

/// One text, or several.
struct Values(Vec<Zeroizing<String>>);

struct Moment(SystemTime);

/// Reads the credentials in an answer. `who` answered it, for messages.
///
/// # Errors
/// What is wrong with it, without quoting it.
pub(crate) fn read(who: &str, text: &[u8]) -> Result<Credentials, StrategyError> {
    let wrong = |what: fmt::Arguments<'_>| StrategyError::Issuer(format!("{who} gave {what}"));
    // What serde says may quote a credential.
    let answer: Answer = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        wrong(format_args!(r#"no answer of the form {{"headers": {{…}}, "expiresAt": …}} (line {line}, column {column})"#))
    })?;
    let mut headers = HeaderMap::new();
    for (name, values) in answer.headers.0 {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(format_args!("a header with a name that is none")))?;
        for mut value in values.0 {
            let value = crate::secret_value(std::mem::take(&mut *value).into_bytes());
            let value = value.ok_or_else(|| wrong(format_args!("`{name}` a value that no header can carry")))?;
            if headers.len() >= LINES {
                return Err(wrong(format_args!("more than {LINES} headers")));
            }
            headers.append(name.clone(), value);
        }
    }
    Ok(Credentials::Headers { headers: Arc::new(headers), expires_at: answer.expires_at.map(|moment| moment.0) })
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    headers.push(pair);
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
                Ok(Values(vec![Zeroizing::new(text.to_owned())]))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Values, E> {
                Ok(Values(vec![Zeroizing::new(text)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element::<String>()? {
                    values.push(Zeroizing::new(value));
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time of RFC 3339 or seconds since 1970")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Moment, E> {
                timestamp::epoch(seconds).map(Moment).ok_or_else(|| E::custom("not a time"))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Moment, E> {
                // Below zero becomes zero: long over.
                self.visit_u64(seconds as u64)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                timestamp::rfc3339(text).map(Moment).ok_or_else(|| E::custom("not a time"))
            }
        }
        deserializer.deserialize_any(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn headers_have_one_value_or_several_and_a_time_in_either_form() {
        let text = br#" {"headers": {"Authorization": "Bearer a", "x-key": ["1", "2"]}, "expiresAt": "2026-07-28T00:00:00Z", "more": 1} "#;
        let credentials = read("it", text).unwrap();
        let headers = testing::headers(&credentials);
        assert_eq!(headers["authorization"], "Bearer a");
        assert_eq!(headers.get_all("x-key").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert!(headers.values().all(|value| value.is_sensitive()));
        let at = UNIX_EPOCH + Duration::from_secs(1_785_196_800);
        assert_eq!(credentials.expires_at(), Some(at));
        for same in ["1785196800", "1785196800.9"] {
            let text = format!(r#"{{"headers": {{}}, "expiresAt": {same}}}"#);
            assert_eq!(read("it", text.as_bytes()).unwrap().expires_at(), Some(at), "{same}");
        }
        assert_eq!(read("it", br#"{"headers": {}, "expiresAt": null}"#).unwrap().expires_at(), None);
    }

    #[test]
    fn garbage_is_told_and_never_quoted() {
        let many = format!(r#"{{"headers": {{"x": [{}]}}}}"#, vec![r#""hunter2""#; 33].join(","));
        for text in [
            "",
            "hunter2",
            "{}",
            r#"{"headers": "hunter2"}"#,
            r#"{"headers": {"x": {"hunter2": 1}}}"#,
            r#"{"headers": {"x y hunter2": "1"}}"#,
            r#"{"headers": {"x": "hunter2\n"}}"#,
            r#"{"headers": {}, "expiresAt": "hunter2"}"#,
            r#"{"headers": {"x": "1"}} hunter2"#,
            &many,
        ] {
            let error = read("the command `x`", text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("the command `x` gave "), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
