//! What the end-to-end tests and the load benchmark of vmcp are made of.
//!
//! - [`fixture`]: MCP servers whose every request can be read afterwards and which fail in any way that a test asks for.
//! - [`client`]: clients that write HTTP byte by byte, so that hostile ones can be played too.
//! - [`conformance`]: the official conformance suite, run against everything that it can judge here.
//! - [`idp`]: an identity provider.
//! - [`offspring`]: what runs in a folder, and whether it is gone.
//! - [`piped`]: `vmcp stdio`, and a client at its pipe.
//! - [`process`]: the `vmcp` binary under test, with its log.
//! - [`proc_stat`]: what a process cost, for the benchmark.
//! - [`server`]: other people's servers, started.
//! - [`tools`]: other people's servers, clients and gateways, installed.
//! - [`verdict`]: what `vmcp validate` says.
//!
//! Nothing here uses vmcp's own crates: both sides of the wire are written a second time, from the specification, so that a mistake in
//! the gateway does not meet the same mistake in its test.

pub mod client;
pub mod conformance;
pub mod fixture;
pub mod idp;
pub mod offspring;
pub mod piped;
mod port;
pub mod proc_stat;
pub mod process;
pub mod server;
pub mod tools;
pub mod verdict;

use std::time::Duration;

/// How long anything in a test may take before it counts as hung. Generous, because the machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One of the two ways of speaking MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Sessions, up to 2025-11-25.
    Legacy,
    /// No sessions, 2026-07-28.
    Modern,
}

impl Era {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];
    /// The four pairings of caller era and backend era.
    pub const PAIRINGS: [(Self, Self); 4] =
        [(Self::Legacy, Self::Legacy), (Self::Legacy, Self::Modern), (Self::Modern, Self::Legacy), (Self::Modern, Self::Modern)];

    /// The newest revision of this era.
    #[must_use]
    pub fn revision(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

/// Waits until `condition` holds, looking again every 5 ms: only for what no event announces, such as another process's state.
///
/// # Errors
/// When it still does not hold after [`PATIENCE`]; the message is `what`.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let look = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.map_err(|_| anyhow::anyhow!("never came true: {what}"))
}
