//! `completion/complete`: asked of whoever owns what is completed, under its own name there.

use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

const ARGUMENT: &str = r#""argument":{"name":"who","value":"a"}"#;

fn complete(reference: &Value) -> Rpc {
    Rpc::new("completion/complete", format!(r#""ref":{reference},{ARGUMENT}"#))
}

#[tokio::test]
async fn a_completion_goes_to_the_owner_of_the_prompt_or_resource_under_its_own_name() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let one = Fixture::start(Spec::new("one", backend)).await?;
        let two = Fixture::start(Spec::new("two", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [one.entry(json!({})), two.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        for (reference, original) in [
            (json!({"type": "ref/prompt", "name": "two_greet"}), json!({"type": "ref/prompt", "name": "greet"})),
            (
                json!({"type": "ref/resource", "uri": "fixture://two/item/{id}"}),
                json!({"type": "ref/resource", "uri": "fixture://two/item/{id}"}),
            ),
            (json!({"type": "ref/resource", "uri": "fixture://two/text"}), json!({"type": "ref/resource", "uri": "fixture://two/text"})),
        ] {
            let reply = client.send(&complete(&reference)).await?;
            let completed = reply.result()?;
            let asked: Value = serde_json::from_str(completed["completion"]["values"][0].as_str().unwrap_or_default())?;
            assert_eq!(asked, original, "{caller:?} {backend:?}");
            assert!(reply.raw_result()?.contains(r#""total":1.0"#), "byte for byte: {}", reply.message);
            assert_eq!(completed.get("resultType").is_some(), caller == Era::Modern);
        }
        assert_eq!((one.requests_of("completion/complete").len(), two.requests_of("completion/complete").len()), (0, 3));
        assert_eq!((one.violations(), two.violations()), (vec![], vec![]));
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_that_completes_nothing_has_no_completions_and_what_nobody_owns_is_an_error() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let mut spec = Spec::new("b", backend);
        spec.completions = false;
        let (_fixture, vmcp) = Vmcp::with_backend(spec).await?;
        let mut client = vmcp.client(caller).await?;
        client.list("prompts/list").await?;
        let reply = client.send(&complete(&json!({"type": "ref/prompt", "name": "b_greet"}))).await?;
        assert_eq!(reply.result()?["completion"], json!({ "values": [] }), "{caller:?} {backend:?}");
        for nobodys in [
            json!({"type": "ref/prompt", "name": "b_nothing"}),
            json!({"type": "ref/resource", "uri": "other://x"}),
            json!({"type": "ref/tool", "name": "b_echo"}),
            json!(1),
        ] {
            // A name that no list has is the backend's to refuse, which completes nothing.
            let reply = client.send(&complete(&nobodys)).await?;
            assert_eq!(reply.error()?.code, -32602, "{caller:?} {backend:?} {nobodys}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn completions_logging_and_subscriptions_are_offered_in_both_eras() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::both("b")).await?;
    let legacy = vmcp.client(Era::Legacy).await?.opened["capabilities"].clone();
    let modern = vmcp.client(Era::Modern).await?.send(&Rpc::new("server/discover", "")).await?.result()?["capabilities"].clone();
    for offered in [&legacy, &modern] {
        assert_eq!(offered["completions"], json!({}), "{offered}");
        assert_eq!(offered["logging"], json!({}), "{offered}");
        assert_eq!(offered["resources"], json!({ "subscribe": true, "listChanged": true }), "{offered}");
    }
    assert_eq!(legacy.get("extensions"), None);
    Ok(())
}

#[tokio::test]
async fn an_extension_is_offered_where_a_backend_behind_the_endpoint_has_it() -> Result<()> {
    const TOOL: &str = r#"{"name":"show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://show"}}}"#;
    let fixtures = [
        Fixture::start(Spec::modern("a").tasks()).await?,
        Fixture::start(Spec::both("b")).await?,
        Fixture::start(Spec::legacy("c")).await?,
    ];
    // Servers of before the extensions were declared show that they have pages by their tools.
    fixtures[2].change(|items| items.tools.push(TOOL.to_owned()));
    let vmcp = Vmcp::serve(json!({ "backends": fixtures.each_ref().map(|fixture| fixture.entry(json!({}))) })).await?;
    for (path, modern, legacy) in [
        (
            "/mcp",
            json!({ "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": {} }),
            json!({ "io.modelcontextprotocol/ui": {} }),
        ),
        ("/mcp/a", json!({ "io.modelcontextprotocol/tasks": {} }), Value::Null),
        ("/mcp/b", Value::Null, Value::Null),
        ("/mcp/c", json!({ "io.modelcontextprotocol/ui": {} }), json!({ "io.modelcontextprotocol/ui": {} })),
    ] {
        for era in Era::BOTH {
            // Whoever has listed has had the backends asked.
            vmcp.client_of(era).path(path).connect().await?.tools().await?;
        }
        let mut client = vmcp.client_of(Era::Modern).path(path).connect().await?;
        let told = client.send(&Rpc::new("server/discover", "")).await?.result()?;
        assert_eq!(told["capabilities"]["extensions"], modern, "{path}");
        let opened = vmcp.client_of(Era::Legacy).path(path).connect().await?.opened;
        assert_eq!(opened["capabilities"]["extensions"], legacy, "{path}");
    }
    Ok(())
}
