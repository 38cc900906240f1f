//! Hostile and broken input: the specified error, no panic, no hang, and the next caller is served.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Conn, Request, Rpc},
    eventually,
    fixture::{Fixture, Spec},
    proc_stat::keeps_open,
    process::Vmcp,
};

async fn scene() -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let config = json!({
        "backends": [fixture.entry(json!({ "passthroughHeaders": ["x-key"] }))],
        "limits": { "readTimeout": "400ms", "writeTimeout": "400ms", "maxRequestBytes": "64KiB" },
    });
    let vmcp = Vmcp::serve(config).await?;
    Ok((fixture, vmcp))
}

/// Whether the gateway still serves, and never panicked.
async fn unharmed(vmcp: &Vmcp) -> Result<()> {
    for era in Era::BOTH {
        vmcp.client(era).await?.call("b_echo", "{}").await?.result()?;
    }
    assert!(!vmcp.log().contains("panicked"), "{}", vmcp.log());
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_no_request_gets_the_error_for_it() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}1{}}}"#, r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let deep_list = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    // -32700: no JSON. -32600: JSON, but no request. 0: either, where the line between them is a matter of taste.
    let bodies: Vec<(&str, Vec<u8>, i64)> = vec![
        ("nothing", b"".to_vec(), 0),
        ("white space", b" \n ".to_vec(), 0),
        ("a truncated object", br#"{"jsonrpc":"2.0","id":1,"method":"pi"#.to_vec(), -32700),
        ("garbage", b"\x00\x01\x02\xff".to_vec(), -32700),
        ("text after the object", br#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#.to_vec(), -32700),
        ("two objects", br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#.to_vec(), -32700),
        ("a bad escape", br#"{"jsonrpc":"2.0","id":1,"method":"pi\xng"}"#.to_vec(), 0),
        ("a bad number", br#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#.to_vec(), -32700),
        ("not UTF-8 in a string", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\xfe\"}}".to_vec(), 0),
        ("a raw control character in a string", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\x01ng\"}".to_vec(), 0),
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
        ("params that are an array", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#.to_vec(), 0),
        ("params that are a string", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#.to_vec(), 0),
        ("duplicate methods", br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_vec(), -32600),
        ("duplicate methods by escape", br#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#.to_vec(), -32600),
        ("duplicate params", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#.to_vec(), -32600),
        ("request and response at once", br#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#.to_vec(), -32600),
        ("result and error at once", br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#.to_vec(), -32600),
        ("deep objects", deep.into_bytes(), 0),
        ("deep arrays", deep_list.into_bytes(), 0),
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
            let expected = if *code == 0 { [-32700, -32600, -32602].contains(&answered.unwrap_or(0)) } else { answered == Some(*code) };
            assert!(expected, "{what}, modern {modern}: {answered:?} instead of {code}");
        }
    }
    let named = Rpc::new("tools/call", r#""name":"b_echo","arguments":{},"name":"b_headers""#);
    assert_eq!(client.sibling().await?.send(&named).await?.status(), 400, "two names: one could be checked and the other called");
    assert_eq!(fixture.calls().len(), 0);
    unharmed(&vmcp).await
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
    unharmed(&vmcp).await
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
    unharmed(&vmcp).await
}

#[tokio::test]
async fn broken_http_is_refused_without_harm() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let length = body.len();
    let requests: Vec<(&str, String)> = vec![
        ("no HTTP", "HELO gateway\r\n\r\n".to_owned()),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned()),
        ("no host", format!("POST /mcp HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")),
        ("two hosts", format!("POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil\r\ncontent-length: {length}\r\n\r\n{body}")),
        ("two lengths", format!("POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\ncontent-length: 3\r\n\r\n{body}")),
        ("a negative length", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n".to_owned()),
        (
            "a bad chunk size",
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
                .to_owned(),
        ),
        ("a space in a header name", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx key : 1\r\n\r\n".to_owned()),
        ("a header without a colon", "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nnonsense\r\n\r\n".to_owned()),
    ];
    for (what, bytes) in requests {
        let mut conn = Conn::open(vmcp.addr()).await?;
        conn.write(bytes.as_bytes()).await?;
        if let Ok(head) = conn.head().await {
            assert!((400..500).contains(&head.status), "{what}: {}", head.status);
        }
    }
    assert_eq!(fixture.calls().len(), 0);
    unharmed(&vmcp).await
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
    unharmed(&vmcp).await
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
    assert_eq!(fixture.calls().len(), 0);
    unharmed(&vmcp).await
}

#[tokio::test]
async fn slow_senders_are_cut_off() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let client = vmcp.client(Era::Legacy).await?;
    let call = client.caller.request(&Rpc::tool("b_echo", "{}"), "1");
    let whole = call.bytes();
    let starts: [(&str, &[u8]); 4] =
        [("nothing", b""), ("half a line", b"POST /mc"), ("half a head", &whole[..60]), ("half a body", &whole[..whole.len() - 10])];
    for (what, bytes) in starts {
        let mut conn = Conn::open(vmcp.addr()).await?;
        conn.write(bytes).await?;
        if let Ok(head) = conn.head().await {
            assert_eq!(head.status, 408, "{what}");
            conn.body().await?;
        }
        conn.closes().await.with_context(|| format!("a sender of {what} is kept"))?;
    }
    let mut conn = Conn::open(vmcp.addr()).await?;
    conn.write(&whole[..whole.len() - 10]).await?;
    conn.half_close().await?;
    if let Ok(head) = conn.head().await {
        assert!((400..500).contains(&head.status), "half a body and a half-close: {}", head.status);
    }
    assert_eq!(fixture.calls().len(), 0);
    unharmed(&vmcp).await
}

#[tokio::test]
async fn slow_readers_are_cut_off_and_hold_up_nobody() -> Result<()> {
    let (_fixture, vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        client.call("b_echo", "{}").await?.result()?;
        let mut readers = Vec::new();
        for _ in 0..4 {
            let mut reader = client.sibling().await?;
            reader.conn = Conn::narrow(vmcp.addr()).await?;
            reader.start(&Rpc::tool("b_big", r#"{"bytes":15000000}"#)).await?;
            readers.push(reader);
        }
        // The first client's connection may have idled beyond the read timeout by now.
        let mut beside = client.sibling().await?;
        for _ in 0..20 {
            beside.call("b_echo", "{}").await?.result()?;
        }
        for reader in &mut readers {
            let end = reader.conn.local_addr()?;
            eventually("the gateway gives up on a reader that does not read", async || !keeps_open(vmcp.addr(), end)).await?;
            assert!(reader.conn.body().await.is_err(), "a cut body does not look like a whole one");
        }
    }
    unharmed(&vmcp).await
}
