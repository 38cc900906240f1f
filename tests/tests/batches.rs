//! Batches of revision 2025-03-26: several requests in one POST, answered together.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Request, Rpc},
    fixture::Spec,
    process::Vmcp,
};

async fn client(vmcp: &Vmcp) -> Result<Client> {
    Client::of(Era::Legacy, vmcp.addr()).revision("2025-03-26").connect().await
}

/// One POST with calls of these tools.
fn batch(client: &Client, tools: &[&str]) -> Request {
    let calls = tools.iter().zip(1..).map(|(tool, id)| Rpc::tool(tool, "{}").text(Era::Legacy, Some(&id.to_string())));
    let mut request = client.caller.request(&Rpc::new("ping", ""), "1");
    request.body = format!("[{}]", calls.collect::<Vec<_>>().join(",")).into_bytes();
    request
}

#[tokio::test]
async fn a_batch_goes_on_when_its_connection_is_lost() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let client = client(&vmcp).await?;
        let mut lost = client.sibling().await?;
        lost.conn.write(&batch(&lost, &["b_slow", "b_echo"]).bytes()).await?;
        fixture.until("the first call", |f| f.started() == 1).await?;
        drop(lost);
        // Enough traffic for the gateway to have noticed that the connection is gone.
        let mut client = client;
        for _ in 0..50 {
            client.call("b_counter", "{}").await?.result()?;
        }
        assert_eq!(fixture.abandoned(), 0, "{backend:?}: a lost connection is no cancel");
        assert!(fixture.requests_of("notifications/cancelled").is_empty(), "{backend:?}");
        fixture.release(1);
        let is_echo = |call: &vmcp_tests::fixture::Recorded| call.json()["params"]["name"] == "echo";
        fixture.until("the second call of the batch", |f| f.calls().iter().any(is_echo)).await?;
        assert_eq!(fixture.abandoned(), 0, "{backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_is_answered_with_what_its_client_reads() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
    let mut client = client(&vmcp).await?;
    client.tools().await?;
    for (accept, content_type) in [
        ("application/json, text/event-stream", "application/json"),
        ("application/json", "application/json"),
        ("text/event-stream", "text/event-stream"),
    ] {
        let request = batch(&client, &["b_echo", "b_nothing"]).set("accept", accept);
        let response = client.conn.exchange(&request).await?;
        assert_eq!((response.status(), response.head.header("content-type")), (200, Some(content_type)), "{accept}");
        let text = response.text();
        let json =
            if content_type == "application/json" { Some(text.as_str()) } else { text.lines().find_map(|l| l.strip_prefix("data: ")) };
        let answers: Vec<Value> = serde_json::from_str(json.with_context(|| format!("no event in {text:?}"))?)?;
        let short: Vec<_> = answers.iter().map(|answer| (answer["id"].as_i64(), answer["result"].is_object())).collect();
        assert_eq!(short, [(Some(1), true), (Some(2), false)], "{accept}");
    }
    // Nothing to answer is nothing to stream.
    let mut notes = batch(&client, &[]).set("accept", "text/event-stream");
    notes.body = br#"[{"jsonrpc":"2.0","method":"notifications/progress"}]"#.to_vec();
    let response = client.conn.exchange(&notes).await?;
    assert_eq!((response.status(), response.text().as_str()), (202, ""));
    Ok(())
}

#[tokio::test]
async fn a_batch_has_64_messages_at_most() -> Result<()> {
    let (_fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b")).await?;
    let mut client = client(&vmcp).await?;
    for (count, fits) in [(64, true), (65, false)] {
        let pings: Vec<String> = (1..=count).map(|id| Rpc::new("ping", "").text(Era::Legacy, Some(&id.to_string()))).collect();
        let mut request = client.caller.request(&Rpc::new("ping", ""), "1");
        request.body = format!("[{}]", pings.join(",")).into_bytes();
        let answer = client.conn.exchange(&request).await?;
        let told = answer.json()?;
        if fits {
            assert_eq!((answer.status(), told.as_array().map(Vec::len)), (200, Some(count)), "{told}");
        } else {
            assert_eq!((answer.status(), &told["error"]["code"]), (400, &json!(-32600)), "{told}");
        }
    }
    Ok(())
}
