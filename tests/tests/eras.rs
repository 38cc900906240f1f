//! Callers and backends of either era, in all four pairings.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Instant;
use vmcp_tests::{
    Era,
    client::{Client, Rpc},
    eventually,
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
            let (fixture, vmcp) = Vmcp::with_backend(spec).await?;
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
            let (_fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
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

/// `ttlMs` of a page of a list, and whether it may be shown to others.
async fn caching(client: &mut Client, method: &str) -> Result<(u64, bool)> {
    let page = client.send(&Rpc::list(method, None)).await?.result()?;
    let scope = page["cacheScope"].as_str().context("no cacheScope")?;
    Ok((page["ttlMs"].as_u64().context("no ttlMs")?, scope == "public"))
}

#[tokio::test]
async fn a_merged_list_may_be_kept_no_longer_than_any_part_of_it() -> Result<()> {
    let lasting = |name: &str, ttl_ms| Spec { ttl_ms, ..Spec::modern(name) };
    let (short, long) = (Fixture::start(lasting("short", 600_000)).await?, Fixture::start(lasting("long", 3_000_000)).await?);
    let backends = json!([long.entry(json!({})), short.entry(json!({}))]);
    let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "2h" }, "backends": backends })).await?;
    let begun = Instant::now();
    for method in LISTS {
        let mut client = vmcp.client(Era::Modern).await?;
        let (first, shared) = caching(&mut client, method).await?;
        let age = u64::try_from(begun.elapsed().as_millis())? + 1;
        assert!(first <= 600_000 && first + age >= 600_000 && shared, "{method}: {first} ms, shared: {shared}");
        // What is left of that time becomes less while the list is kept.
        eventually("less is left", async || caching(&mut client, method).await.is_ok_and(|(left, _)| left < first)).await?;
        let mut alone = vmcp.client_of(Era::Modern).path("/mcp/long").connect().await?;
        assert!(caching(&mut alone, method).await?.0 > 2_000_000, "{method}: alone a backend has its own time");
    }
    Ok(())
}

#[tokio::test]
async fn a_merged_list_may_be_kept_no_longer_than_the_gateway_keeps_it_and_not_at_all_where_a_part_promises_nothing() -> Result<()> {
    let (new, old) = (Fixture::start(Spec { ttl_ms: 3_600_000, ..Spec::modern("new") }).await?, Fixture::start(Spec::legacy("old")).await?);
    for (backends, longest) in [(json!([new.entry(json!({}))]), 60_000), (json!([new.entry(json!({})), old.entry(json!({}))]), 0)] {
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1m" }, "backends": backends })).await?;
        let (ttl, _) = caching(&mut vmcp.client(Era::Modern).await?, "tools/list").await?;
        assert!(ttl <= longest && (ttl > 0) == (longest > 0), "{ttl} ms of at most {longest}");
    }
    Ok(())
}

#[tokio::test]
async fn a_merged_list_is_private_as_soon_as_a_part_of_it_is_the_callers() -> Result<()> {
    let shared = Fixture::start(Spec { ttl_ms: 600_000, ..Spec::modern("shared") }).await?;
    let own = Fixture::start(Spec { ttl_ms: 600_000, ..Spec::modern("own") }).await?;
    let secret = Fixture::start(Spec { ttl_ms: 600_000, cache_scope: "private", ..Spec::modern("secret") }).await?;
    let keyed = own.entry(json!({ "passthroughHeaders": ["x-key"] }));
    for (at, backends, is_shared) in [
        ("no header, public", json!([shared.entry(json!({})), own.entry(json!({}))]), true),
        ("a header of the caller's", json!([shared.entry(json!({})), keyed]), false),
        ("said by a backend", json!([shared.entry(json!({})), secret.entry(json!({}))]), false),
    ] {
        let vmcp = Vmcp::serve(json!({ "backends": backends })).await?;
        for headers in [&[][..], &[("x-key", "mine")]] {
            let builder = headers.iter().fold(vmcp.client_of(Era::Modern), |client, (name, value)| client.header(name, value));
            let mut client = builder.connect().await?;
            for method in LISTS {
                assert_eq!(caching(&mut client, method).await?.1, is_shared, "{at}, {headers:?}: {method}");
            }
            let mut alone = vmcp.client_of(Era::Modern).header("x-key", "mine").path("/mcp/shared").connect().await?;
            assert!(caching(&mut alone, "tools/list").await?.1, "{at}: a backend alone has its own scope");
        }
    }
    Ok(())
}
