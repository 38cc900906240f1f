//! Arguments that a header repeats: header and body have to say one thing, to every reader.

use anyhow::Result;
use serde_json::json;
use vmcp_tests::{Era, client::Rpc, fixture::Spec, process::Vmcp};

#[tokio::test]
async fn an_argument_that_a_header_repeats_cannot_stand_twice_whoever_sends_it_to_whom() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let mut client = vmcp.client(caller).await?;
        client.tools().await?;
        for arguments in [r#"{"region":"eu","region":"us"}"#, r#"{"region":"us","deep":{"level":7},"deep":{"level":8}}"#] {
            for region in ["eu", "us"] {
                let rpc = Rpc::tool("b_regional", arguments).param("region", region).param("level", "7");
                let error = client.send(&rpc).await?.error()?;
                assert!(error.code == -32602 && error.message.contains("twice"), "{caller:?} {backend:?} {arguments}: {error:?}");
            }
        }
        assert_eq!(fixture.calls().len(), 0, "{caller:?} {backend:?}");
        // Elsewhere duplicate keys are the backend's business.
        let free = r#"{"a":1,"a":2}"#;
        client.call("b_echo", free).await?.result()?;
        assert!(String::from_utf8_lossy(&fixture.calls()[0].body).contains(free), "{caller:?} {backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn headers_are_held_against_the_body_and_written_anew_whatever_the_backend_speaks() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        let call = |region: &str| Rpc::tool("b_regional", &json!({ "region": region }).to_string());
        let good = [
            (call("Hello").param("region", "Hello"), "Hello"),
            (call("Hello").param("region", "=?base64?SGVsbG8=?="), "Hello"),
            (call("=?base64?SGVsbG8=").param("region", "=?base64?SGVsbG8="), "=?base64?SGVsbG8="),
            (call("SGVsbG8=?=").param("region", "SGVsbG8=?="), "SGVsbG8=?="),
            (call("Zürich").param("region", "=?base64?WsO8cmljaA==?="), "=?base64?WsO8cmljaA==?="),
            (Rpc { name: Some("  b_regional  ".to_owned()), ..call("Hello").param("region", "Hello") }, "Hello"),
        ];
        for (rpc, repeated) in good {
            fixture.forget_requests();
            client.send(&rpc).await?.result()?;
            let call = &fixture.calls()[0];
            let wanted = (backend == Era::Modern).then_some((repeated, "regional", "tools/call"));
            let sent = call.value("mcp-param-region").zip(call.value("mcp-name")).zip(call.value("mcp-method"));
            assert_eq!(sent.map(|((region, name), method)| (region, name, method)), wanted, "{backend:?}");
        }
        fixture.forget_requests();
        let bad = [
            call("Hello"),
            call("Hello").param("region", "hello"),
            call("Hello").param("region", "=?base64?SGVsbG8?="),
            call("Hello").param("region", "=?base64?SGVs!!!bG8=?="),
            Rpc::tool("b_regional", "{}").param("region", "Hello"),
            Rpc::tool("b_regional", r#"{"region":null}"#).param("region", "null"),
            Rpc { name: Some("b_echo".to_owned()), ..call("Hello").param("region", "Hello") },
            Rpc { name: None, ..call("Hello").param("region", "Hello") },
        ];
        for rpc in bad {
            let reply = client.send(&rpc).await?;
            assert_eq!((reply.status(), reply.error()?.code), (400, -32020), "{backend:?}: {rpc:?}");
        }
        for method in ["Tools/Call", "tools/list"] {
            let id = client.caller.id().to_string();
            let request = client.caller.request(&call("Hello").param("region", "Hello"), &id).set("mcp-method", method);
            assert_eq!(client.conn.exchange(&request).await?.status(), 400, "{method}");
        }
        assert!(fixture.calls().is_empty() && fixture.violations().is_empty(), "{backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn integers_that_a_float_cannot_tell_apart_are_a_mismatch() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let rpc = Rpc::tool("b_regional", r#"{"deep":{"level":9007199254740993}}"#);
    for (header, same) in
        [("9007199254740993", true), ("9007199254740993.0", true), ("9007199254740992", false), ("9007199254740993.1", false)]
    {
        let reply = client.send(&rpc.clone().param("level", header)).await?;
        if same {
            reply.result()?;
        } else {
            assert_eq!((reply.status(), reply.error()?.code), (400, -32020), "{header}");
        }
    }
    Ok(())
}
