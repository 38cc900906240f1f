use super::*;

fn status(failure: Failure, era: Era) -> u16 {
    failure.into_response(Some("1"), era).status().as_u16()
}

#[test]
fn modern_protocol_errors_have_a_status_and_legacy_ones_are_all_200() {
    for (make, modern) in
        [(Failure::header_mismatch as fn(&str) -> Failure, 400), (Failure::unknown_method, 404), (Failure::invalid_params, 200)]
    {
        assert_eq!(status(make("x"), Era::Modern), modern);
        assert_eq!(status(make("x"), Era::Legacy), 200);
    }
    assert_eq!(status(Failure::unsupported_version("[]", "\"x\""), Era::Modern), 400);
    assert_eq!(status(Failure::invalid_meta("x"), Era::Modern), 400);
}

#[test]
fn a_missing_resource_has_each_eras_code_and_the_uri() {
    let text = |era| String::from_utf8(Failure::unknown_resource("a://\"b", era).message(Some("7"))).unwrap();
    assert_eq!(
        text(Era::Modern),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Resource not found","data":{"uri":"a://\"b"}}}"#
    );
    assert!(text(Era::Legacy).contains("-32002"));
}

#[test]
fn a_backends_own_error_passes_byte_for_byte_where_the_callers_era_has_its_code() {
    let object = Bytes::from_static(br#"{"code":-7, "message":"no","data":{"a":1e400},"x":1}"#);
    for (caller, backend) in PAIRINGS {
        assert_eq!(Failure::passed(-7, object.clone(), caller, backend, None).object(), &object);
    }
    // Between legacy peers every code is the backend's own.
    for code in [-32002, -32020, -32022, -32042, -32602] {
        let object = Bytes::from(format!(r#"{{"code":{code},"message":"m","data":{{"uri":"a:b"}}}}"#));
        assert_eq!(Failure::passed(code, object.clone(), Era::Legacy, Era::Legacy, Some("a:b")).object(), &object);
    }
}

const PAIRINGS: [(Era, Era); 4] =
    [(Era::Legacy, Era::Legacy), (Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy), (Era::Modern, Era::Modern)];

fn passed(object: &'static str, caller: Era, backend: Era, uri: Option<&str>) -> String {
    let code = RawObject::parse(object).unwrap().get("code").unwrap().parse().unwrap();
    let failure = Failure::passed(code, Bytes::from_static(object.as_bytes()), caller, backend, uri);
    let text = String::from_utf8(failure.object().to_vec()).unwrap();
    assert!(text.contains(&format!("\"code\":{}", failure.code())), "{text}");
    text
}

#[test]
fn a_modern_backends_missing_resource_has_the_code_of_a_legacy_caller() {
    let (legacy, modern) = (Era::Legacy, Era::Modern);
    let missing = r#"{"code":-32602, "message":"No such note","data":{"uri":"a:b","x":1.0}}"#;
    let told = r#"{"code":-32002,"message":"No such note","data":{"uri":"a:b","x":1.0}}"#;
    assert_eq!(passed(missing, legacy, modern, Some("a:b")), told);
    assert_eq!(passed(missing, modern, modern, Some("a:b")), missing);
    // What is not said of this resource is not about it.
    assert_eq!(passed(missing, legacy, modern, Some("a:c")), missing);
    assert_eq!(passed(missing, legacy, modern, None), missing);
    let other = r#"{"code":-32602,"message":"a broken cursor"}"#;
    assert_eq!(passed(other, legacy, modern, Some("a:b")), other);
}

#[test]
fn what_a_modern_backend_says_of_vmcps_own_headers_reaches_no_caller() {
    for caller in [Era::Legacy, Era::Modern] {
        for object in [r#"{"code":-32020,"message":"Mcp-Name differs"}"#, r#"{"code":-32022,"message":"2026-07-28"}"#] {
            let text = passed(object, caller, Era::Modern, None);
            assert!(text.contains("-32603") && !text.contains("Mcp-Name") && !text.contains("2026"), "{caller:?}: {text}");
        }
    }
}

#[test]
fn a_modern_caller_hears_no_code_that_its_revision_forbids() {
    for backend in [Era::Legacy, Era::Modern] {
        let gone = r#"{"code":-32002,"message":"gone"}"#;
        assert!(passed(gone, Era::Modern, backend, Some("a:b")).contains(r#""data":{"uri":"a:b"}"#));
        assert_eq!(passed(gone, Era::Modern, backend, None), r#"{"code":-32602,"message":"gone"}"#);
        let own = r#"{"code":-32001,"message":"no","data":[1.0]}"#;
        let expected = if backend == Era::Legacy { r#"{"code":-32603,"message":"no","data":[1.0]}"# } else { own };
        assert_eq!(passed(own, Era::Modern, backend, None), expected);
        assert!(passed(r#"{"code":-32042,"message":"go"}"#, Era::Modern, backend, None).contains("-32021"));
    }
}
