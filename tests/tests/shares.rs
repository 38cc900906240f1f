//! One caller's share of the calls in flight.

use anyhow::Result;
use serde_json::json;
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn a_session_has_a_share_of_calls_and_those_without_a_connection_count() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let config = json!({ "limits": { "maxRequestsPerSession": 2 }, "backends": [fixture.entry(json!({}))] });
    let vmcp = Vmcp::serve(config).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.tools().await?;
    for begun in 1..=2 {
        let mut lost = client.sibling().await?;
        lost.begin(&Rpc::tool("b_slow", "{}")).await?;
        fixture.until("a call", |f| f.started() == begun).await?;
        // Its connection goes, the call does not.
        drop(lost);
    }
    let refused = client.call("b_echo", "{}").await?;
    let error = refused.error()?;
    assert_eq!(refused.status(), 429, "{}", error.message);
    assert!(error.message.contains("limits.maxRequestsPerSession"), "{}", error.message);
    assert_eq!(refused.response.head.header("retry-after"), Some("1"));
    assert_eq!(fixture.calls().len(), 2, "what is refused is not sent");
    // Neither what goes to no backend nor another session is concerned.
    client.send(&Rpc::new("ping", "")).await?.result()?;
    client.tools().await?;
    vmcp.client(Era::Legacy).await?.call("b_echo", "{}").await?.result()?;
    // Modern callers are not told apart here, so that none of them can use up the others' share.
    let mut modern = vmcp.client(Era::Modern).await?;
    let mut siblings = Vec::new();
    for begun in 3..=5 {
        let mut sibling = modern.sibling().await?;
        sibling.begin(&Rpc::tool("b_slow", "{}")).await?;
        siblings.push(sibling);
        fixture.until("a modern call", |f| f.started() == begun).await?;
    }
    modern.call("b_echo", "{}").await?.result()?;
    fixture.release(10);
    vmcp_tests::eventually("the places are given back", async || client.call("b_echo", "{}").await.is_ok_and(|r| r.status() == 200)).await
}
