//! What an answer's body is.

use http::{HeaderMap, header::CONTENT_TYPE};

/// The kinds of body that MCP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Events,
    Other,
}

impl Content {
    /// By the media type alone; its parameters tell nothing of use (RFC 9110 §8.3.1).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::Other };
        let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::Events
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_leniently_and_exactly() {
        for (text, content) in [
            ("application/json", Content::Json),
            ("Application/JSON ; charset=utf-8", Content::Json),
            ("text/event-stream;charset=UTF-8", Content::Events),
            ("text/plain", Content::Other),
            ("application/jsonl", Content::Other),
            ("", Content::Other),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())]);
            assert_eq!(Content::of(&headers), content, "{text}");
        }
        assert_eq!(Content::of(&HeaderMap::new()), Content::Other);
    }
}
