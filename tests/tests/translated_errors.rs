//! Errors between the eras: each caller hears the codes of its own revision, and nothing about requests that it did not make.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{Era, client::Rpc, fixture::Spec, process::Vmcp};

#[tokio::test]
async fn a_missing_resource_has_the_code_of_the_callers_era_whoever_misses_it() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend)).await?;
        let mut client = vmcp.client(caller).await?;
        client.list("resources/list").await?;
        for (uri, asked) in [("fixture://b/nope", 1), ("nobody://has/this", 0)] {
            fixture.forget_requests();
            let error = client.send(&Rpc::read(uri)).await?.error()?;
            let expected = if caller == Era::Modern { -32602 } else { -32002 };
            let data: Value = serde_json::from_str(&error.data.clone().context("no data")?)?;
            assert_eq!((error.code, &data["uri"]), (expected, &json!(uri)), "{caller:?} {backend:?}: {}", error.message);
            assert_eq!(fixture.requests_of("resources/read").len(), asked, "{caller:?} {backend:?} {uri}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_modern_backend_says_of_vmcps_own_request_is_not_the_callers_fault() -> Result<()> {
    for caller in Era::BOTH {
        let (_fixture, vmcp) = Vmcp::with_backend(Spec::modern("b")).await?;
        let mut client = vmcp.client(caller).await?;
        for code in [-32020, -32022] {
            let reply = client.call("b_fail", &json!({ "code": code, "message": "your headers" }).to_string()).await?;
            let error = reply.error()?;
            assert_eq!((reply.status(), error.code), (200, -32603), "{caller:?} {code}: {}", error.message);
        }
    }
    Ok(())
}
