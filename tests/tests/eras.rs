//! Callers and backends of either era, in all four pairings.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

const LISTS: [&str; 4] = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];

/// What 2026-07-28 requires of a result, and what the revisions before it do not know.
fn assert_shape(era: Era, result: &Value, cacheable: bool) {
    match era {
        Era::Legacy => {
            for member in ["resultType", "ttlMs", "cacheScope"] {
                assert_eq!(result.get(member), None, "a legacy result with {member}: {result}");
            }
        }
        Era::Modern => {
            assert_eq!(result["resultType"], "complete", "{result}");
            assert_eq!(result["ttlMs"].is_u64(), cacheable, "{result}");
            assert_eq!(["public", "private"].contains(&result["cacheScope"].as_str().unwrap_or_default()), cacheable, "{result}");
        }
    }
}

#[tokio::test]
async fn list_call_read_and_get_work_in_all_four_pairings() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        for spec in [Spec::new("one", backend), Spec::new("one", backend).sse().paged(30, 7)] {
            let fixture = Fixture::start(spec).await?;
            let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
            let mut client = vmcp.client(caller).await?;
            for method in LISTS {
                let page =
                    client.send(&Rpc::list(method, None)).await?.result().with_context(|| format!("{caller:?} {backend:?} {method}"))?;
                assert_shape(caller, &page, true);
            }
            assert!(client.tools().await?.contains(&"one_echo".to_owned()));
            assert_eq!(client.list("resources/list").await?[0]["uri"], "fixture://one/text");
            assert_eq!(client.list("resources/templates/list").await?[0]["uriTemplate"], "fixture://one/item/{id}");
            assert_eq!(client.list("prompts/list").await?[0]["name"], "one_greet");

            let echoed = client.call("one_echo", r#"{"n":1}"#).await?;
            assert_eq!(echoed.status(), 200);
            assert_eq!(echoed.result()?["structuredContent"], json!({ "n": 1 }));
            assert_shape(caller, &echoed.result()?, false);
            for uri in ["fixture://one/text", "fixture://one/item/42"] {
                let read = client.send(&Rpc::read(uri)).await?.result()?;
                assert_eq!((&read["contents"][0]["uri"], &read["contents"][0]["text"]), (&json!(uri), &json!("read from one")));
                assert_shape(caller, &read, true);
            }
            let prompt = client.send(&Rpc::prompt("one_greet", r#"{"who":"you"}"#)).await?.result()?;
            assert_eq!(prompt["messages"][0]["content"]["text"], r#"{"who":"you"}"#);
            assert_shape(caller, &prompt, false);
            assert_eq!(fixture.violations(), Vec::<String>::new(), "{caller:?} caller, {backend:?} backend");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_catalogue_holds_backends_of_both_eras() -> Result<()> {
    let old = Fixture::start(Spec::legacy("old")).await?;
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [old.entry(json!({})), new.entry(json!({}))] })).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        let tools = client.tools().await?;
        let position = |name: &str| tools.iter().position(|tool| tool == name);
        assert!(position("old_echo") < position("new_echo") && position("old_echo").is_some(), "configuration order: {tools:?}");
        for backend in ["old", "new"] {
            client.call(&format!("{backend}_echo"), "{}").await?.result()?;
            let read = client.send(&Rpc::read(&format!("fixture://{backend}/text"))).await?.result()?;
            assert_eq!(read["contents"][0]["text"], format!("read from {backend}"));
            client.send(&Rpc::prompt(&format!("{backend}_greet"), "{}")).await?.result()?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_of_both_eras_is_spoken_to_in_the_callers() -> Result<()> {
    let both = Fixture::start(Spec::both("both")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [both.entry(json!({}))] })).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        client.tools().await?;
        client.call("both_echo", "{}").await?.result()?;
        let calls = both.calls();
        let last = &calls[calls.len() - 1];
        assert_eq!(last.value("mcp-protocol-version"), Some(era.revision()));
        assert_eq!(last.session().is_some(), era == Era::Legacy);
    }
    assert_eq!(both.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_pinned_era_is_kept() -> Result<()> {
    for (pin, revision) in [("legacy", "2025-11-25"), ("modern", "2026-07-28")] {
        let both = Fixture::start(Spec::both("both")).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [both.entry(json!({ "protocolEra": pin }))] })).await?;
        for era in Era::BOTH {
            vmcp.client(era).await?.call("both_echo", "{}").await?.result()?;
        }
        for request in both.requests().iter().filter(|request| request.method.as_deref() != Some("initialize")) {
            assert_eq!(request.value("mcp-protocol-version"), Some(revision), "pinned to {pin}: {request:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_misses_a_tool_while_the_gateway_learns_which_era_a_backend_speaks() -> Result<()> {
    // Many young gateways: what is looked for happens in the first milliseconds, and not every time.
    for round in 0..20 {
        for (first, backend) in Era::PAIRINGS {
            let fixture = Fixture::start(Spec::new("b", backend)).await?;
            let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
            for era in [first, if first == Era::Legacy { Era::Modern } else { Era::Legacy }] {
                let mut clients = Vec::new();
                for _ in 0..6 {
                    let mut client = vmcp.client(era).await?;
                    client.begin(&Rpc::tool("b_echo", "{}")).await?;
                    clients.push(client);
                }
                for client in &mut clients {
                    client
                        .finish()
                        .await?
                        .result()
                        .with_context(|| format!("round {round}: {era:?} after {first:?}, {backend:?} backend"))?;
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_mirrored_parameter_travels_as_a_header_to_a_modern_backend() -> Result<()> {
    let new = Fixture::start(Spec::modern("new")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [new.entry(json!({}))] })).await?;
    let mut old_caller = vmcp.client(Era::Legacy).await?;
    // The headers come from the tool's schema: a call that overtakes the first list is refused there once, and repeated with them.
    old_caller.tools().await?;
    for region in ["eu-1", "dvärg", " padded ", "=?base64?ZXU=?="] {
        let arguments = json!({ "region": region, "deep": { "level": 7 } }).to_string();
        old_caller.call("new_regional", &arguments).await?.result().with_context(|| format!("region {region:?}"))?;
    }
    old_caller.call("new_regional", r#"{"region":null}"#).await?.result()?;
    let mut new_caller = vmcp.client(Era::Modern).await?;
    let rpc = Rpc::tool("new_regional", r#"{"region":"eu","deep":{"level":7}}"#);
    new_caller.send(&rpc.clone().param("region", "eu").param("level", "7")).await?.result()?;
    for wrong in
        [rpc.clone(), rpc.clone().param("region", "us").param("level", "7"), rpc.param("region", "=?base64?%%%?=").param("level", "7")]
    {
        let reply = new_caller.send(&wrong).await?;
        assert_eq!((reply.status(), reply.error()?.code), (400, -32020));
    }
    // The first call may come before the list that says which parameters are mirrored: it is refused, listed for and repeated.
    assert!(new.violations().len() <= 1, "{:?}", new.violations());
    Ok(())
}
