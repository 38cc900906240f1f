//! The part of a URI that says whose it is.

/// Scheme and authority of `uri` in lower case (`file://`, `https://example.com`, `note:`); `None` without a scheme
/// (RFC 3986, section 3).
pub(super) fn of_uri(uri: &str) -> Option<String> {
    origin(uri, true)
}

/// Scheme and authority of every URI that a template can become; `None` where an expression has a say in them.
///
/// `literal` is the template up to its first expression, `whole` whether it has none.
pub(super) fn of_template(literal: &str, whole: bool) -> Option<String> {
    origin(literal, whole)
}

fn origin(text: &str, whole: bool) -> Option<String> {
    let colon = text.find(':')?;
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let starts_well = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts_well || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
        return None;
    }
    let end = match rest.strip_prefix("//") {
        Some(authority) => match authority.find(['/', '?', '#']) {
            Some(length) => colon + 3 + length,
            None if whole => text.len(),
            None => return None,
        },
        // What an expression adds behind `x:/` could still make it `x://`.
        None if rest == "/" && !whole => return None,
        None => colon + 1,
    };
    Some(text[..end].to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_authority_end_where_the_path_begins() {
        for (uri, expected) in [
            ("file:///etc/hosts", "file://"),
            ("HTTPS://Example.COM:8443/a?b", "https://example.com:8443"),
            ("db://tables", "db://tables"),
            ("db://tables?x", "db://tables"),
            ("note:shopping", "note:"),
            ("urn:isbn:1", "urn:"),
        ] {
            assert_eq!(of_uri(uri).as_deref(), Some(expected), "{uri}");
        }
        for uri in ["", "plain", "/a:b", "1a:b", ":x", "a b:c"] {
            assert_eq!(of_uri(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_template_has_an_origin_only_where_no_expression_decides_it() {
        for (literal, whole, expected) in [
            ("db://tables/", false, Some("db://tables")),
            ("db://tab", false, None),
            ("db://", false, None),
            ("db://tables", true, Some("db://tables")),
            ("note:", false, Some("note:")),
            ("x:/", false, None),
            ("x:/a", false, Some("x:")),
            ("not", false, None),
        ] {
            assert_eq!(of_template(literal, whole).as_deref(), expected, "{literal}");
        }
    }
}
