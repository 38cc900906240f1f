//! Resources that have another URI in the catalogue than at their backend: pages of MCP Apps whose own URI is another backend's.

use bytes::Bytes;
use vmcp_core::frame::{Edit, RawObject, elements, json_string};

/// The result of `resources/read` with the caller's URI where the backend has written its own. Untouched where it cannot be read.
pub(super) fn under_our_uri(result: Bytes, theirs: &str, ours: &str) -> Bytes {
    written(&result, theirs, ours).map_or(result, Bytes::from)
}

/// The error that tells of a resource, with the caller's URI in its `data` where the backend has written its own (2025-11-25 and
/// 2026-07-28, server/resources). Untouched where it tells of another one.
pub(super) fn error_under_our_uri(object: Bytes, theirs: &str, ours: &str) -> Bytes {
    renamed(&object, theirs, ours).map_or(object, Bytes::from)
}

fn renamed(object: &Bytes, theirs: &str, ours: &str) -> Option<Vec<u8>> {
    let object = RawObject::parse(std::str::from_utf8(object).ok()?).ok()?;
    let data = object.get_object("data").filter(|data| data.get_str("uri").is_some_and(|uri| uri == theirs))?;
    let (mut literal, mut told, mut out) = (Vec::new(), Vec::new(), Vec::new());
    json_string(ours, &mut literal);
    data.write(&[Edit::Set("uri", std::str::from_utf8(&literal).ok()?)], &mut told);
    object.write(&[Edit::Set("data", std::str::from_utf8(&told).ok()?)], &mut out);
    Some(out)
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
    #[test]
    fn an_error_that_tells_of_it_tells_of_our_uri() {
        let under = |error: &'static str| {
            let error = error_under_our_uri(Bytes::from_static(error.as_bytes()), "ui://show", "ui://b/show");
            String::from_utf8(error.to_vec()).unwrap()
        };
        assert_eq!(
            under(r#"{"code":-32002,"message":"no ui://show","data":{"uri":"ui://show","x":1.0}}"#),
            r#"{"code":-32002,"message":"no ui://show","data":{"uri":"ui://b/show","x":1.0}}"#
        );
        for untouched in ["7", r#"{"code":1}"#, r#"{"data":"ui://show"}"#, r#"{"data":{"uri":"ui://other"}}"#] {
            assert_eq!(under(untouched), untouched);
        }
    }
}
