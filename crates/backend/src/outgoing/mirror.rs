//! Parts of the body that modern requests repeat in headers (2026-07-28, basic/transports/streamable-http).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use vmcp_core::{
    catalogue::{ParamHeader, ParamKind},
    frame::{RawObject, decode_string},
};

pub(super) const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";
/// Integers in headers stay within what every JSON reader holds exactly.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What a modern request repeats.
#[derive(Clone, Copy)]
pub(crate) struct Mirrors<'a> {
    pub(crate) method: &'a str,
    /// The value of `Mcp-Name`.
    pub(crate) name: Option<&'a str>,
    pub(crate) params: &'a [ParamHeader],
    /// The request's `arguments`.
    pub(crate) arguments: Option<&'a RawObject<'a>>,
}

impl Mirrors<'_> {
    pub(crate) fn write(&self, out: &mut HeaderMap) {
        if let Ok(method) = HeaderValue::from_str(self.method) {
            out.insert(MCP_METHOD, method);
        }
        if let Some(name) = self.name {
            out.insert(MCP_NAME, mirrored(name));
        }
        for param in self.params {
            if let Some(mut value) = self.arguments.and_then(|arguments| argument(arguments, param)) {
                value.set_sensitive(true);
                out.insert(param.header(), value);
            }
        }
    }
}

/// `text` as a header value: as it is where a header can carry it, else in the base64 form.
pub(crate) fn mirrored(text: &str) -> HeaderValue {
    let is_printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let is_trimmed = !text.starts_with(' ') && !text.ends_with(' ');
    let is_ambiguous = text.starts_with(PREFIX) && text.ends_with(SUFFIX);
    let plain = is_printable && is_trimmed && !is_ambiguous;
    let value =
        if plain { HeaderValue::from_str(text) } else { HeaderValue::try_from(format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(text))) };
    // Both forms are printable ASCII.
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The header value of an argument; `None` where it is absent, null, or not of the type that the schema says: then the backend refuses
/// the call by its own lights.
fn argument(arguments: &RawObject<'_>, param: &ParamHeader) -> Option<HeaderValue> {
    let mut path = param.path();
    let mut raw = arguments.get(path.next()?)?;
    for name in path {
        raw = RawObject::parse(raw).ok()?.get(name)?;
    }
    match param.kind() {
        ParamKind::String => decode_string(raw).map(|text| mirrored(&text)),
        ParamKind::Boolean => matches!(raw, "true" | "false").then(|| HeaderValue::from_str(raw).ok()).flatten(),
        ParamKind::Integer => integer(raw).and_then(|number| HeaderValue::try_from(number.to_string()).ok()),
    }
}

/// The integer that a JSON number is: `5`, and `5.0` and `5e0` too.
fn integer(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse::<i64>() {
        return (number.unsigned_abs() <= SAFE_INTEGER as u64).then_some(number);
    }
    let number: f64 = raw.parse().ok()?;
    (raw.as_bytes().first()? != &b'"' && number.fract() == 0.0 && number.abs() <= SAFE_INTEGER).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use vmcp_core::{
        Era,
        catalogue::{BackendList, ListKind, Rules},
        config::Aggregation,
    };

    fn params(properties: &str) -> Arc<[ParamHeader]> {
        let tool = format!(r#"{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}"#);
        let mut list = BackendList::builder(Era::Modern);
        list.add_page(ListKind::Tools, &[&tool]).unwrap();
        let rules = Rules::compile(&Aggregation::default(), &["b"]).unwrap();
        let catalogue = rules.merge(&[Some(Arc::new(list.build()))], Era::Modern);
        Arc::clone(&catalogue.tool("b_t").unwrap().param_headers)
    }

    fn headers(arguments: &str) -> Vec<(String, String)> {
        let params = params(
            r#"{"region":{"type":"string","x-mcp-header":"Region"},"deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},"on":{"type":"boolean","x-mcp-header":"On"}}"#,
        );
        let arguments = RawObject::parse(arguments).unwrap();
        let mut out = HeaderMap::new();
        Mirrors { method: "tools/call", name: Some("t"), params: &params, arguments: Some(&arguments) }.write(&mut out);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        out.iter()
            .filter(|(name, _)| name.as_str().starts_with("mcp-param-"))
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    #[test]
    fn arguments_are_repeated_by_their_type() {
        let all = headers(r#"{"region":"eu\u002dwest","deep":{"n":5.0},"on":false}"#);
        let expected = [("mcp-param-region", "eu-west"), ("mcp-param-n", "5"), ("mcp-param-on", "false")];
        for (name, value) in expected {
            assert!(all.contains(&(name.to_owned(), value.to_owned())), "{all:?}");
        }
    }

    #[test]
    fn absent_null_and_mistyped_arguments_are_left_out() {
        for arguments in [
            "{}",
            r#"{"region":null,"deep":null,"on":null}"#,
            r#"{"region":7,"deep":{"n":"5"},"on":"true"}"#,
            r#"{"deep":{"n":1.5}}"#,
            r#"{"deep":{"n":9007199254740993}}"#,
        ] {
            assert!(headers(arguments).is_empty(), "{arguments}");
        }
    }

    #[test]
    fn what_a_header_cannot_carry_goes_in_base64() {
        for plain in ["a", "a b", "=?base64?x", "=?BASE64?eA==?=", "~!\"#"] {
            assert_eq!(mirrored(plain), plain);
        }
        assert_eq!(mirrored(""), "");
        for (text, sent) in [
            ("é", "=?base64?w6k=?="),
            (" a", "=?base64?IGE=?="),
            ("a\t", "=?base64?YQk=?="),
            ("a\r\nx: y", "=?base64?YQ0KeDogeQ==?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ] {
            assert_eq!(mirrored(text), sent, "{text:?}");
        }
    }
}
