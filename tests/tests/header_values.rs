//! Header values on the wire: every form arrives as it was sent, and what cannot be carried safely is refused before a backend hears of it.

use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    fixture::{Fault, Fixture, Spec},
    process::Vmcp,
};

/// A backend of each era, listing the same headers.
async fn scene(passthrough: Value) -> Result<(Fixture, Fixture, Vmcp)> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let new = Fixture::start(Spec::modern("new")).await?;
    let more = json!({ "passthroughHeaders": passthrough });
    let vmcp =
        Vmcp::serve(json!({ "operational": { "logLevel": "debug" }, "backends": [old.entry(more.clone()), new.entry(more)] })).await?;
    Ok((old, new, vmcp))
}

#[tokio::test]
async fn every_value_of_every_form_arrives_byte_for_byte_and_in_order() -> Result<()> {
    let long = vec![b'k'; 8 * 1024];
    let forms: [&[&[u8]]; 7] = [
        &[b"plain"],
        &[b""],
        &[b"one", b"two", b"one"],
        &[b"first", b"", b"third"],
        &[b"\xe4\xff\x80 latin and beyond"],
        &[b"inner\ttab, comma; quote\" and \\ backslash"],
        &[&long],
    ];
    let (old, new, vmcp) = scene(json!(["x-form"])).await?;
    for era in Era::BOTH {
        for values in forms {
            let mut builder = vmcp.client_of(era);
            for value in values {
                builder = builder.header("X-Form", value);
            }
            let mut client = builder.connect().await?;
            for (fixture, tool) in [(&old, "old_echo"), (&new, "new_echo")] {
                fixture.forget_requests();
                client.call(tool, "{}").await?.result()?;
                for call in fixture.calls() {
                    assert_eq!(call.values("x-form"), values, "{era:?} to {tool}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_format_wraps_the_value_and_refuses_what_could_break_out_of_it() -> Result<()> {
    let (old, new, vmcp) = scene(json!([{ "name": "x-token", "as": "authorization", "format": "Bearer {}" }])).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client_of(era).header("x-token", "abc.DEF-123_~+/==").connect().await?;
        for (fixture, tool) in [(&old, "old_echo"), (&new, "new_echo")] {
            client.call(tool, "{}").await?.result()?;
            let calls = fixture.calls();
            assert_eq!(calls[calls.len() - 1].values("authorization"), [b"Bearer abc.DEF-123_~+/=="]);
            assert!(calls[calls.len() - 1].values("x-token").is_empty(), "the inbound name does not leave");
        }
        let before = (old.calls().len(), new.calls().len());
        let hostile: [&[&[u8]]; 7] =
            [&[b"abc, Basic eHg="], &[b"abc def"], &[b"abc\""], &[b"abc;x=y"], &[b"\xe4bc"], &[b"one", b"two"], &[b"=leading"]];
        for values in hostile {
            let mut caller = client.caller.clone();
            caller.headers.clear();
            for value in values {
                caller = caller.header("x-token", value);
            }
            let response = client.conn.exchange(&caller.request(&Rpc::tool("old_echo", "{}"), "77")).await?;
            assert_eq!(response.status(), 400, "{era:?} {:?}: {}", String::from_utf8_lossy(values[0]), response.text());
            assert!(response.text().contains("x-token"), "the refusal names the header: {}", response.text());
            assert!(!response.text().contains("abc"), "the refusal shows the value: {}", response.text());
        }
        assert_eq!((old.calls().len(), new.calls().len()), before, "nothing of it reached a backend");
    }
    Ok(())
}

#[tokio::test]
async fn forwarded_headers_are_bounded_in_bytes_and_lines() -> Result<()> {
    let (old, _new, vmcp) = scene(json!(["x-many"])).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        for (lines, bytes, status) in [(64, 16, 200), (65, 16, 431), (1, 31 * 1024, 200), (4, 9 * 1024, 431)] {
            let mut caller = client.caller.clone();
            for _ in 0..lines {
                caller = caller.header("x-many", vec![b'v'; bytes]);
            }
            let seen = old.calls().len();
            let response = client.conn.exchange(&caller.request(&Rpc::tool("old_echo", "{}"), "78")).await?;
            assert_eq!(response.status(), status, "{era:?}: {lines} lines of {bytes} bytes: {}", response.text());
            assert_eq!(old.calls().len() - seen, usize::from(status == 200));
            if response.head.header("connection") == Some("close") {
                client = vmcp.client(era).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_option_cannot_name_an_allow_listed_header() -> Result<()> {
    let (old, _new, vmcp) = scene(json!(["x-key"])).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client_of(era).header("x-key", "value").connect().await?;
        for option in ["x-key", "keep-alive, X-Key", "close, x-key"] {
            let request = client.caller.request(&Rpc::tool("old_echo", "{}"), "79").header("connection", option);
            let mut conn = vmcp_tests::client::Conn::open(vmcp.addr()).await?;
            assert_eq!(conn.exchange(&request).await?.status(), 400, "{era:?} connection: {option}");
        }
        assert_eq!(old.calls().len(), 0);
        client.call("new_echo", "{}").await?.result()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_without_its_required_header_is_skipped_and_says_which_one_it_misses() -> Result<()> {
    let open = Fixture::start(Spec::legacy("open")).await?;
    let closed = Fixture::start(Spec::modern("closed")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [
        open.entry(json!({})),
        closed.entry(json!({ "passthroughHeaders": [{ "name": "x-closed-key", "required": true }] })),
    ] }))
    .await?;
    for era in Era::BOTH {
        for key in [None, Some("")] {
            let mut builder = vmcp.client_of(era);
            if let Some(key) = key {
                builder = builder.header("x-closed-key", key);
            }
            let mut without = builder.connect().await?;
            let tools = without.tools().await?;
            assert!(tools.contains(&"open_echo".to_owned()) && !tools.contains(&"closed_echo".to_owned()), "{era:?} {key:?}: {tools:?}");
            let failure = without.call("closed_echo", "{}").await?.failure()?;
            assert!(failure.contains("x-closed-key") && failure.contains("closed"), "{era:?}: {failure}");
            without.call("open_echo", "{}").await?.result()?;
        }
        let mut with = vmcp.client_of(era).header("x-closed-key", "here").connect().await?;
        assert!(with.tools().await?.contains(&"closed_echo".to_owned()));
        with.call("closed_echo", "{}").await?.result()?;
    }
    let keyless = closed.requests().iter().filter(|request| request.value("x-closed-key") != Some("here")).count();
    assert_eq!(keyless, 0, "a backend with a required header is never asked without it");
    Ok(())
}

#[tokio::test]
async fn no_header_of_a_backends_response_reaches_the_caller() -> Result<()> {
    for era in Era::BOTH {
        let spec = Spec::new("leaky", era)
            .reply_header("set-cookie", "session=stolen")
            .reply_header("www-authenticate", "Bearer realm=\"backend\"")
            .reply_header("x-internal", "stolen")
            .reply_header("access-control-allow-origin", "*");
        let leaky = Fixture::start(spec).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [leaky.entry(json!({}))] })).await?;
        let mut client = vmcp.client(era).await?;
        for reply in [client.call("leaky_echo", "{}").await?, client.send(&Rpc::list("tools/list", None)).await?] {
            reply.result()?;
            for name in ["set-cookie", "www-authenticate", "x-internal", "access-control-allow-origin"] {
                assert_eq!(reply.response.head.header(name), None, "{era:?}: {name} was relayed");
            }
        }
        leaky.fail_on("tools/call", Fault::Status(401));
        let refused = client.call("leaky_echo", "{}").await?;
        assert_ne!(refused.status(), 401, "a backend's 401 is not the gateway's own");
        assert_eq!(refused.response.head.header("www-authenticate"), None);
        assert!(refused.failure()?.contains("leaky"));
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_never_takes_headers_to_another_origin() -> Result<()> {
    let thief = Fixture::start(Spec::both("thief")).await?;
    for era in Era::BOTH {
        let home = Fixture::start(Spec::new("home", era)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [home.entry(json!({ "passthroughHeaders": ["x-key"] }))] })).await?;
        let mut client = vmcp.client_of(era).header("x-key", "secret").connect().await?;
        client.call("home_echo", "{}").await?.result()?;
        for status in [301, 302, 303, 307, 308] {
            home.fail_on("tools/call", Fault::Redirect(status, thief.url()));
            assert!(client.call("home_echo", "{}").await?.failure()?.contains("home"), "{era:?} {status}");
        }
        assert_eq!(thief.connections(), 0);
        for status in [307, 308] {
            home.fail_on("tools/call", Fault::Redirect(status, "/mcp/moved".to_owned()));
            client.call("home_echo", r#"{"kept":true}"#).await?.result()?;
            let calls = home.calls();
            let last = &calls[calls.len() - 1];
            assert_eq!((last.path.as_str(), last.value("x-key")), ("/mcp/moved", Some("secret")), "{era:?} {status}");
            assert_eq!(last.json()["params"]["arguments"], json!({ "kept": true }));
        }
    }
    Ok(())
}

#[tokio::test]
async fn values_stay_out_of_the_log_even_when_things_go_wrong() -> Result<()> {
    let (old, new, vmcp) = scene(json!(["x-key", { "name": "x-token", "as": "authorization", "format": "Bearer {}" }])).await?;
    for era in Era::BOTH {
        let mut client: Client = vmcp.client_of(era).header("x-key", "TOPSECRETkey").header("x-token", "TOPSECRETtoken").connect().await?;
        client.call("old_echo", r#"{"argument":"TOPSECRETargument"}"#).await?.result()?;
        for fault in [Fault::MalformedJson, Fault::Status(500), Fault::CutBeforeHead] {
            old.fail(fault.clone());
            new.fail(fault);
            for tool in ["old_echo", "new_echo"] {
                let failure = client.call(tool, r#"{"argument":"TOPSECRETargument"}"#).await?;
                assert!(!failure.message.contains("TOPSECRET"), "{}", failure.message);
            }
        }
        old.heal();
        new.heal();
        client.caller.headers.clear();
        client.caller.set("x-token", "TOPSECRET token");
        assert_eq!(client.call("old_echo", "{}").await?.status(), 400);
    }
    let log = vmcp.quit().await?;
    assert!(!log.contains("TOPSECRET"), "{log}");
    Ok(())
}
