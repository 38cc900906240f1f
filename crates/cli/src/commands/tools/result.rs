//! What a tool answered, for people (2026-07-28, server/tools, and the same in 2025-11-25).

use crate::table::{lines, plain};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The parts of a result that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(default, borrow)]
    content: Vec<&'a RawValue>,
    #[serde(borrow)]
    structured_content: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) is_error: bool,
    #[serde(default)]
    result_type: String,
}

/// One block of content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    #[serde(default, rename = "type")]
    kind: String,
    text: Option<String>,
    data: Option<String>,
    mime_type: Option<String>,
    uri: Option<String>,
    resource: Option<Box<Block>>,
    blob: Option<String>,
}

impl<'a> Answer<'a> {
    pub(super) fn read(result: &'a RawValue) -> serde_json::Result<Self> {
        serde_json::from_str(result.get())
    }

    /// Whether the tool waits for an answer of its user.
    pub(super) fn wants_input(&self) -> bool {
        self.result_type == "input_required"
    }

    /// The content as text, and structured content as JSON. A block that only repeats the structured content is left out. With `safe`,
    /// nothing in it drives a terminal.
    pub(super) fn text(&self, safe: bool) -> String {
        let structured: Option<Value> = self.structured_content.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let blocks = self.content.iter().filter_map(|raw| {
            let Ok(block) = serde_json::from_str::<Block>(raw.get()) else { return Some(raw.get().to_owned()) };
            let repeats = block.kind == "text"
                && structured.is_some()
                && block.text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()) == structured;
            (!repeats).then(|| block.text_or(raw.get()))
        });
        let mut parts: Vec<String> = blocks.collect();
        if let Some(raw) = self.structured_content {
            // A number that no float holds stays as it came.
            let pretty = structured.as_ref().and_then(|value| serde_json::to_string_pretty(value).ok());
            parts.push(pretty.unwrap_or_else(|| raw.get().to_owned()));
        }
        let text = parts.join("\n");
        if safe { lines(&text) } else { text }
    }
}

impl Block {
    fn text_or(self, raw: &str) -> String {
        let kind = plain(&self.kind);
        let of = |mime: Option<&str>| mime.map(|mime| format!(", {}", plain(mime))).unwrap_or_default();
        match (self.kind.as_str(), self.text, self.data, self.resource, self.uri) {
            ("text", Some(text), ..) => text,
            (_, _, Some(data), ..) => format!("[{kind}{}: {} characters of base64]", of(self.mime_type.as_deref()), data.len()),
            ("resource", _, _, Some(resource), _) => match (resource.text, resource.blob) {
                (Some(text), _) => text,
                (None, blob) => format!(
                    "[resource {}{}: {} characters of base64]",
                    plain(&resource.uri.unwrap_or_default()),
                    of(resource.mime_type.as_deref()),
                    blob.map_or(0, |blob| blob.len())
                ),
            },
            ("resource_link", _, _, _, Some(uri)) => format!("[link to {}{}]", plain(&uri), of(self.mime_type.as_deref())),
            _ => raw.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        Answer::read(&raw).unwrap().text(true)
    }

    #[test]
    fn text_is_printed_and_the_rest_is_named() {
        let answer = text(
            r#"{"content":[
                {"type":"text","text":"one\ntwo\u001b[31m"},
                {"type":"image","data":"AAAA","mimeType":"image/png"},
                {"type":"resource_link","uri":"file:///a","name":"a"},
                {"type":"resource","resource":{"uri":"file:///b","text":"inside"}},
                {"type":"resource","resource":{"uri":"file:///c","blob":"AAAAAAAA"}},
                {"type":"hologram","size":3}]}"#,
        );
        assert_eq!(
            answer,
            "one\ntwo\\u{1b}[31m\n[image, image/png: 4 characters of base64]\n[link to file:///a]\ninside\n\
             [resource file:///c: 8 characters of base64]\n{\"type\":\"hologram\",\"size\":3}"
        );
    }

    #[test]
    fn structured_content_is_json_and_not_printed_twice() {
        let answer =
            text(r#"{"content":[{"type":"text","text":"{ \"a\": [1] }"},{"type":"text","text":"more"}],"structuredContent":{"a":[1]}}"#);
        assert_eq!(answer, "more\n{\n  \"a\": [\n    1\n  ]\n}");
        assert_eq!(text(r#"{"content":[],"structuredContent":{"a":1e400}}"#), r#"{"a":1e400}"#);
    }

    #[test]
    fn what_a_program_reads_stays_as_it_came() {
        let raw = RawValue::from_string(r#"{"content":[{"type":"text","text":"\u001b[1mbold"}],"isError":true}"#.to_owned()).unwrap();
        let answer = Answer::read(&raw).unwrap();
        assert_eq!(answer.text(false), "\x1b[1mbold");
        assert!(answer.is_error && !answer.wants_input());
    }
}
