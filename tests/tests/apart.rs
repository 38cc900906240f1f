//! What a backend's lists have to do with each other, and with its coming and going: as little as possible, and as much as needed.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Conn, Request, Rpc},
    eventually,
    fixture::{Fault, Fixture, Items, Spec},
    process::Vmcp,
};

const TOOL: &str = r#"{"name":"fresh","description":"New","inputSchema":{"type":"object"}}"#;
const PROMPT: &str = r#"{"name":"fresh","description":"New"}"#;

async fn listing_error(vmcp: &Vmcp) -> Result<String> {
    let status = Conn::open(vmcp.addr()).await?.exchange(&Request::get("/status")).await?.json()?;
    Ok(status["backends"][0]["listing_error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn one_bad_list_hides_nothing_else_and_is_named() -> Result<()> {
    let faults = [Fault::Status(500), Fault::Status(404), Fault::NotJsonRpc, Fault::CutMidBody, Fault::Hang];
    for (backend, fault) in Era::BOTH.into_iter().flat_map(|era| faults.iter().map(move |fault| (era, fault))) {
        let at = format!("{backend:?} backend, {fault:?}");
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        fixture.fail_on("prompts/list", fault.clone());
        let entry = fixture.entry(json!({ "timeout": "1s" }));
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h", "listWait": "400ms" }, "backends": [entry] })).await?;
        let mut client = vmcp.client(Era::Legacy).await?;
        assert!(client.tools().await?.contains(&"b_echo".to_owned()), "{at}");
        assert!(client.list("prompts/list").await?.is_empty(), "{at}");
        client.call("b_echo", "{}").await?.result()?;
        // What was never listed has its owner from the configuration alone.
        fixture.forget_requests();
        client.send(&Rpc::prompt("b_greet", "{}")).await?.result().with_context(|| at.clone())?;
        eventually("the status names the list", async || {
            let error = listing_error(&vmcp).await.unwrap_or_default();
            error.starts_with("backend `b`: prompts/list ") && !error.contains("tools/list")
        })
        .await
        .with_context(|| at.clone())?;
        fixture.heal();
        eventually("the prompts", async || client.list("prompts/list").await.is_ok_and(|prompts| !prompts.is_empty()))
            .await
            .with_context(|| at.clone())?;
    }
    Ok(())
}

#[tokio::test]
async fn who_listens_hears_of_what_a_backend_brought_with_it_when_it_came_back() -> Result<()> {
    for (caller, headers) in Era::BOTH.into_iter().flat_map(|era| [(era, json!([])), (era, json!(["x-key"]))]) {
        let at = format!("{caller:?} caller, listing with {headers}");
        let fixture = Fixture::start(Spec::modern("b")).await?;
        // It tells of no change by itself.
        fixture.fail_on("subscriptions/listen", Fault::Status(404));
        let entry = fixture.entry(json!({ "passthroughHeaders": headers }));
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
        let mut client = vmcp.client_of(caller).header("x-key", "mine").connect().await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        fixture.kill();
        client.call("b_echo", "{}").await?.error()?;
        fixture.change(|items: &mut Items| items.tools.push(TOOL.to_owned()));
        fixture.restart().await?;
        client.call("b_echo", "{}").await?.result()?;
        let note = stream.message().await.with_context(|| at.clone())?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{at}");
        assert!(client.tools().await?.contains(&"b_fresh".to_owned()), "{at}");
    }
    Ok(())
}

#[tokio::test]
async fn one_change_of_a_callers_list_is_told_once_however_many_streams_tell_of_it() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let entry = fixture.entry(json!({ "passthroughHeaders": ["x-key"] }));
    let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
    let mut clients = Vec::new();
    for era in Era::BOTH {
        let mut client = vmcp.client_of(era).header("x-key", "mine").connect().await?;
        client.tools().await?;
        client.list("prompts/list").await?;
        let stream = client.listen().await?;
        fixture.until("the gateway listens", |f| f.streams() > clients.len()).await?;
        clients.push((client, stream));
    }
    fixture.change(|items: &mut Items| items.tools.push(TOOL.to_owned()));
    fixture.announce("tools");
    for (_, stream) in &mut clients {
        assert_eq!(stream.message().await?["method"], "notifications/tools/list_changed");
    }
    for (client, _) in &mut clients {
        assert!(client.tools().await?.contains(&"b_fresh".to_owned()));
        client.list("prompts/list").await?;
    }
    fixture.change(|items: &mut Items| items.prompts.push(PROMPT.to_owned()));
    fixture.announce("prompts");
    for (_, stream) in &mut clients {
        assert_eq!(stream.message().await?["method"], "notifications/prompts/list_changed", "the tools were told of before");
    }
    Ok(())
}
