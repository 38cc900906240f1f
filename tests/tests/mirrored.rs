//! Arguments that a header repeats: header and body have to say one thing, to every reader.

use anyhow::Result;
use serde_json::json;
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn an_argument_that_a_header_repeats_cannot_stand_twice_whoever_sends_it_to_whom() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
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
async fn integers_that_a_float_cannot_tell_apart_are_a_mismatch() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
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
