//! Servers and clients that other people wrote: the protocol authors' test server and FastMCP behind the gateway, the Rust SDK's client,
//! the Python SDK's client and `curl` in front of it. Needs Node, Python and curl; the packages are installed once under `target/tools`.

use anyhow::{Context, Result, bail, ensure};
use hyper::header::{HeaderName, HeaderValue};
use rmcp::{
    model::{CallToolRequestParams, CallToolResult, ClientConfig, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams},
    service::{ClientLifecycleMode, ClientServiceExt},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::process::Command;
use vmcp_tests::{
    process::{Vmcp, binary},
    server::{Server, script},
    tools,
};

#[tokio::test]
async fn a_server_whose_port_was_taken_gets_another() -> Result<()> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let attempts = AtomicUsize::new(0);
    let server = Server::start(|port| {
        let port = if attempts.fetch_add(1, Ordering::Relaxed) == 0 { taken.local_addr()?.port() } else { port };
        let mut command = Command::new(env!("CARGO_BIN_EXE_fixture"));
        command.args(["--port", &port.to_string()]);
        Ok(command)
    })
    .await?;
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    ensure!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    Ok(())
}

/// What every full client must report, whatever it is written in.
fn expect(client: &str, report: &Value, protocol: &str) -> Result<()> {
    let holds = |key: &str, part: &str| {
        let found = report[key].as_array().is_some_and(|items| items.iter().any(|item| item == part));
        ensure!(found, "{client}: {part} is not among {key}: {}", report[key]);
        Ok(())
    };
    holds("tools", "everything_echo")?;
    holds("tools", "everything_get-sum")?;
    holds("tools", "fast_add")?;
    holds("resources", "interop://motd")?;
    holds("templates", "interop://square/{number}")?;
    holds("prompts", "everything_simple-prompt")?;
    holds("prompts", "fast_greet")?;
    let text = |key: &str| report[key].as_str().unwrap_or_default();
    ensure!(text("protocol") == protocol, "{client} speaks {} instead of {protocol}", report["protocol"]);
    ensure!(text("echo") == "Echo: hi", "{client}: echo: {}", report["echo"]);
    ensure!(text("add") == "5", "{client}: add: {}", report["add"]);
    ensure!(text("motd") == "All is well.", "{client}: motd: {}", report["motd"]);
    ensure!(text("square") == "144", "{client}: square: {}", report["square"]);
    ensure!(text("greeting") == "Say hello to Ann.", "{client}: greeting: {}", report["greeting"]);
    ensure!(text("headers").contains("from-") && !text("headers").contains("never"), "{client}: headers: {}", report["headers"]);
    ensure!(report["failure"][0] == true, "{client}: failure: {}", report["failure"]);
    ensure!(text("long").contains("completed"), "{client}: long: {}", report["long"]);
    Ok(())
}

fn text(result: &CallToolResult) -> Result<String> {
    let result = serde_json::to_value(result)?;
    Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
}

async fn rust_client(url: &str, lifecycle: ClientLifecycleMode) -> Result<Value> {
    let headers = HashMap::from([
        (HeaderName::from_static("x-interop"), HeaderValue::from_static("from-rust")),
        (HeaderName::from_static("x-unlisted"), HeaderValue::from_static("never")),
    ]);
    let config = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(headers);
    let client = ClientConfig::default().serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle).await?;
    let call = async |name: &'static str, arguments: Value| -> Result<CallToolResult> {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        client.call_tool(CallToolRequestParams::new(name).with_arguments(arguments)).await.with_context(|| name.to_owned())
    };
    let read = async |uri: &str| -> Result<Value> {
        Ok(serde_json::to_value(client.read_resource(ReadResourceRequestParams::new(uri)).await.with_context(|| uri.to_owned())?)?)
    };
    let mut prompt = GetPromptRequestParams::new("fast_greet");
    prompt.arguments = json!({ "name": "Ann" }).as_object().cloned();
    let greeting = serde_json::to_value(client.get_prompt(prompt).await.context("get_prompt")?)?;
    let failure = call("fast_explode", json!({})).await?;
    let report = json!({
        "protocol": client.peer_info().map(|info| info.protocol_version.to_string()),
        "tools": client.list_all_tools().await?.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>(),
        "resources": client.list_all_resources().await?.iter().map(|resource| resource.uri.clone()).collect::<Vec<_>>(),
        "templates": client.list_all_resource_templates().await?.iter().map(|template| template.uri_template.clone()).collect::<Vec<_>>(),
        "prompts": client.list_all_prompts().await?.iter().map(|prompt| prompt.name.clone()).collect::<Vec<_>>(),
        "echo": text(&call("everything_echo", json!({ "message": "hi" })).await?)?,
        "add": text(&call("fast_add", json!({ "a": 2, "b": 3 })).await?)?,
        "headers": text(&call("fast_headers", json!({})).await?)?,
        "motd": read("interop://motd").await?["contents"][0]["text"],
        "square": read("interop://square/12").await?["contents"][0]["text"],
        "greeting": greeting["messages"][0]["content"]["text"],
        "failure": [failure.is_error, text(&failure)?],
        "long": text(&call("everything_trigger-long-running-operation", json!({ "duration": 0.2, "steps": 2 })).await?)?,
    });
    client.cancel().await?;
    Ok(report)
}

/// `reach` says how: `http` or `sse` and a URL, or `stdio` and a command.
async fn python_client(mode: &str, reach: &[&str]) -> Result<Value> {
    let output = Command::new(tools::python()?).arg(script("client.py")).arg(mode).args(reach).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["progress"].as_array().is_some_and(|steps| !steps.is_empty()), "no progress arrived: {report}");
    Ok(report)
}

/// Runs curl and returns the head and the body's JSON, taken out of an SSE event where it stands in one.
async fn curl(url: &str, headers: &[&str], body: &str) -> Result<(String, Value)> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "30", "--data", body, url]);
    for header in headers.iter().chain(&["content-type: application/json", "accept: application/json, text/event-stream"]) {
        command.args(["--header", header]);
    }
    let output = command.output().await.context("running curl")?;
    ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").context("no body")?;
    let json = body.lines().find_map(|line| line.strip_prefix("data: ").filter(|data| data.starts_with('{'))).unwrap_or(body);
    Ok((head.to_owned(), serde_json::from_str(json).unwrap_or(Value::Null)))
}

async fn curl_legacy(url: &str) -> Result<()> {
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}"#;
    let (head, opened) = curl(url, &[], initialize).await?;
    ensure!(opened["result"]["protocolVersion"] == "2025-11-25", "{head}\n{opened}");
    let session = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id")));
    let session = format!("mcp-session-id: {}", session.context("no session id")?.1);
    let headers = [session.as_str(), "mcp-protocol-version: 2025-11-25", "x-interop: from-curl"];
    curl(url, &headers, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"everything_echo","arguments":{"message":"hi"}}}"#;
    let (_, echoed) = curl(url, &headers, call).await?;
    ensure!(echoed["result"]["content"][0]["text"] == "Echo: hi", "{echoed}");
    let (_, seen) =
        curl(url, &headers, r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"fast_headers","arguments":{}}}"#).await?;
    ensure!(seen["result"].to_string().contains("from-curl"), "{seen}");
    Ok(())
}

async fn curl_modern(url: &str) -> Result<()> {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let version = "mcp-protocol-version: 2026-07-28";
    for (name, arguments, answer) in
        [("everything_echo", r#"{"message":"hi"}"#, "Echo: hi"), ("fast_add", r#"{"a":2,"b":3}"#, "5"), ("fast_headers", "{}", "from-curl")]
    {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments},{meta}}}}}"#);
        let headers = [version, "mcp-method: tools/call", &format!("mcp-name: {name}"), "x-interop: from-curl"];
        let (_, result) = curl(url, &headers, &body).await?;
        let text = result["result"]["content"][0]["text"].as_str().unwrap_or_default();
        ensure!(text.contains(answer) && result["result"]["resultType"] == "complete", "{name}: {result}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_use_real_servers_through_the_gateway() -> Result<()> {
    let (everything, fast) = (Server::everything("streamableHttp").await?, Server::fastmcp().await?);
    let modern = || vec![ProtocolVersion::V_2026_07_28];
    let mut troubles = Vec::new();
    for era in ["auto", "legacy"] {
        let vmcp = Vmcp::serve(json!({
            "backends": [
                { "name": "everything", "url": everything.url() },
                { "name": "fast", "url": fast.url(), "protocolEra": era, "passthroughHeaders": [{ "name": "x-interop", "credential": false }] },
            ],
        }))
        .await?;
        let url = &vmcp.url();
        let mut check = |client: &str, outcome: Result<()>| {
            if let Err(error) = outcome {
                troubles.push(format!("{client}, FastMCP as {era}: {error:#}"));
            }
        };
        let lifecycles = [
            ("Rust legacy", ClientLifecycleMode::Initialize, "2025-11-25"),
            ("Rust modern", ClientLifecycleMode::Discover { preferred_versions: modern() }, "2026-07-28"),
            ("Rust auto", ClientLifecycleMode::Auto { preferred_versions: modern(), legacy_version: None }, "2026-07-28"),
        ];
        for (name, lifecycle, protocol) in lifecycles {
            check(name, rust_client(url, lifecycle).await.and_then(|report| expect(name, &report, protocol)));
        }
        for (name, mode, protocol) in [
            ("Python legacy", "legacy", "2025-11-25"),
            ("Python modern", "2026-07-28", "2026-07-28"),
            ("Python auto", "auto", "2026-07-28"),
        ] {
            check(name, python_client(mode, &["http", url]).await.and_then(|report| expect(name, &report, protocol)));
        }
        check("curl legacy", curl_legacy(url).await);
        check("curl modern", curl_modern(url).await);
    }
    if !troubles.is_empty() {
        bail!("{}", troubles.join("\n\n"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_client_comes_over_an_old_stream_and_over_a_pipe_too() -> Result<()> {
    let (everything, fast) = (Server::everything("streamableHttp").await?, Server::fastmcp().await?);
    let config = json!({
        "ssePath": "/sse",
        "backends": [
            { "name": "everything", "url": everything.url() },
            { "name": "fast", "url": fast.url(), "passthroughHeaders": [{ "name": "x-interop", "credential": false }] },
        ],
    });
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("vmcp.json");
    std::fs::write(&file, config.to_string())?;
    let vmcp = Vmcp::serve(config).await?;
    let sse = format!("http://{}/sse", vmcp.addr());
    let (binary, file) = (binary()?.to_string_lossy(), file.to_string_lossy());
    let stdio = ["stdio", &binary, "stdio", "--config", &file, "-H", "x-interop: from-python", "-H", "x-unlisted: never"];
    let mut troubles = Vec::new();
    for reach in [&["sse", &sse][..], &stdio] {
        for (mode, protocol) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
            if let Err(error) = python_client(mode, reach).await.and_then(|report| expect(reach[0], &report, protocol)) {
                troubles.push(format!("{} {mode}: {error:#}", reach[0]));
            }
        }
    }
    ensure!(troubles.is_empty(), "{}", troubles.join("\n\n"));
    Ok(())
}
