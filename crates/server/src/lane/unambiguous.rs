//! What a header repeats has to say one thing to every reader.

use crate::failure::Failure;
use vmcp_core::{
    catalogue::ParamHeader,
    frame::{FrameError, RawObject},
};

/// Refuses arguments in which a key stands twice in an object on the way to a property that a header repeats: whoever goes by the header
/// could see another value than whoever reads the body. Elsewhere duplicate keys are the backend's business.
pub(super) fn check_unambiguous(params: &RawObject<'_>, repeated: &[ParamHeader]) -> Result<(), Failure> {
    for parameter in repeated {
        let mut text = params.get("arguments");
        for key in parameter.path() {
            text = match text.map(RawObject::parse) {
                Some(Ok(object)) => object.get(key),
                Some(Err(FrameError::DuplicateKey(_))) => {
                    let pointer = parameter.pointer();
                    return Err(Failure::invalid_params(&format!(
                        "a key stands twice in `arguments`, on the way to `{pointer}`, which a header repeats; send it once"
                    )));
                }
                Some(Err(_)) | None => break,
            };
        }
    }
    Ok(())
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

    fn repeated() -> Arc<[ParamHeader]> {
        let tool = r#"{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},
            "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}}"#;
        let mut list = BackendList::builder(Era::Modern);
        list.add_page(ListKind::Tools, &[tool]).unwrap();
        let rules = Rules::compile(&Aggregation::default(), &["b"]).unwrap();
        let catalogue = rules.merge(&[Some(Arc::new(list.build()))], Era::Modern);
        Arc::clone(&catalogue.tool("b_t").unwrap().param_headers)
    }

    fn check(arguments: &str) -> Result<(), (i64, String)> {
        let params = format!(r#"{{"name":"b_t","arguments":{arguments}}}"#);
        let checked = check_unambiguous(&RawObject::parse(&params).unwrap(), &repeated());
        checked.map_err(|failure| (failure.code(), String::from_utf8(failure.object().to_vec()).unwrap()))
    }

    #[test]
    fn a_repeated_property_that_stands_twice_is_refused_without_its_value() {
        for arguments in [
            r#"{"region":"eu","region":"us"}"#,
            r#"{"region":"eu","r\u0065gion":"us"}"#,
            r#"{"deep":{"n":1},"deep":{"n":2}}"#,
            r#"{"region":"eu","deep":{"n":1,"n":2}}"#,
        ] {
            let (code, text) = check(arguments).unwrap_err();
            assert!(code == -32602 && text.contains("twice") && !text.contains("eu"), "{arguments}: {code} {text}");
        }
    }

    #[test]
    fn what_no_header_repeats_is_not_looked_at() {
        for arguments in ["{}", "null", "7", r#"{"region":"eu","free":{"a":1,"a":2}}"#, r#"{"deep":[{"n":1,"n":2}],"region":null}"#] {
            assert_eq!(check(arguments), Ok(()), "{arguments}");
        }
    }
}
