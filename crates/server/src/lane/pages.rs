//! Resources that have another URI in the catalogue than at their backend: pages of MCP Apps whose own URI is another backend's.

use bytes::Bytes;
use vmcp_core::frame::{Edit, RawObject, elements, json_string};

/// The result of `resources/read` with the caller's URI where the backend has written its own. Untouched where it cannot be read.
pub(super) fn under_our_uri(result: Bytes, theirs: &str, ours: &str) -> Bytes {
    written(&result, theirs, ours).map_or(result, Bytes::from)
}

fn written(result: &Bytes, theirs: &str, ours: &str) -> Option<Vec<u8>> {
    let object = RawObject::parse(std::str::from_utf8(result).ok()?).ok()?;
    let mut literal = Vec::new();
    json_string(ours, &mut literal);
    let literal = String::from_utf8(literal).ok()?;
    let mut contents = Vec::with_capacity(result.len());
    for text in elements(object.get("contents")?).ok()? {
        contents.push(if contents.is_empty() { b'[' } else { b',' });
        match RawObject::parse(text) {
            Ok(content) if content.get_str("uri").is_some_and(|uri| uri == theirs) => {
                content.write(&[Edit::Set("uri", &literal)], &mut contents);
            }
            _ => contents.extend_from_slice(text.as_bytes()),
        }
    }
    if contents.is_empty() {
        return None;
    }
    contents.push(b']');
    let mut out = Vec::with_capacity(result.len() + 64);
    object.write(&[Edit::Set("contents", std::str::from_utf8(&contents).ok()?)], &mut out);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(result: &'static str) -> String {
        String::from_utf8(under_our_uri(Bytes::from_static(result.as_bytes()), "ui://show", "ui://b/show").to_vec()).unwrap()
    }

    #[test]
    fn only_the_uri_that_was_asked_for_changes() {
        assert_eq!(
            under(r#"{"contents":[{ "uri" : "ui://show" ,"text":"<p>ui://show</p>","n":1e400},{"uri":"ui://other"}],"ttlMs":1.0}"#),
            r#"{"contents":[{"uri":"ui://b/show","text":"<p>ui://show</p>","n":1e400},{"uri":"ui://other"}],"ttlMs":1.0}"#
        );
        for untouched in ["7", "{}", r#"{"contents":{}}"#, r#"{"contents" : []}"#] {
            assert_eq!(under(untouched), untouched);
        }
    }
}
