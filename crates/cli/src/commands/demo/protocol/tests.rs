use super::*;

const SERVER: Whoami = Whoami { name: "wiki" };

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn modern(method: &str, name: Option<&str>) -> HeaderMap {
    let mut lines = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    lines.extend(name.map(|name| ("mcp-name", name)));
    headers(&lines)
}

fn ask(headers: &HeaderMap, method: &str, mut params: Value) -> (u16, Value) {
    if headers.contains_key("mcp-method") && params.get("_meta").is_none() {
        params["_meta"] = json!({ VERSION: "2026-07-28", CAPABILITIES: {} });
    }
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
    let Answer { status, message } = SERVER.answer(headers, body.as_bytes());
    (status.as_u16(), message.unwrap())
}

#[test]
fn it_opens_in_both_eras() {
    let (status, message) = ask(&modern("server/discover", None), "server/discover", json!({}));
    assert_eq!((status, &message["result"]["supportedVersions"][0]), (200, &json!("2026-07-28")));
    assert_eq!(message["result"]["resultType"], "complete");
    assert_eq!(message["result"]["cacheScope"], "public");
    for (asked, answered) in [("2025-06-18", "2025-06-18"), ("2024-11-05", "2025-11-25"), ("2026-07-28", "2025-11-25"), ("x", "2025-11-25")]
    {
        let (status, message) = ask(&HeaderMap::new(), "initialize", json!({ "protocolVersion": asked }));
        assert_eq!((status, &message["result"]["protocolVersion"]), (200, &json!(answered)), "{asked}");
    }
}

#[test]
fn the_tool_answers_with_every_header_in_both_eras() {
    let mut sent = modern("tools/call", Some("whoami"));
    sent.append("x-a", "1".parse().unwrap());
    sent.append("x-a", "2".parse().unwrap());
    let (_, message) = ask(&sent, "tools/call", json!({ "name": "whoami" }));
    let received = message["result"]["structuredContent"]["headers"].as_array().unwrap();
    assert_eq!(received[3..], ["x-a: 1", "x-a: 2"]);
    assert_eq!(received.len(), 5);
    let (_, message) = ask(&headers(&[("x-a", "1")]), "tools/call", json!({ "name": "whoami", "arguments": {} }));
    assert_eq!(message["result"]["structuredContent"], json!({ "server": "wiki", "headers": ["x-a: 1"] }));
    assert_eq!(message["result"]["content"][0]["text"], r#"{"server":"wiki","headers":["x-a: 1"]}"#);
}

#[test]
fn a_modern_request_has_to_carry_what_the_specification_demands() {
    let discover = |headers: &HeaderMap, params| {
        let (status, message) = ask(headers, "server/discover", params);
        (status, message["error"]["code"].as_i64())
    };
    let good = modern("server/discover", None);
    assert_eq!(discover(&good, json!({ "_meta": {} })), (400, Some(INVALID_PARAMS)));
    assert_eq!(discover(&good, json!({ "_meta": { VERSION: "2026-07-28" } })), (400, Some(INVALID_PARAMS)));
    assert_eq!(discover(&good, json!({ "_meta": { VERSION: "2027-01-01", CAPABILITIES: {} } })), (400, Some(HEADER_MISMATCH)));
    assert_eq!(discover(&modern("tools/list", None), json!({})), (400, Some(HEADER_MISMATCH)));
    let future = headers(&[("mcp-protocol-version", "2027-01-01"), ("mcp-method", "server/discover")]);
    assert_eq!(discover(&future, json!({ "_meta": { VERSION: "2027-01-01", CAPABILITIES: {} } })), (400, Some(UNSUPPORTED_VERSION)));
    let (status, message) = ask(&modern("tools/call", Some("other")), "tools/call", json!({ "name": "whoami" }));
    assert_eq!((status, message["error"]["code"].as_i64()), (400, Some(HEADER_MISMATCH)));
}

#[test]
fn what_it_does_not_know_it_refuses() {
    let code = |(status, message): (u16, Value)| (status, message["error"]["code"].as_i64());
    assert_eq!(code(ask(&modern("initialize", None), "initialize", json!({}))), (404, Some(-32601)));
    assert_eq!(code(ask(&HeaderMap::new(), "server/discover", json!({}))), (200, Some(-32601)));
    assert_eq!(code(ask(&HeaderMap::new(), "tools/call", json!({ "name": "other" }))), (200, Some(INVALID_PARAMS)));
    let (_, message) = ask(&HeaderMap::new(), "tools/call", json!({ "name": "whoami", "arguments": { "a": 1 } }));
    assert_eq!(message["result"]["isError"], true);
    assert_eq!(SERVER.answer(&HeaderMap::new(), b"[]").status, StatusCode::BAD_REQUEST);
    let initialized = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(SERVER.answer(&HeaderMap::new(), initialized), Answer { status: StatusCode::ACCEPTED, message: None });
}
