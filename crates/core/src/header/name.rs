//! The one form in which header names are compared.

use http::HeaderName;

/// Ids that only tie log lines together. They change with every request, so they are no credential unless an entry says so.
const CORRELATION_IDS: &[&str] = &[
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "correlation-id",
    "x-trace-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "b3",
    "x-b3-*",
];

/// One byte of a name as it is compared.
pub(super) const fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

/// The name in the form in which names are compared: lower case, `_` and `.` as `-`.
///
/// Servers that hand headers on as variables (CGI, WSGI and their like: RFC 3875 §4.1.18) map `-` and `_` to one character, some of
/// them `.` too; a name that differs only there is the same name to them.
#[must_use]
pub fn normalise(name: &HeaderName) -> HeaderName {
    let folded: Vec<u8> = name.as_str().bytes().map(fold).collect();
    // `-` is a token character wherever `_` and `.` are, so this cannot fail.
    HeaderName::from_bytes(&folded).unwrap_or_else(|_| name.clone())
}

/// Whether `name`, which is normalised, fits one of `patterns`: whole names, or beginnings that end in `*`.
pub(super) fn fits(name: &HeaderName, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.as_str().starts_with(beginning),
        None => name.as_str() == *pattern,
    })
}

/// Whether a header of this name, in any spelling, is a correlation id: forwarded like any other where it is listed, but not a
/// credential unless its entry says `credential: true`.
#[must_use]
pub fn is_correlation_id(name: &HeaderName) -> bool {
    fits(&normalise(name), CORRELATION_IDS)
}

/// `authorization` and `cookie`, in any spelling: what clients authenticate with by themselves.
pub(super) fn is_credential_header(normalised: &HeaderName) -> bool {
    *normalised == http::header::AUTHORIZATION || *normalised == http::header::COOKIE
}

/// The part of a name from the configuration that can be shown: what stands before the first character that no name may have.
/// Somebody who wrote `name: value` by mistake does not find the value in a log.
pub(super) fn shown(raw: &str) -> String {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut text: String = raw.chars().take_while(|c| token(*c)).take(64).collect();
    if text.len() < raw.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn underscores_and_dots_compare_like_hyphens() {
        for text in ["X-Api-Key", "x_api_key", "x.api-KEY", "X_Api.Key"] {
            assert_eq!(normalise(&name(text)), name("x-api-key"), "{text}");
        }
    }

    #[test]
    fn a_pattern_with_a_star_is_a_beginning() {
        assert!(fits(&name("x-b3-traceid"), &["x-b3-*"]));
        assert!(!fits(&name("x-b3"), &["x-b3-*"]));
        assert!(!fits(&name("b3-x"), &["b3"]));
    }

    #[test]
    fn what_is_shown_of_a_name_ends_before_anything_else() {
        assert_eq!(shown("x-api-key: hunter2"), "x-api-key…");
        assert_eq!(shown("x-api-key"), "x-api-key");
        assert_eq!(shown("\r\nx"), "…");
    }
}
