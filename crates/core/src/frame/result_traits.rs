//! What a result says of itself, as far as the eras differ in it.

use super::decode_string;

/// Which of the members that only one era has stand in a result, noted when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultTraits {
    /// `resultType` (2026-07-28, basic/index).
    pub kind: ResultKind,
    /// Whether there is a `ttlMs` (2026-07-28, server/utilities/caching).
    pub has_ttl: bool,
    /// Whether there is a `cacheScope` (2026-07-28, server/utilities/caching).
    pub has_cache_scope: bool,
    /// Whether `structuredContent` is there and no object, which only 2026-07-28 allows.
    pub has_bare_content: bool,
}

/// The value of `resultType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultKind {
    /// There is none.
    #[default]
    Absent,
    /// `complete`.
    Complete,
    /// `input_required`.
    InputRequired,
    /// `task` (the Tasks extension, SEP-2663).
    Task,
    /// Something else.
    Other,
}

impl ResultTraits {
    pub(super) fn note(&mut self, key: &str, value: &str) {
        match key {
            "resultType" => {
                self.kind = match decode_string(value).as_deref() {
                    Some("complete") => ResultKind::Complete,
                    Some("input_required") => ResultKind::InputRequired,
                    Some("task") => ResultKind::Task,
                    _ => ResultKind::Other,
                };
            }
            "ttlMs" => self.has_ttl = true,
            "cacheScope" => self.has_cache_scope = true,
            "structuredContent" => self.has_bare_content = !value.starts_with('{'),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Message;

    fn traits(result: &str) -> ResultTraits {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        let Message::Response(response) = Message::parse(text.as_bytes()).unwrap() else { panic!("no result") };
        assert_eq!(response.result, result);
        response.traits
    }

    #[test]
    fn only_the_results_own_members_count() {
        let none = ResultTraits::default();
        assert_eq!(traits(r#"{"a":{"resultType":"x","ttlMs":1,"structuredContent":1}}"#), none);
        assert_eq!(traits(r#"{"structuredContent":{"ttlMs":1}}"#), none);
        let all = r#"{ "r\u0065sultType" : "input_required","ttlMs":null,"cacheScope":"x","structuredContent":[] }"#;
        let expected = ResultTraits { kind: ResultKind::InputRequired, has_ttl: true, has_cache_scope: true, has_bare_content: true };
        assert_eq!(traits(all), expected);
        for (value, kind) in [
            (r#""complete""#, ResultKind::Complete),
            ("1", ResultKind::Other),
            (r#""task""#, ResultKind::Task),
            (r#""x""#, ResultKind::Other),
        ] {
            assert_eq!(traits(&format!(r#"{{"resultType":{value}}}"#)).kind, kind);
        }
    }
}
