//! What a header configuration may not say: refused when it is loaded, all of it at once, naming entry, backend and reason. The closed
//! lists have `header_closed.rs`.

use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{process::Vmcp, verdict::Verdict};

fn with_backend(more: Value) -> Value {
    let mut entry = json!({ "name": "github", "url": "https://mcp.example.com/mcp" });
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    json!({ "backends": [entry] })
}

#[tokio::test]
async fn collisions_and_broken_entries_are_refused_at_their_place_for_their_reason() -> Result<()> {
    let entries = |entries: Value| json!({ "passthroughHeaders": entries });
    let entry = |index: usize| format!("backends[0].passthroughHeaders[{index}]");
    let own = |name: &str| format!("backends[0].headers.{name}");
    let cases: [(&str, Value, String, &[&str]); 18] = [
        ("the same inbound name twice", entries(json!(["x-a", "X-A"])), entry(1), &["`x-a`", "listed already", "[0]"]),
        (
            "the same inbound name in another spelling",
            entries(json!(["x-a", { "name": "x_a", "as": "x-b" }])),
            entry(1),
            &["`x_a`", "listed already", "[0]"],
        ),
        (
            "two entries for one outgoing name",
            entries(json!([{ "name": "x-a", "as": "x-out" }, { "name": "x-b", "as": "X_Out" }])),
            entry(1),
            &["`x-b`", "`x_out`", "backends[0].passthroughHeaders[0]"],
        ),
        (
            "an entry and a static header",
            json!({ "headers": { "x-a": "v" }, "passthroughHeaders": ["x-a"] }),
            entry(0),
            &["`x-a`", "backends[0].headers.x-a"],
        ),
        (
            "a renamed entry and a static header",
            json!({ "headers": { "authorization": "v" }, "passthroughHeaders": [{ "name": "x-a", "as": "Authorization" }] }),
            entry(0),
            &["`x-a`", "`authorization`", "backends[0].headers.authorization"],
        ),
        (
            "two static headers of one name",
            json!({ "headers": { "x-a": "v", "X_A": "w" } }),
            own("x-a"),
            &["`x-a`", "backends[0].headers.X_A"],
        ),
        ("authorization without the opt-in", entries(json!(["authorization"])), entry(0), &["`authorization`", "MCP forbids"]),
        ("cookie without the opt-in", entries(json!(["Cookie"])), entry(0), &["`cookie`", "MCP forbids"]),
        ("an empty name", entries(json!([""])), entry(0), &["without a name", "not a header name"]),
        ("a name with a space", entries(json!(["x a"])), entry(0), &["not a header name"]),
        ("a name with a line end", entries(json!(["x-a\r\nx-b"])), entry(0), &["not a header name"]),
        ("a name beyond ASCII", entries(json!(["x-ä"])), entry(0), &["not a header name"]),
        ("a format without a place", entries(json!([{ "name": "x-a", "format": "Bearer" }])), entry(0), &["`x-a`", "format"]),
        ("a format with two places", entries(json!([{ "name": "x-a", "format": "{} {}" }])), entry(0), &["`x-a`", "format"]),
        ("a format with a stray brace", entries(json!([{ "name": "x-a", "format": "{} }" }])), entry(0), &["`x-a`", "format"]),
        ("a format with a line end", entries(json!([{ "name": "x-a", "format": "{}\r\nx-b: 1" }])), entry(0), &["`x-a`", "format"]),
        ("a static value with a line end", json!({ "headers": { "x-a": "v\r\nx-b: w" } }), own("x-a"), &["`x-a`", "control character"]),
        (
            "a credential over plain HTTP",
            json!({ "url": "http://mcp.example.com/mcp", "passthroughHeaders": ["x-key"] }),
            "backends[0].url".to_owned(),
            &["`x-key`", "unencrypted", "allowPlaintext"],
        ),
    ];
    for (case, more, path, words) in cases {
        let verdict = Verdict::of(&with_backend(more)).await?;
        assert!(!verdict.accepted, "accepted: {case}");
        let words: Vec<&str> = words.iter().copied().chain(["`github`"]).collect();
        assert!(verdict.says(&path, &words) && verdict.stands_at([path.clone()]), "{case}: {path} {words:?}:\n{}", verdict.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_strategys_header_has_no_second_source() -> Result<()> {
    let injection = json!({ "backends": { "github": { "type": "header_injection", "headerInjection": { "headerName": "X-Api-Key", "headerValue": "v" } } } });
    let entry = "backends[0].passthroughHeaders[0]";
    for (case, more, path, outgoing) in [
        ("passthrough", json!({ "passthroughHeaders": ["x-api-key"] }), entry, "`x-api-key`"),
        ("renamed passthrough", json!({ "passthroughHeaders": [{ "name": "x-a", "as": "x_api_key" }] }), entry, "`x_api_key`"),
        ("static", json!({ "headers": { "x-api-key": "w" } }), "backends[0].headers.x-api-key", "`x-api-key`"),
    ] {
        let mut config = with_backend(more);
        config["outgoingAuth"] = injection.clone();
        let verdict = Verdict::of(&config).await?;
        let said = verdict.says(path, &[outgoing, "outgoing strategy", "`github`"]) && verdict.stands_at([path.to_owned()]);
        assert!(!verdict.accepted && said, "{case}:\n{}", verdict.text);
    }
    let mut authorization = with_backend(json!({ "passthroughHeaders": ["authorization"], "allowCredentialHeaderPassthrough": true }));
    authorization["outgoingAuth"] =
        json!({ "default": { "type": "header_injection", "headerInjection": { "headerName": "authorization", "headerValue": "v" } } });
    let verdict = Verdict::of(&authorization).await?;
    let said = verdict.says(entry, &["`authorization`", "outgoing strategy", "`github`"]) && verdict.stands_at([entry.to_owned()]);
    assert!(!verdict.accepted && said, "{}", verdict.text);
    Ok(())
}

#[tokio::test]
async fn what_is_allowed_is_accepted() -> Result<()> {
    for (case, more) in [
        ("rename to authorization", json!({ "passthroughHeaders": [{ "name": "x-token", "as": "authorization", "format": "Bearer {}" }] })),
        ("escaped braces", json!({ "passthroughHeaders": [{ "name": "x-a", "format": "{{{}}}" }] })),
        ("the opt-in", json!({ "passthroughHeaders": ["authorization", "cookie"], "allowCredentialHeaderPassthrough": true })),
        ("plain HTTP on loopback", json!({ "url": "http://127.0.0.1:1/mcp", "passthroughHeaders": ["x-key"] })),
        ("plain HTTP on request", json!({ "url": "http://mcp.example.com/mcp", "passthroughHeaders": ["x-key"], "allowPlaintext": true })),
        ("a secret that is not there yet", json!({ "headers": { "x-a": { "fromEnv": "NOT_SET_ANYWHERE" } } })),
    ] {
        let verdict = Verdict::of(&with_backend(more)).await?;
        assert!(verdict.accepted && verdict.errors.is_empty(), "{case}:\n{}", verdict.text);
    }
    Ok(())
}

#[tokio::test]
async fn serve_refuses_to_start_with_a_refused_header() -> Result<()> {
    let error = match Vmcp::serve(with_backend(json!({ "passthroughHeaders": ["x-forwarded-for"] }))).await {
        Ok(_) => anyhow::bail!("it started"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("x-forwarded-for") && error.contains("ended at once"), "{error}");
    Ok(())
}

#[tokio::test]
async fn credential_passthrough_is_announced_with_header_and_backend() -> Result<()> {
    let mut config = with_backend(json!({ "passthroughHeaders": ["authorization"], "allowCredentialHeaderPassthrough": true }));
    config["backends"][0]["url"] = json!("http://127.0.0.1:9/mcp");
    let vmcp = Vmcp::serve(config).await?;
    vmcp.logged("authorization").await?;
    let log = vmcp.log();
    assert!(
        log.lines().any(|line| line.contains("authorization") && line.contains("github") && line.to_lowercase().contains("warn")),
        "{log}"
    );
    Ok(())
}
