//! What a client's own DELETE leaves behind: nothing, also at a backend that wants to know whose session it is.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    client::Caller,
    fixture::{Fixture, Recorded, Spec},
    process::Vmcp,
};

async fn scene() -> Result<(Fixture, Vmcp)> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let entry = json!({ "passthroughHeaders": [{ "name": "x-token", "as": "authorization", "format": "Bearer {}", "required": true }] });
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(entry)] })).await?;
    Ok((fixture, vmcp))
}

/// Opens a session as `ann`, uses it at the backend and ends it as `leaver` would; returns the backend's DELETE.
async fn ended(fixture: &Fixture, vmcp: &Vmcp, leaver: impl Fn(Caller) -> Caller) -> Result<Recorded> {
    let mut client = vmcp.client_of(Era::Legacy).header("x-token", "ann").connect().await?;
    client.call("b_echo", "{}").await?.result()?;
    let mut bare = client.caller.clone();
    bare.headers.clear();
    assert_eq!(client.conn.exchange(&leaver(bare).delete()).await?.status(), 204);
    fixture.until("the end of the session", |f| f.requests().iter().any(|r| r.verb == "DELETE")).await?;
    let delete = fixture.requests().into_iter().find(|r| r.verb == "DELETE").context("no DELETE")?;
    assert_eq!(delete.session(), fixture.calls().last().context("no call")?.session());
    fixture.forget_requests();
    Ok(delete)
}

#[tokio::test]
async fn a_delete_goes_to_the_backend_with_the_headers_that_opened_the_session_there_and_with_no_others() -> Result<()> {
    let (fixture, vmcp) = scene().await?;
    let own = ended(&fixture, &vmcp, |caller| caller.header("x-token", "ann")).await?;
    assert_eq!(own.value("authorization"), Some("Bearer ann"));
    let other = ended(&fixture, &vmcp, |caller| caller.header("x-token", "bob")).await?;
    assert_eq!(other.value("authorization"), None, "another value than the session's is not sent in it");
    let none = ended(&fixture, &vmcp, |caller| caller).await?;
    assert_eq!(none.value("authorization"), None);
    Ok(())
}
