//! Progress notifications on a call's own stream: passed on as they come, under the caller's token.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::{Client, Reply, Rpc},
    fixture::Spec,
    process::Vmcp,
};

#[tokio::test]
async fn progress_arrives_before_the_result_under_the_callers_token() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let mut client = vmcp.client(caller).await?;
        for token in [r#""my token""#, "7"] {
            let rpc = Rpc::tool("b_progress", r#"{"steps":5}"#).meta(&format!(r#""progressToken":{token}"#));
            let reply = client.send(&rpc).await?;
            reply.result()?;
            let steps: Vec<_> = reply.notes.iter().filter(|note| note["method"] == "notifications/progress").collect();
            assert_eq!(steps.len(), 5, "{caller:?} {backend:?}: {:?}", reply.notes);
            for (index, step) in steps.iter().enumerate() {
                let params = &step["params"];
                assert_eq!(params["progressToken"].to_string(), token);
                assert_eq!((&params["progress"], &params["message"]), (&json!(index + 1), &json!(format!("step {}", index + 1))));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_step_arrives_while_the_call_is_still_running() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let mut client = vmcp.client(caller).await?;
        let rpc = Rpc::tool("b_progress", r#"{"steps":2,"hold":true}"#).meta(r#""progressToken":"t""#);
        client.start(&rpc).await?;
        let mut buffer = Vec::new();
        let first = client.conn.event(&mut buffer).await?.context("no event")?.json();
        assert_eq!(first["params"]["message"], "step 1", "{caller:?} {backend:?}: {first}");
        fixture.release(1);
        let second = client.conn.event(&mut buffer).await?.context("no second event")?.json();
        assert_eq!(second["params"]["message"], "step 2");
        let last = client.conn.event(&mut buffer).await?.context("no result")?.json();
        assert_eq!(last["result"]["content"][0]["text"], "progressed");
        assert!(client.conn.event(&mut buffer).await?.is_none(), "the stream ends with the result");
    }
    Ok(())
}

#[tokio::test]
async fn callers_with_the_same_token_get_their_own_steps() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let rpc = |steps: usize| Rpc::tool("b_progress", &format!(r#"{{"steps":{steps},"hold":true}}"#)).meta(r#""progressToken":1"#);
        let mut clients: Vec<Client> = Vec::new();
        for (index, era) in [Era::Legacy, Era::Modern, Era::Legacy].into_iter().enumerate() {
            let mut client = vmcp.client(era).await?;
            client.begin(&rpc(index + 2)).await?;
            clients.push(client);
        }
        fixture.until("three calls", |f| f.started() == 3).await?;
        fixture.release(3);
        for (index, client) in clients.iter_mut().enumerate() {
            let reply: Reply = client.finish().await?;
            assert_eq!(reply.notes.len(), index + 2, "{backend:?}: {:?}", reply.notes);
            assert!(reply.notes.iter().all(|note| note["params"]["total"] == json!(index + 2)), "somebody else's steps: {:?}", reply.notes);
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_a_token_there_is_no_progress() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let reply = vmcp.client(caller).await?.call("b_progress", r#"{"steps":3}"#).await?;
        reply.result()?;
        assert_eq!(reply.notes, Vec::<serde_json::Value>::new(), "{caller:?} {backend:?}");
    }
    Ok(())
}
