//! Names that no header of a caller, of the configuration or of a strategy may have: refused when the configuration is loaded, and not
//! carried when a client sends them.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_core::header::ClosedGroup;
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
    verdict::Verdict,
};

/// Names that no entry may have, each with the words of its reason: the closed lists of the documentation, written a second time.
const CLOSED: [(&str, &[&str]); 3] = [
    (
        "every hop makes its own",
        &[
            "host",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "upgrade",
            "transfer-encoding",
            "content-length",
            "http2-settings",
            "proxy-authorization",
            "proxy-authenticate",
            "proxy-connection",
            "proxy-anything",
            "expect",
            "set-cookie",
        ],
    ),
    (
        "only a proxy in front may say",
        &[
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
        ],
    ),
    (
        "vmcp writes it itself",
        &[
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
        ],
    ),
];

/// Names that need `impersonation: true`, at least one for every member of the list.
const IMPERSONATION: [&str; 22] = [
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
];

type Spelling = fn(&str) -> String;

/// Ways to write one name that servers cannot tell apart.
const SPELLINGS: [(&str, Spelling); 6] = [
    ("as it is", str::to_owned),
    ("in capitals", str::to_ascii_uppercase),
    ("with underscores", |name| name.replace('-', "_")),
    ("with dots", |name| name.replace('-', ".")),
    ("with the first hyphen as an underscore, in capitals", |name| name.replacen('-', "_", 1).to_ascii_uppercase()),
    ("with the first hyphen as a dot and the others as underscores", |name| name.replacen('-', ".", 1).replace('-', "_")),
];

/// The closed names, in one spelling, each with the words of its reason.
fn closed(spelling: Spelling) -> Vec<(String, &'static str)> {
    CLOSED.iter().flat_map(|(reason, names)| names.iter().map(|name| (spelling(name), *reason))).collect()
}

/// The names that need `impersonation: true`, in one spelling.
fn impersonation(spelling: Spelling) -> Vec<String> {
    IMPERSONATION.iter().map(|name| spelling(name)).collect()
}

fn with_backend(more: Value) -> Value {
    let mut entry = json!({ "name": "github", "url": "https://mcp.example.com/mcp" });
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    json!({ "backends": [entry] })
}

/// Asserts that every entry of a list is refused, at its place, as closed: with its own name, the backend and the reason of its group.
fn refused(verdict: &Verdict, list: &str, towards: &str, names: &[(String, &str)], what: &str) {
    assert!(!verdict.accepted, "{what}");
    for (index, (name, reason)) in names.iter().enumerate() {
        let words = [format!("`{}`", name.to_lowercase()), towards.to_owned(), (*reason).to_owned()];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert!(verdict.says(&format!("{list}[{index}]"), &words), "{what}: `{name}` at {list}[{index}]:\n{}", verdict.text);
    }
    assert!(verdict.stands_at((0..names.len()).map(|index| format!("{list}[{index}]"))), "{what}:\n{}", verdict.text);
}

#[test]
fn the_lists_here_name_every_pattern_of_the_code_and_nothing_that_it_lets_pass() -> Result<()> {
    for group in ClosedGroup::ALL {
        let ours: Vec<String> = match group {
            ClosedGroup::Framing | ClosedGroup::Address | ClosedGroup::Own => {
                closed(str::to_owned).into_iter().map(|(name, _)| name).collect()
            }
            ClosedGroup::Impersonation => impersonation(str::to_owned),
            ClosedGroup::Credential => vec!["authorization".to_owned(), "cookie".to_owned()],
        };
        for pattern in group.patterns() {
            let fits = |name: &String| pattern.strip_suffix('*').map_or(name == pattern, |beginning| name.starts_with(beginning));
            assert!(ours.iter().any(fits), "{group:?}: no name here tests `{pattern}`");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_closed_name_is_refused_in_every_spelling_inbound() -> Result<()> {
    for (what, spelling) in SPELLINGS {
        let names: Vec<_> = closed(spelling)
            .into_iter()
            .chain(impersonation(spelling).into_iter().map(|name| (name, "callers could pass for anybody")))
            .collect();
        let short: Vec<Value> = names.iter().map(|(name, _)| json!(name)).collect();
        let long: Vec<Value> = names.iter().map(|(name, _)| json!({ "name": name })).collect();
        for entries in [short, long] {
            let verdict = Verdict::of(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
            refused(&verdict, "backends[0].passthroughHeaders", "github", &names, what);
            let mut global = with_backend(json!({}));
            global["passthroughHeaders"] = json!(entries);
            refused(&Verdict::of(&global).await?, "passthroughHeaders", "every backend", &names, what);
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_closed_name_is_refused_in_every_spelling_outbound() -> Result<()> {
    for (what, spelling) in SPELLINGS {
        let names: Vec<_> = closed(spelling)
            .into_iter()
            .chain(impersonation(spelling).into_iter().map(|name| (name, "callers could pass for anybody")))
            .collect();
        let entries: Vec<Value> =
            names.iter().enumerate().map(|(index, (name, _))| json!({ "name": format!("x-in-{index}"), "as": name })).collect();
        let verdict = Verdict::of(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
        refused(&verdict, "backends[0].passthroughHeaders", "github", &names, what);
    }
    Ok(())
}

#[tokio::test]
async fn every_closed_name_is_refused_in_every_spelling_as_a_static_header() -> Result<()> {
    for (what, spelling) in SPELLINGS {
        let names: Vec<_> = closed(spelling)
            .into_iter()
            .chain(impersonation(spelling).into_iter().map(|name| (name, "proxies set it and servers trust it")))
            .collect();
        let statics: serde_json::Map<String, Value> = names.iter().map(|(name, _)| (name.clone(), json!("value"))).collect();
        let verdict = Verdict::of(&with_backend(json!({ "headers": statics }))).await?;
        assert!(!verdict.accepted, "{what}");
        let path = |name: &str| format!("backends[0].headers.{name}");
        for (name, reason) in &names {
            let shown = format!("`{}`", name.to_lowercase());
            assert!(verdict.says(&path(name), &[&shown, "github", reason]), "{what}: static `{name}`:\n{}", verdict.text);
        }
        assert!(verdict.stands_at(names.iter().map(|(name, _)| path(name))), "{what}:\n{}", verdict.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_strategy_may_not_write_a_closed_name_either() -> Result<()> {
    for (what, spelling) in SPELLINGS {
        let names = closed(spelling);
        let (mut backends, mut strategies) = (Vec::new(), serde_json::Map::new());
        for (index, (name, _)) in names.iter().enumerate() {
            backends.push(json!({ "name": format!("b{index}"), "url": "https://mcp.example.com/mcp" }));
            let strategy = json!({ "type": "header_injection", "headerInjection": { "headerName": name, "headerValue": "v" } });
            strategies.insert(format!("b{index}"), strategy);
        }
        let verdict = Verdict::of(&json!({ "backends": backends, "outgoingAuth": { "backends": strategies } })).await?;
        assert!(!verdict.accepted, "{what}");
        let path = |index: usize| format!("outgoingAuth.backends.b{index}");
        for (index, (name, reason)) in names.iter().enumerate() {
            let (shown, backend) = (format!("`{}`", name.to_lowercase()), format!("`b{index}`"));
            assert!(verdict.says(&path(index), &[&shown, &backend, reason]), "{what}: `{name}` of b{index}:\n{}", verdict.text);
        }
        assert!(verdict.stands_at((0..names.len()).map(path)), "{what}:\n{}", verdict.text);
    }
    Ok(())
}

#[tokio::test]
async fn impersonation_unlocks_its_own_list_and_nothing_else() -> Result<()> {
    for (what, spelling) in SPELLINGS {
        let unlocked: Vec<Value> = impersonation(spelling).iter().map(|name| json!({ "name": name, "impersonation": true })).collect();
        let verdict = Verdict::of(&with_backend(json!({ "passthroughHeaders": unlocked }))).await?;
        assert!(verdict.accepted, "{what}:\n{}", verdict.text);
        let names = closed(spelling);
        let entries: Vec<Value> = names.iter().map(|(name, _)| json!({ "name": name, "impersonation": true })).collect();
        let verdict = Verdict::of(&with_backend(json!({ "passthroughHeaders": entries }))).await?;
        refused(&verdict, "backends[0].passthroughHeaders", "github", &names, what);
    }
    Ok(())
}

/// The names whose header the gateway writes itself on a request to a backend, with a value of its own.
const WRITTEN: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "accept",
    "accept-encoding",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
];

/// What a client has to send itself for its request to be one; these cannot carry the mark.
const FRAME: [&str; 9] = [
    "host",
    "connection",
    "transfer-encoding",
    "content-length",
    "content-type",
    "content-encoding",
    "accept",
    "mcp-session-id",
    "mcp-protocol-version",
];

#[tokio::test]
async fn no_closed_header_that_a_client_sends_reaches_a_backend() -> Result<()> {
    let mark = "from-the-client";
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))] })).await?;
        let mut client = vmcp.client_of(caller).header("x-key", "mine").connect().await?;
        client.call("b_echo", "{}").await?.result()?;
        fixture.forget_requests();
        let own: &[&str] = if caller == Era::Modern { &["mcp-method", "mcp-name"] } else { &[] };
        let closed: Vec<String> = closed(str::to_owned).into_iter().map(|(name, _)| name).chain(impersonation(str::to_owned)).collect();
        let credentials = ["authorization", "cookie"].map(str::to_owned);
        let sent: Vec<&String> = closed.iter().chain(&credentials).filter(|name| !FRAME.contains(&name.as_str())).collect();
        // Both spellings at once would be more lines than a head may have.
        for (what, spelling) in [SPELLINGS[0], SPELLINGS[2]] {
            let mut client = client.sibling().await?;
            for name in sent.iter().filter(|name| !own.contains(&name.as_str())) {
                // The guard reads this one, and lets in what comes from this machine.
                let value = if *name == "origin" { "http://localhost:4711" } else { mark };
                client.caller.set(&spelling(name), value);
            }
            client.caller.set("connection", format!("keep-alive, {mark}"));
            client.caller.set("content-encoding", "identity");
            for rpc in [
                Rpc::tool("b_echo", "{}"),
                Rpc::read("fixture://b/text"),
                Rpc::prompt("b_greet", r#"{"who":"Ann"}"#),
                Rpc::list("tools/list", None),
            ] {
                client.send(&rpc).await?.result().with_context(|| format!("{caller:?} {backend:?} {} {what}", rpc.method))?;
            }
        }
        let requests = fixture.requests();
        for method in ["tools/call", "resources/read", "prompts/get"] {
            let arrived: Vec<_> = requests.iter().filter(|request| request.method.as_deref() == Some(method)).collect();
            assert_eq!(arrived.len(), 2, "{caller:?} {backend:?} {method}");
            assert!(
                arrived.iter().all(|request| request.value("x-key") == Some("mine")),
                "{caller:?} {backend:?} {method}: what is listed arrives"
            );
        }
        for request in requests {
            let at = format!("{caller:?} caller, {backend:?} backend: {request:?}");
            assert!(!request.headers_contain(mark) && !request.headers_contain("4711"), "a closed value arrived: {at}");
            for (name, _) in &request.headers {
                let name = name.replace(['_', '.'], "-");
                let known = closed.contains(&name) || credentials.contains(&name) || name == "connection";
                assert!(!known || WRITTEN.contains(&name.as_str()), "{name} arrived: {at}");
            }
            assert_eq!(request.value("host"), Some(fixture.addr().to_string().as_str()), "{at}");
            assert_ne!(request.session(), client.caller.session.as_deref().or(Some("")), "{at}");
        }
    }
    Ok(())
}
