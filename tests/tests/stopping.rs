//! How long a stop takes when nothing ends by itself.

use anyhow::Result;
use serde_json::json;
use std::time::{Duration, Instant};
use vmcp_tests::{
    Era,
    client::Rpc,
    fixture::{Fault, Fixture, Spec},
    process::Vmcp,
};

#[tokio::test]
async fn calls_that_do_not_end_and_a_backend_that_hangs_take_one_deadline_together() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let other = Fixture::start(Spec::legacy("other")).await?;
    let limits = json!({ "shutdownTimeout": "5s" });
    let backends = json!([fixture.entry(json!({})), other.entry(json!({}))]);
    let mut vmcp = Vmcp::serve(json!({ "limits": limits, "backends": backends })).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    client.tools().await?;
    client.call("other_echo", "{}").await?.result()?;
    client.begin(&Rpc::tool("b_slow", "{}")).await?;
    fixture.until("the call", |f| f.started() == 1).await?;
    fixture.fail(Fault::Hang);
    let begun = Instant::now();
    vmcp.signal("TERM").await?;
    vmcp.ended().await?;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "took {took:?}, twice limits.shutdownTimeout is 10 s");
    assert_eq!(other.live_sessions(), 0, "the time that is left for closing sessions is enough where somebody answers");
    Ok(())
}
