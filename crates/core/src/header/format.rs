//! The text around a forwarded value.

use http::HeaderValue;

/// A compiled `format`: what stands before and after the caller's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    source: String,
    before: String,
    after: String,
}

/// Why a `format` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// No place for the value.
    #[error("`format` has no `{{}}` for the caller's value; write for example `Bearer {{}}`")]
    NoPlace,
    /// More than one place.
    #[error("`format` has more than one `{{}}`; keep one")]
    SeveralPlaces,
    /// A brace that is neither doubled nor part of `{}`.
    #[error("`format` has a single brace; double it (`{{{{` or `}}}}`) to mean the brace itself")]
    LoneBrace,
    /// A character that no header value may have.
    #[error("`format` has a control character (a line break or a tab); remove it")]
    Control,
    /// White space at an end, which HTTP does not keep (RFC 9110 §5.5).
    #[error("`format` begins or ends with white space, which HTTP drops; remove it")]
    OuterSpace,
}

impl Format {
    /// Reads a format: `{}` once, braces doubled to stand for themselves.
    pub(super) fn parse(source: &str) -> Result<Self, FormatError> {
        if source.chars().any(char::is_control) {
            return Err(FormatError::Control);
        }
        if source.trim() != source {
            return Err(FormatError::OuterSpace);
        }
        let mut before = None;
        let mut text = String::with_capacity(source.len());
        let mut rest = source.chars().peekable();
        while let Some(c) = rest.next() {
            match (c, rest.peek()) {
                ('{', Some('{')) | ('}', Some('}')) => {
                    rest.next();
                    text.push(c);
                }
                ('{', Some('}')) => {
                    rest.next();
                    if before.replace(std::mem::take(&mut text)).is_some() {
                        return Err(FormatError::SeveralPlaces);
                    }
                }
                ('{' | '}', _) => return Err(FormatError::LoneBrace),
                _ => text.push(c),
            }
        }
        let before = before.ok_or(FormatError::NoPlace)?;
        Ok(Self { source: source.to_owned(), before, after: text })
    }

    /// The format as it was written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// How many bytes it adds to a value.
    pub(super) fn overhead(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Whether it puts text around the value, so that the value must not be able to pass for more text.
    pub(super) fn has_text(&self) -> bool {
        self.overhead() > 0
    }

    /// The outgoing value, marked sensitive. `None` for a value that must be token68 and is not.
    pub(super) fn render(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let mut rendered = if self.has_text() {
            if !is_token68(value.as_bytes()) {
                return None;
            }
            let parts = [self.before.as_bytes(), value.as_bytes(), self.after.as_bytes()];
            HeaderValue::from_maybe_shared(bytes::Bytes::from(parts.concat())).ok()?
        } else {
            value.clone()
        };
        rendered.set_sensitive(true);
        Some(rendered)
    }
}

/// RFC 9110 §11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
pub(super) fn is_token68(value: &[u8]) -> bool {
    let body = value.iter().position(|b| *b == b'=').unwrap_or(value.len());
    let (body, padding) = value.split_at(body);
    !body.is_empty() && body.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(b)) && padding.iter().all(|b| *b == b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn render(format: &str, value: &'static str) -> Option<String> {
        let rendered = Format::parse(format).unwrap().render(&HeaderValue::from_static(value))?;
        assert!(rendered.is_sensitive());
        Some(rendered.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_callers_value_takes_the_place_of_the_braces() {
        assert_eq!(render("Bearer {}", "abc"), Some("Bearer abc".to_owned()));
        assert_eq!(render("{}", "any thing, really"), Some("any thing, really".to_owned()));
        assert_eq!(render("{{{}}}", "abc"), Some("{abc}".to_owned()));
        assert_eq!(render("a{{}}{}", "abc"), Some("a{}abc".to_owned()));
    }

    #[test]
    fn a_format_that_cannot_work_says_why() {
        for (format, error) in [
            ("", FormatError::NoPlace),
            ("Bearer", FormatError::NoPlace),
            ("{{}}", FormatError::NoPlace),
            ("{}{}", FormatError::SeveralPlaces),
            ("{} {}", FormatError::SeveralPlaces),
            ("{", FormatError::LoneBrace),
            ("{} }", FormatError::LoneBrace),
            ("{token}", FormatError::LoneBrace),
            ("{}\r\nx: y", FormatError::Control),
            ("a\t{}", FormatError::Control),
            ("{}\u{7f}", FormatError::Control),
            ("Bearer {} ", FormatError::OuterSpace),
        ] {
            assert_eq!(Format::parse(format), Err(error), "{format:?}");
        }
    }

    #[test]
    fn text_around_the_value_admits_token68_only() {
        for good in ["a", "abc==", "A-Z.a_z~0+9/", "eyJ.eyJ.sig_-"] {
            assert!(render("Bearer {}", good).is_some(), "{good}");
        }
        for bad in ["", "=", "a=b", "a b", "a,b", "a;b", "a\"", "a\tb", "{}"] {
            assert!(render("Bearer {}", bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_and_a_token_come_back_whole(
            before in "[ -~]{0,12}", after in "[ -~]{0,12}", token in "[A-Za-z0-9._~+/-]{1,20}={0,2}",
        ) {
            let escape = |text: &str| text.replace('{', "{{").replace('}', "}}");
            let source = format!("{}{{}}{}", escape(&before), escape(&after));
            prop_assume!(source.trim() == source);
            let format = Format::parse(&source).unwrap();
            let rendered = format.render(&HeaderValue::from_str(&token).unwrap()).unwrap();
            prop_assert_eq!(rendered.to_str().unwrap(), format!("{before}{token}{after}"));
            prop_assert_eq!(format.overhead(), before.len() + after.len());
        }

        #[test]
        fn no_source_makes_the_parser_panic_or_keep_a_control_character(source in any::<String>()) {
            if let Ok(format) = Format::parse(&source) {
                prop_assert!(HeaderValue::from_str(&format.before).is_ok() || !format.before.is_ascii());
                prop_assert!(format.render(&HeaderValue::from_static("x")).is_some());
            }
        }
    }
}
