//! What a header configuration may not say: refused when it is loaded, all of it at once, naming entry, backend and reason.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::process::{Vmcp, run};

/// Names that no entry may have, at least one for every member of the closed lists, in several spellings.
const CLOSED: [&str; 62] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "transfer-encoding",
    "content-length",
    "http2-settings",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "proxy-anything",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-anything",
    "x-real-ip",
    "via",
    "x-original-url",
    "x-original-anything",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-param-region",
    "last-event-id",
    "accept",
    "accept-encoding",
    "content-type",
    "content-encoding",
    "origin",
    "traceparent",
    "tracestate",
    "baggage",
    "x-vmcp-anything",
    "Host",
    "HOST",
    "X-Forwarded-For",
    "X_Forwarded_For",
    "x.forwarded.for",
    "MCP_Session_Id",
    "Mcp.Session-Id",
    "Transfer_Encoding",
    "PROXY-AUTHORIZATION",
    "X-Real_IP",
    "Content.Length",
    "x_vmcp_anything",
    "Keep_Alive",
    "TE",
    "X_Original_URL",
    "Last_Event_ID",
    "True_Client_IP",
    "CF.Connecting.IP",
    "Accept_Encoding",
    "TraceParent",
];

/// Names that need `impersonation: true`.
const IMPERSONATION: [&str; 24] = [
    "remote-user",
    "x-remote-user",
    "x-remote-groups",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-envoy-original-path",
    "x-envoy-internal",
    "x-goog-iap-jwt-assertion",
    "x-goog-authenticated-user-email",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "cf-access-jwt-assertion",
    "cf-access-client-id",
    "x-client-cert",
    "ssl-client-cert",
    "ssl-client-verify",
    "x-consumer-id",
    "x-rewrite-url",
    "x-http-method-override",
    "sec-fetch-site",
    "Remote_User",
    "X_Auth.Request-User",
];

async fn validate(config: &Value) -> Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("vmcp.json"), serde_json::to_string_pretty(config)?)?;
    let output = run(folder.path(), &["validate", "vmcp.json"]).await?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}

fn with_backend(more: Value) -> Value {
    let mut entry = json!({ "name": "github", "url": "https://mcp.example.com/mcp" });
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    json!({ "backends": [entry] })
}

/// Whether one line of the output names this entry by its place.
fn names(text: &str, entry: &str) -> bool {
    text.lines().any(|line| line.to_lowercase().contains(&entry.to_lowercase()))
}

#[tokio::test]
async fn every_closed_name_is_refused_in_every_spelling_inbound() -> Result<()> {
    let all: Vec<&str> = CLOSED.into_iter().chain(IMPERSONATION).collect();
    for short in [true, false] {
        let entries: Vec<Value> = all.iter().map(|&name| if short { json!(name) } else { json!({ "name": name }) }).collect();
        let (accepted, text) = validate(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
        assert!(!accepted);
        for (index, name) in all.iter().enumerate() {
            let entry = format!("backends[0].passthroughHeaders[{index}]");
            assert!(names(&text, &entry), "`{name}` ({entry}) is not refused:\n{text}");
        }
        let mut global = with_backend(json!({}));
        global["passthroughHeaders"] = json!(entries);
        let (accepted, text) = validate(&global).await?;
        assert!(!accepted);
        for (index, name) in all.iter().enumerate() {
            assert!(names(&text, &format!("passthroughHeaders[{index}]")), "`{name}` is not refused globally:\n{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_closed_name_is_refused_in_every_spelling_outbound() -> Result<()> {
    let all: Vec<&str> = CLOSED.into_iter().chain(IMPERSONATION).collect();
    let entries: Vec<Value> = all.iter().enumerate().map(|(index, name)| json!({ "name": format!("x-in-{index}"), "as": name })).collect();
    let (accepted, text) = validate(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
    assert!(!accepted);
    for (index, name) in all.iter().enumerate() {
        assert!(names(&text, &format!("backends[0].passthroughHeaders[{index}]")), "`as: {name}` is not refused:\n{text}");
    }
    let statics: serde_json::Map<String, Value> = all.iter().map(|&name| (name.to_owned(), json!("value"))).collect();
    let (accepted, text) = validate(&with_backend(json!({ "headers": statics }))).await?;
    assert!(!accepted);
    for name in all {
        assert!(names(&text, name), "static `{name}` is not refused:\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_strategy_may_not_write_a_closed_name_either() -> Result<()> {
    for name in ["host", "Mcp_Session_Id", "content-length", "x-forwarded-for", "transfer-encoding"] {
        let mut config = with_backend(json!({}));
        config["outgoingAuth"] =
            json!({ "default": { "type": "header_injection", "headerInjection": { "headerName": name, "headerValue": "v" } } });
        let (accepted, text) = validate(&config).await?;
        assert!(!accepted && names(&text, name), "{name}:\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn impersonation_unlocks_its_own_list_and_nothing_else() -> Result<()> {
    let unlocked: Vec<Value> =
        // The last two are other spellings of earlier ones, and one list may have a name once.
        IMPERSONATION.iter().take(22).map(|name| json!({ "name": name, "impersonation": true })).collect();
    let (accepted, text) = validate(&with_backend(json!({ "passthroughHeaders": unlocked }))).await?;
    assert!(accepted, "{text}");
    let entries: Vec<Value> = CLOSED.iter().map(|name| json!({ "name": name, "impersonation": true })).collect();
    let (_, text) = validate(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
    for (index, name) in CLOSED.iter().enumerate() {
        assert!(names(&text, &format!("backends[0].passthroughHeaders[{index}]")), "impersonation unlocks `{name}`:\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn collisions_and_broken_entries_are_refused_with_their_names() -> Result<()> {
    let entries = |entries: Value| json!({ "passthroughHeaders": entries });
    let cases = [
        ("the same inbound name twice", entries(json!(["x-a", "X-A"])), "x-a"),
        ("the same inbound name in another spelling", entries(json!(["x-a", { "name": "x_a", "as": "x-b" }])), "x-a"),
        (
            "two entries for one outgoing name",
            entries(json!([{ "name": "x-a", "as": "x-out" }, { "name": "x-b", "as": "X_Out" }])),
            "x-out",
        ),
        ("an entry and a static header", json!({ "headers": { "x-a": "v" }, "passthroughHeaders": ["x-a"] }), "x-a"),
        (
            "a renamed entry and a static header",
            json!({ "headers": { "authorization": "v" }, "passthroughHeaders": [{ "name": "x-a", "as": "Authorization" }] }),
            "authorization",
        ),
        ("two static headers of one name", json!({ "headers": { "x-a": "v", "X_A": "w" } }), "x-a"),
        ("authorization without the opt-in", entries(json!(["authorization"])), "authorization"),
        ("cookie without the opt-in", entries(json!(["Cookie"])), "cookie"),
        ("an empty name", entries(json!([""])), "passthroughHeaders[0]"),
        ("a name with a space", entries(json!(["x a"])), "passthroughHeaders[0]"),
        ("a name with a line end", entries(json!(["x-a\r\nx-b"])), "passthroughHeaders[0]"),
        ("a name beyond ASCII", entries(json!(["x-ä"])), "passthroughHeaders[0]"),
        ("a format without a place", entries(json!([{ "name": "x-a", "format": "Bearer" }])), "format"),
        ("a format with two places", entries(json!([{ "name": "x-a", "format": "{} {}" }])), "format"),
        ("a format with a stray brace", entries(json!([{ "name": "x-a", "format": "{} }" }])), "format"),
        ("a format with a line end", entries(json!([{ "name": "x-a", "format": "{}\r\nx-b: 1" }])), "format"),
        ("a static value with a line end", json!({ "headers": { "x-a": "v\r\nx-b: w" } }), "x-a"),
        ("a credential over plain HTTP", json!({ "url": "http://mcp.example.com/mcp", "passthroughHeaders": ["x-key"] }), "allowPlaintext"),
    ];
    for (case, more, word) in cases {
        let (accepted, text) = validate(&with_backend(more)).await?;
        assert!(!accepted, "accepted: {case}");
        let line = text.lines().find(|line| line.to_lowercase().replace('_', "-").contains(&word.to_lowercase()));
        let line = line.with_context(|| format!("{case}: no line says {word:?}:\n{text}"))?;
        assert!(line.contains("github") || line.contains("backends[0]"), "{case}: the backend is not named: {line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_strategys_header_has_no_second_source() -> Result<()> {
    let injection = json!({ "backends": { "github": { "type": "header_injection", "headerInjection": { "headerName": "X-Api-Key", "headerValue": "v" } } } });
    for (case, more) in [
        ("passthrough", json!({ "passthroughHeaders": ["x-api-key"] })),
        ("renamed passthrough", json!({ "passthroughHeaders": [{ "name": "x-a", "as": "x_api_key" }] })),
        ("static", json!({ "headers": { "x-api-key": "w" } })),
    ] {
        let mut config = with_backend(more);
        config["outgoingAuth"] = injection.clone();
        let (accepted, text) = validate(&config).await?;
        assert!(!accepted && text.to_lowercase().contains("api"), "{case}:\n{text}");
    }
    let mut authorization = with_backend(json!({ "passthroughHeaders": ["authorization"], "allowCredentialHeaderPassthrough": true }));
    authorization["outgoingAuth"] =
        json!({ "default": { "type": "header_injection", "headerInjection": { "headerName": "authorization", "headerValue": "v" } } });
    let (accepted, text) = validate(&authorization).await?;
    assert!(!accepted && text.contains("authorization"), "{text}");
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
        let (accepted, text) = validate(&with_backend(more)).await?;
        assert!(accepted, "{case}:\n{text}");
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
