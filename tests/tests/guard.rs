//! Who is answered at all: the `Host` and `Origin` guard against pages that rebind names.

use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Rpc},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene(config: Value, host: &str) -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let mut whole = json!({ "backends": [fixture.entry(json!({}))] });
    if let (Some(whole), Value::Object(config)) = (whole.as_object_mut(), config) {
        whole.extend(config);
    }
    Ok((fixture, Vmcp::with(whole).args(&["--host", host]).start().await?))
}

async fn status(vmcp: &Vmcp, request: &Request) -> Result<u16> {
    Ok(Conn::open(vmcp.addr()).await?.exchange(request).await?.status())
}

fn call() -> Request {
    Caller::new(Era::Modern).request(&Rpc::tool("b_echo", "{}"), "1")
}

#[tokio::test]
async fn on_loopback_only_loopback_names_are_answered() -> Result<()> {
    let (fixture, vmcp) = scene(json!({}), "127.0.0.1").await?;
    let port = vmcp.addr().port();
    for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", &format!("localhost:{port}"), &format!("127.0.0.1:{port}"), "localhost:1"]
    {
        assert_eq!(status(&vmcp, &call().set("host", host)).await?, 200, "{host}");
    }
    let served = fixture.calls().len();
    for host in
        ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io", "evil.example.com:80", "localhost@evil", "127.0.0.2", ""]
    {
        for request in [call().set("host", host), Request::new("GET").set("host", host), Request::new("DELETE").set("host", host)] {
            let status = status(&vmcp, &request).await?;
            assert!(
                status == 403 || (host.is_empty() && status == 400) || (host.contains('@') && status == 400),
                "{host} {}: {status}",
                request.verb
            );
        }
        if !host.is_empty() && !host.contains('@') {
            assert_eq!(status(&vmcp, &Request::get("/status").set("host", host)).await?, 403, "/status for {host}");
            assert_eq!(status(&vmcp, &Request::get("/health").set("host", host)).await?, 200, "/health for {host}");
            assert_eq!(status(&vmcp, &Request::get("/readyz").set("host", host)).await?, 200, "/readyz for {host}");
        }
    }
    assert_eq!(fixture.calls().len(), served, "nothing reached a backend");
    Ok(())
}

#[tokio::test]
async fn the_target_counts_where_it_names_a_host() -> Result<()> {
    let (fixture, vmcp) = scene(json!({}), "127.0.0.1").await?;
    let request = Request { path: "http://evil.example.com/mcp".to_owned(), ..call() };
    let status = status(&vmcp, &request).await?;
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(fixture.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn foreign_origins_are_forbidden() -> Result<()> {
    let (fixture, vmcp) = scene(json!({}), "127.0.0.1").await?;
    for origin in ["http://localhost", "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:1"] {
        assert_eq!(status(&vmcp, &call().header("origin", origin)).await?, 200, "{origin}");
    }
    let served = fixture.calls().len();
    for origin in
        ["https://evil.example.com", "http://localhost.evil.example.com", "null", "", "http://localhost@evil.example.com", "localhost"]
    {
        assert_eq!(status(&vmcp, &call().header("origin", origin)).await?, 403, "{origin:?}");
    }
    assert_eq!(fixture.calls().len(), served);
    Ok(())
}

#[tokio::test]
async fn lists_of_hosts_and_origins_replace_the_defaults() -> Result<()> {
    let config = json!({ "allowedHosts": ["gate.example.com"], "allowedOrigins": ["https://app.example.com"] });
    for listen in ["127.0.0.1", "0.0.0.0"] {
        let (_fixture, vmcp) = scene(config.clone(), listen).await?;
        let call = call().set("host", "gate.example.com");
        assert_eq!(status(&vmcp, &call).await?, 200);
        assert_eq!(status(&vmcp, &call.clone().set("host", "gate.example.com:8443")).await?, 200);
        assert_eq!(status(&vmcp, &call.clone().set("host", "other.example.com")).await?, 403);
        assert_eq!(status(&vmcp, &call.clone().header("origin", "https://app.example.com")).await?, 200);
        for origin in ["http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil"] {
            assert_eq!(status(&vmcp, &call.clone().header("origin", origin)).await?, 403, "{origin}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn listening_beyond_loopback_without_lists_is_announced() -> Result<()> {
    let (_fixture, vmcp) = scene(json!({}), "0.0.0.0").await?;
    vmcp.logged("allowedHosts").await?;
    vmcp.logged("anyone who reaches 0.0.0.0").await?;
    assert_eq!(status(&vmcp, &call().set("host", "anything.example.com")).await?, 200);
    Ok(())
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_read_the_answers_and_no_others() -> Result<()> {
    let (_fixture, vmcp) = scene(json!({}), "127.0.0.1").await?;
    let exchange = async |request: &Request| Conn::open(vmcp.addr()).await?.exchange(request).await;
    let (own, foreign) = ("http://localhost:6274", "https://evil.example.com");
    let preflight =
        |origin: &str| Request::new("OPTIONS").header("origin", origin).header("access-control-request-headers", "content-type,x-tenant");
    let answer = exchange(&preflight(own)).await?;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.head.header("access-control-allow-origin"), Some(own));
    assert_eq!(answer.head.header("access-control-allow-headers"), Some("content-type,x-tenant"));
    let answer = exchange(&call().header("origin", own)).await?;
    assert_eq!(answer.head.header("access-control-allow-origin"), Some(own));
    assert!(answer.head.header("access-control-expose-headers").is_some_and(|names| names.contains("Mcp-Session-Id")));
    for request in [preflight(foreign), call().header("origin", foreign)] {
        let answer = exchange(&request).await?;
        assert_eq!((answer.status(), answer.head.header("access-control-allow-origin")), (403, None));
    }
    assert_eq!(exchange(&call()).await?.head.header("access-control-allow-origin"), None, "nothing for who is no page");
    Ok(())
}
