//! Takes values that came from the environment out of messages.

/// `text` without `value`: as a whole anywhere, whatever its case; where it is `near`, also as a quotation of its start, since a message
/// may quote a header's name as far as it can be one.
pub(crate) fn redacted(text: &str, value: &str, name: &str, near: bool) -> String {
    const SHORTEST: usize = 4;
    let lower = value.to_lowercase();
    let variable = format!("${{{name}}}");
    let quotations = text.split('`').enumerate().map(|(index, part)| {
        let quoted = part.trim_end_matches('…').to_lowercase();
        let same = quoted == lower || (near && !quoted.is_empty() && lower.starts_with(&quoted));
        if index % 2 == 1 && same { variable.as_str() } else { part }
    });
    let mut text = quotations.collect::<Vec<_>>().join("`");
    if value.len() >= SHORTEST {
        let mut from = 0;
        // Lower case of ASCII alone keeps every place in the text.
        let value = value.to_ascii_lowercase();
        while let Some(at) = text.to_ascii_lowercase()[from..].find(&value) {
            text.replace_range(from + at..from + at + value.len(), &variable);
            from += at + variable.len();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_leaves_other_words_alone() {
        let text = "header `x-team` (backend `b`): `team` is no `te`";
        assert_eq!(redacted(text, "Team", "T", false), "header `x-${T}` (backend `b`): `${T}` is no `te`");
        assert_eq!(redacted(text, "Team", "T", true), "header `x-${T}` (backend `b`): `${T}` is no `${T}`");
        assert_eq!(redacted(text, "b", "T", false), "header `x-team` (backend `${T}`): `team` is no `te`");
        assert_eq!(redacted("no quotation: \u{e9}team", "team", "T", false), "no quotation: \u{e9}${T}");
    }
}
