//! Hostile and broken input: the specified error, no panic, no hang, and the next caller is served.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Conn, Request, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene() -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let config = json!({
        "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))],
        "limits": { "readTimeout": "400ms", "maxRequestBytes": "64KiB" },
    });
    let vmcp = Vmcp::serve(config).await?;
    Ok((fixture, vmcp))
}

#[tokio::test]
async fn a_body_that_is_no_request_gets_the_error_for_it() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}1{}}}"#, r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let deep_list = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    // JSON-RPC 2.0, section 5.1. -32700: what cannot be parsed as JSON text, which is UTF-8 (RFC 8259, section 8.1). -32600: JSON, but no
    // valid request; MCP's requests have objects as parameters, and this gateway takes no more than 128 levels.
    let bodies: Vec<(&str, Vec<u8>, i64)> = vec![
        ("nothing", b"".to_vec(), -32700),
        ("white space", b" \n ".to_vec(), -32700),
        ("a truncated object", br#"{"jsonrpc":"2.0","id":1,"method":"pi"#.to_vec(), -32700),
        ("garbage", b"\x00\x01\x02\xff".to_vec(), -32700),
        ("text after the object", br#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#.to_vec(), -32700),
        ("two objects", br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#.to_vec(), -32700),
        ("a bad escape", br#"{"jsonrpc":"2.0","id":1,"method":"pi\xng"}"#.to_vec(), -32700),
        ("a bad number", br#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#.to_vec(), -32700),
        ("not UTF-8 in a string", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\xfe\"}}".to_vec(), -32700),
        ("a raw control character in a string", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\x01ng\"}".to_vec(), -32700),
        ("a byte order mark", b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".to_vec(), -32700),
        ("a trailing comma", br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#.to_vec(), -32700),
        ("an array", br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_vec(), -32600),
        ("an empty array", b"[]".to_vec(), -32600),
        ("a string", br#""ping""#.to_vec(), -32600),
        ("a number", b"1".to_vec(), -32600),
        ("null", b"null".to_vec(), -32600),
        ("an empty object", b"{}".to_vec(), -32600),
        ("no version", br#"{"id":1,"method":"ping"}"#.to_vec(), -32600),
        ("another version", br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_vec(), -32600),
        ("a method that is no string", br#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_vec(), -32600),
        ("an id that is an object", br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_vec(), -32600),
        ("an id that is null", br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_vec(), -32600),
        ("params that are an array", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#.to_vec(), -32600),
        ("params that are a string", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#.to_vec(), -32600),
        ("duplicate methods", br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_vec(), -32600),
        ("duplicate methods by escape", br#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#.to_vec(), -32600),
        ("duplicate params", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#.to_vec(), -32600),
        ("request and response at once", br#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#.to_vec(), -32600),
        ("result and error at once", br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#.to_vec(), -32600),
        ("deep objects", deep.into_bytes(), -32600),
        ("deep arrays", deep_list.into_bytes(), -32600),
    ];
    let client = vmcp.client(Era::Legacy).await?;
    let session = client.caller.session.clone().context("no session")?;
    for modern in [false, true] {
        for (what, body, code) in &bodies {
            let request = Request::post(body.clone());
            let request = if modern {
                request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "ping")
            } else {
                request.header("mcp-session-id", &session).header("mcp-protocol-version", "2025-11-25")
            };
            let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
            assert_eq!(response.status(), 400, "{what}, modern {modern}: {}", response.text());
            let answered = response.json().with_context(|| what.to_string())?["error"]["code"].as_i64();
            assert_eq!(answered, Some(*code), "{what}, modern {modern}: {}", response.text());
        }
    }
    let named = Rpc::new("tools/call", r#""name":"b_echo","arguments":{},"name":"b_headers""#);
    assert_eq!(client.sibling().await?.send(&named).await?.status(), 400, "two names: one could be checked and the other called");
    assert_eq!(fixture.calls().len(), 0);
    vmcp.unharmed().await
}

#[tokio::test]
async fn parameters_of_the_wrong_type_are_invalid() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        for (method, members) in [
            ("tools/call", r#""name":7"#),
            ("tools/call", r#""name":null"#),
            ("tools/call", r#""arguments":{}"#),
            ("tools/call", r#""name":"b_echo","arguments":[1]"#),
            ("tools/call", r#""name":"b_echo","arguments":"x""#),
            ("resources/read", r#""uri":{}"#),
            ("resources/read", ""),
            ("prompts/get", r#""name":[]"#),
            ("tools/list", r#""cursor":7"#),
        ] {
            let mut rpc = Rpc::new(method, members);
            if members.contains("b_echo") {
                rpc.name = Some("b_echo".to_owned());
            }
            let reply = client.send(&rpc).await?;
            let code = reply.error()?.code;
            // Without a name the modern era cannot compare the header, which is as good a reason to refuse.
            assert!(code == -32602 || (era == Era::Modern && code == -32020), "{era:?} {method} {members}: {code}");
        }
    }
    assert_eq!(fixture.calls().len(), 0);
    vmcp.unharmed().await
}

#[tokio::test]
async fn wrong_sessions_and_headers_get_the_specified_status() -> Result<()> {
    let (_fixture, vmcp) = scene().await?;
    let client = vmcp.client(Era::Legacy).await?;
    let call = client.caller.request(&Rpc::tool("b_echo", "{}"), "1");
    let cases = [
        ("no session", call.clone().without("mcp-session-id"), 400),
        ("an unknown session", call.clone().set("mcp-session-id", "unknown"), 404),
        ("an empty session", call.clone().set("mcp-session-id", ""), 404),
        ("a session of odd bytes", call.clone().set("mcp-session-id", b"v1.\xff\xfe"), 404),
        ("a very long session", call.clone().set("mcp-session-id", "v1.".to_owned() + &"A".repeat(8000)), 404),
        ("an unknown revision", call.clone().set("mcp-protocol-version", "not-a-version"), 400),
        ("a wrong content type", call.clone().set("content-type", "text/plain"), 415),
        ("no content type", call.clone().without("content-type"), 415),
        ("an Accept without JSON or SSE", call.clone().set("accept", "text/html"), 406),
        ("GET without SSE", client.caller.get().set("accept", "text/html"), 406),
        ("GET of an unknown session", client.caller.get().set("mcp-session-id", "unknown"), 404),
        ("DELETE of an unknown session", client.caller.delete().set("mcp-session-id", "unknown"), 404),
    ];
    for (what, request, status) in cases {
        let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
        let lenient = status == 404 && response.status() == 400 && what.contains("session of odd");
        assert!(response.status() == status || lenient, "{what}: {} instead of {status}: {}", response.status(), response.text());
    }
    vmcp.unharmed().await
}

#[tokio::test]
async fn a_protocol_header_that_says_two_things_is_refused() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let legacy = vmcp.client(Era::Legacy).await?;
    let other = vmcp.client(Era::Legacy).await?.caller.session.context("no session")?;
    let own = legacy.caller.session.clone().context("no session")?;
    let call = legacy.caller.request(&Rpc::tool("b_echo", "{}"), "1");
    let modern = vmcp.client(Era::Modern).await?.caller.request(&Rpc::tool("b_echo", "{}"), "1");
    let same = [
        ("one revision twice", call.clone().header("mcp-protocol-version", "2025-11-25")),
        ("the modern revision twice", modern.clone().header("mcp-protocol-version", "2026-07-28")),
    ];
    let requests = [
        ("one session twice", call.clone().header("mcp-session-id", &own)),
        ("two sessions", call.clone().header("mcp-session-id", &other)),
        ("a session and nothing", call.clone().header("mcp-session-id", "")),
        ("two sessions of a GET", legacy.caller.get().header("mcp-session-id", &other)),
        ("two sessions of a DELETE", legacy.caller.delete().header("mcp-session-id", &other)),
        ("two revisions of one era", call.clone().header("mcp-protocol-version", "2025-06-18")),
        ("a legacy and a modern revision", call.header("mcp-protocol-version", "2026-07-28")),
        ("a modern and a legacy revision", modern.clone().header("mcp-protocol-version", "2025-11-25")),
        ("two methods", modern.clone().header("mcp-method", "tools/list")),
        ("two names", modern.header("mcp-name", "b_headers")),
    ];
    for (what, request) in requests {
        let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
        assert_eq!(response.status(), 400, "{what}: {}", response.text());
    }
    assert_eq!(fixture.calls().len(), 0);
    // Libraries repeat this one; what says the same twice leaves no choice.
    for (what, request) in same {
        let response = Conn::open(vmcp.addr()).await?.exchange(&request).await?;
        assert_eq!(response.status(), 200, "{what}: {}", response.text());
    }
    let (mut one, mut two) = (legacy.sibling().await?, legacy.sibling().await?);
    two.caller.session = Some(other);
    for client in [&mut one, &mut two] {
        client.call("b_echo", "{}").await?.result().context("both sessions live on")?;
    }
    vmcp.unharmed().await
}

#[tokio::test]
async fn broken_http_is_refused_without_harm() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let length = body.len();
    let requests: Vec<(&str, String, u16)> = vec![
        ("no HTTP", "HELO gateway\r\n\r\n".to_owned(), 400),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), 400),
        ("no host", format!("POST /mcp HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"), 403),
        ("two hosts", format!("POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil\r\ncontent-length: {length}\r\n\r\n{body}"), 403),
        (
            "two lengths",
            format!("POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\ncontent-length: 3\r\n\r\n{body}"),
            400,
        ),
        ("a negative length", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n".to_owned(), 400),
        (
            "a bad chunk size",
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
                .to_owned(),
            400,
        ),
        ("a space in a header name", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx key : 1\r\n\r\n".to_owned(), 400),
        ("a header without a colon", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nnonsense\r\n\r\n".to_owned(), 400),
    ];
    for (what, bytes, status) in requests {
        let mut conn = Conn::open(vmcp.addr()).await?;
        conn.write(bytes.as_bytes()).await?;
        let answered = conn.head_or_end().await.with_context(|| format!("{what}: neither an answer nor the end"))?;
        assert_eq!(answered.map(|head| head.status), Some(status), "{what}");
    }
    assert_eq!(fixture.calls().len(), 0);
    vmcp.unharmed().await
}

#[tokio::test]
async fn length_and_chunks_at_once_smuggle_nothing() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let hidden = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx-key: smuggled\r\ncontent-length: 0\r\n\r\n";
    let bytes = format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"
    );
    let mut conn = Conn::open(vmcp.addr()).await?;
    conn.write(bytes.as_bytes()).await?;
    let first = conn.response().await?;
    assert!((400..500).contains(&first.status()), "{}", first.status());
    assert!(fixture.requests().iter().all(|request| !request.headers_contain("smuggled")));
    vmcp.unharmed().await
}

#[tokio::test]
async fn what_is_too_big_is_refused_by_its_size() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let client = vmcp.client(Era::Legacy).await?;
    let big = client.caller.request(&Rpc::tool("b_echo", &format!(r#"{{"text":"{}"}}"#, "z".repeat(70_000))), "1");
    let response = Conn::open(vmcp.addr()).await?.exchange(&big).await?;
    assert_eq!(response.status(), 413, "by its length");
    let mut conn = Conn::open(vmcp.addr()).await?;
    conn.write(&big.clone().header("transfer-encoding", "chunked").head(None)).await?;
    // The refusal may come, and the connection go, before the last chunk is written.
    for piece in big.body.chunks(8 * 1024) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        if conn.write(&chunk).await.is_err() {
            break;
        }
    }
    assert_eq!(conn.head().await?.status, 413, "chunk by chunk");
    let head = client.caller.request(&Rpc::tool("b_echo", "{}"), "1").header("x-padding", "p".repeat(80 * 1024));
    assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&head).await?.status(), 431, "a head beyond 64 KiB");
    let lines = |count: usize| {
        let call = client.caller.request(&Rpc::tool("b_echo", "{}"), "1");
        (0..count).fold(call, |call, number| call.header(&format!("x-line-{number}"), "1"))
    };
    assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&lines(300)).await?.status(), 431, "a head of 300 lines");
    assert_eq!(fixture.calls().len(), 0);
    assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&lines(80)).await?.status(), 200, "a head of 80 lines");
    vmcp.unharmed().await
}
