//! Log messages of backends: as severe as the client wants, in its own session.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Rpc, Stream},
    eventually,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

async fn scene() -> Result<(Fixture, Vmcp, Client, Stream)> {
    let (fixture, vmcp) = Vmcp::with_backend(Spec::legacy("b").interactive()).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
    client.call("b_echo", "{}").await?.result()?;
    let stream = client.listen().await?;
    eventually("the gateway listens for the client", async || fixture.declared_streams() == 1).await?;
    Ok((fixture, vmcp, client, stream))
}

async fn set(client: &mut Client, level: &str) -> Result<vmcp_tests::client::Reply> {
    client.send(&Rpc::new("logging/setLevel", format!(r#""level":{level}"#))).await
}

fn message(level: &str, data: u32) -> String {
    format!(r#"{{"level":"{level}","logger":"b","data":{{"n":{data}}}}}"#)
}

#[tokio::test]
async fn a_client_hears_what_its_backends_say_outside_of_calls_as_far_as_it_wants() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene().await?;
    fixture.say("notifications/message", &message("debug", 1));
    let first = stream.message().await?;
    assert_eq!((&first["method"], &first["params"]["data"]["n"]), (&json!("notifications/message"), &json!(1)), "{first}");
    assert_eq!(set(&mut client, r#""warning""#).await?.raw_result()?, "{}");
    fixture.say("notifications/message", &message("info", 2));
    fixture.say("notifications/message", &message("warning", 3));
    assert_eq!(stream.message().await?["params"]["data"]["n"], 3, "what is not severe enough is left out");
    Ok(())
}

#[tokio::test]
async fn backends_are_told_the_level_in_open_sessions_and_in_those_that_open_later() -> Result<()> {
    let (early, late) =
        (Fixture::start(Spec::legacy("early").interactive()).await?, Fixture::start(Spec::legacy("late").interactive()).await?);
    let vmcp = Vmcp::serve(json!({ "backends": [early.entry(json!({})), late.entry(json!({}))] })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.call("early_echo", "{}").await?.result()?;
    set(&mut client, r#""error""#).await?.result()?;
    let levels = |f: &Fixture| f.requests_of("logging/setLevel").iter().map(|r| r.json()["params"]["level"].clone()).collect::<Vec<_>>();
    early.until("the level", |f| levels(f) == [json!("error")]).await?;
    client.call("late_echo", "{}").await?.result()?;
    late.until("the level", |f| levels(f) == [json!("error")]).await?;
    Ok(())
}

#[tokio::test]
async fn a_level_that_does_not_exist_is_refused_and_changes_nothing() -> Result<()> {
    let (fixture, _vmcp, mut client, mut stream) = scene().await?;
    for level in [r#""loud""#, r#""Info""#, "3", "null"] {
        let error = set(&mut client, level).await?.error()?;
        assert!(error.code == -32602 && error.message.contains("emergency"), "{level}: {error:?}");
    }
    fixture.say("notifications/message", &message("debug", 1));
    assert_eq!(stream.message().await?["params"]["data"]["n"], 1);
    assert!(fixture.requests_of("logging/setLevel").is_empty());
    Ok(())
}

#[tokio::test]
async fn what_is_said_while_a_client_is_away_is_there_when_it_comes_back() -> Result<()> {
    let (fixture, _vmcp, client, mut stream) = scene().await?;
    fixture.say("notifications/message", &message("info", 1));
    let first = stream.next().await?.context("the stream ended")?;
    fixture.say("notifications/message", &message("info", 2));
    stream.message().await?;
    drop(stream);
    let mut conn = client.come_back(&first.id.context("no id")?).await?;
    let again = conn.event(&mut Vec::new()).await?.context("the stream ended")?;
    assert_eq!(again.json()["params"]["data"]["n"], 2, "it may have been lost with the connection");
    Ok(())
}

#[tokio::test]
async fn a_modern_backend_is_told_the_level_with_each_call_and_info_where_the_session_has_none() -> Result<()> {
    let (fixture, vmcp) = Vmcp::with_backend(Spec::modern("b")).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.call("b_echo", "{}").await?.result()?;
    set(&mut client, r#""error""#).await?.result()?;
    client.call("b_echo", "{}").await?.result()?;
    let mut modern = vmcp.client(Era::Modern).await?;
    modern.call("b_echo", "{}").await?.result()?;
    let calls = fixture.requests_of("tools/call");
    let levels: Vec<_> = calls.iter().map(|call| call.json()["params"]["_meta"]["io.modelcontextprotocol/logLevel"].clone()).collect();
    assert_eq!(levels, [json!("info"), json!("error"), Value::Null], "a modern caller that asks for none gets none");
    Ok(())
}
