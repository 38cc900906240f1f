//! Headers that repeat the body (2026-07-28, basic/transports/streamable-http; SEP-2243): who processes the body has to compare them.

use super::{
    decimal::is_same_number,
    noted::{Noted, Once},
};
use crate::{
    failure::Failure,
    lane::{Carried, is_task_method},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;
use vmcp_core::{
    catalogue::{ParamHeader, ParamKind},
    frame::{RawObject, decode_string},
};

/// Compares `Mcp-Method` and `Mcp-Name` with the body.
pub(crate) fn check_mirrored(noted: &Noted, method: &str, params: &RawObject<'_>) -> Result<(), Failure> {
    if text("mcp-method", noted.method.as_ref())? != method {
        return Err(Failure::header_mismatch("Mcp-Method differs from the method in the body"));
    }
    if let Some(mirrored) = mirrored(method) {
        let header = text("mcp-name", noted.name.as_ref())?;
        let name = decode(header).ok_or_else(|| Failure::header_mismatch("Mcp-Name is not valid base64 in its `=?base64?…?=` form"))?;
        if params.get_str(mirrored).is_none_or(|body| body != name) {
            return Err(Failure::header_mismatch(&format!("Mcp-Name differs from `{mirrored}` in the body")));
        }
    }
    Ok(())
}

/// The parameter that `Mcp-Name` repeats (2026-07-28, basic/transports/streamable-http; SEP-2663 for tasks).
fn mirrored(method: &str) -> Option<&'static str> {
    if is_task_method(method) { Some("taskId") } else { Carried::from_method(method)?.mirrored() }
}

/// Compares the headers that repeat arguments (`x-mcp-header` in the tool's schema) with the arguments.
pub(crate) fn check_repeated(headers: &HeaderMap, params: &RawObject<'_>, repeated: &[ParamHeader]) -> Result<(), Failure> {
    if repeated.is_empty() {
        return Ok(());
    }
    let arguments = params.get_object("arguments");
    for parameter in repeated {
        let name = parameter.header();
        let argument = arguments.as_ref().and_then(|arguments| argument(arguments, parameter.path()));
        let mismatch = || Failure::header_mismatch(&format!("the header {name} differs from the argument that it repeats"));
        match (headers.contains_key(name), argument) {
            (false, None) => {}
            (true, None) | (false, Some(_)) => return Err(mismatch()),
            (true, Some(argument)) => {
                let header = decode(single(headers, name)?).ok_or_else(mismatch)?;
                let same = match parameter.kind() {
                    // As numbers, so that `7` and `7.0` are the same.
                    ParamKind::Integer => is_same_number(&header, argument),
                    ParamKind::Boolean => header == argument,
                    ParamKind::String => decode_string(argument).is_some_and(|text| text == header),
                };
                if !same {
                    return Err(mismatch());
                }
            }
        }
    }
    Ok(())
}

/// The JSON text at a path of property names. An argument that is `null` counts as absent.
fn argument<'a, 'p>(arguments: &RawObject<'a>, path: impl Iterator<Item = &'p str>) -> Option<&'a str> {
    let mut path = path.peekable();
    let mut object = arguments.clone();
    while let Some(key) = path.next() {
        let value = object.get(key).filter(|value| *value != "null")?;
        if path.peek().is_none() {
            return Some(value);
        }
        object = RawObject::parse(value).ok()?;
    }
    None
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Failure> {
    let mut once = Once::Absent;
    headers.get_all(name).iter().for_each(|value| once.add(value));
    text(name.as_str(), once)
}

fn text<'h>(name: &str, value: Once<&'h HeaderValue>) -> Result<&'h str, Failure> {
    let value = match value {
        Once::One(value) => value,
        Once::Absent => return Err(Failure::header_mismatch(&format!("the header {name} is missing"))),
        Once::More => return Err(Failure::header_mismatch(&format!("the header {name} stands twice"))),
    };
    let value =
        value.to_str().map_err(|_| Failure::header_mismatch(&format!("the header {name} has characters that are not visible ASCII")))?;
    Ok(value.trim_matches([' ', '\t']))
}

/// The value behind the sentinel form; a value that only looks a little like it stands for itself. `None`: the form is right and the
/// content is not.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(value));
    };
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], method: &str, params: &str) -> Result<(), i64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        check_mirrored(&Noted::of(&map), method, &RawObject::parse(params).unwrap()).map_err(|failure| failure.code())
    }

    #[test]
    fn headers_that_say_what_the_body_says_pass() {
        assert_eq!(check(&[("mcp-method", "tools/list")], "tools/list", "{}"), Ok(()));
        assert_eq!(check(&[("mcp-method", "tools/call"), ("mcp-name", "a_b")], "tools/call", r#"{"name":"a_b"}"#), Ok(()));
        assert_eq!(check(&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?w6k=?=")], "tools/call", r#"{"name":"é"}"#), Ok(()));
        assert_eq!(
            check(&[("mcp-method", "tools/call"), ("mcp-name", "=?BASE64?w6k=?=")], "tools/call", r#"{"name":"=?BASE64?w6k=?="}"#),
            Ok(())
        );
    }

    #[test]
    fn missing_differing_doubled_and_broken_headers_are_a_mismatch() {
        let mismatch = Err(-32020);
        assert_eq!(check(&[], "tools/list", "{}"), mismatch);
        assert_eq!(check(&[("mcp-method", "Tools/List")], "tools/list", "{}"), mismatch);
        assert_eq!(check(&[("mcp-method", "tools/list"), ("mcp-method", "tools/list")], "tools/list", "{}"), mismatch);
        assert_eq!(check(&[("mcp-method", "tools/call")], "tools/call", r#"{"name":"a"}"#), mismatch);
        assert_eq!(check(&[("mcp-method", "tools/call"), ("mcp-name", "b")], "tools/call", r#"{"name":"a"}"#), mismatch);
        assert_eq!(check(&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?w6k?=")], "tools/call", r#"{"name":"é"}"#), mismatch);
        assert_eq!(check(&[("mcp-method", "resources/read"), ("mcp-name", "a://b")], "resources/read", r#"{"uri":"a://c"}"#), mismatch);
    }
}
