//! What an idle client session costs in memory, and what open streams and backend sessions add.

use crate::participant::Backend;
use anyhow::{Context, Result};
use serde_json::json;
use std::fmt;
use vmcp_tests::{
    Era,
    client::{Caller, Client, Conn, Rpc, Stream},
    proc_stat,
    process::Vmcp,
};

/// How many sessions get an open stream, and how many others a backend session.
const SOME: usize = 500;

/// Resident memory, in bytes, after each step.
pub(crate) struct Idle {
    sessions: usize,
    some: usize,
    before: u64,
    idle: u64,
    streams: u64,
    backend_sessions: u64,
}

impl Idle {
    /// Bytes per idle session.
    pub(crate) fn per_session(&self) -> f64 {
        self.idle.saturating_sub(self.before) as f64 / self.sessions as f64
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64, count: usize| bytes as f64 / 1024.0 / count.max(1) as f64;
        writeln!(f, "\nResident memory of vmcp in front of two backends:\n")?;
        writeln!(f, "| step | resident MiB | KiB each |\n| --- | ---: | ---: |")?;
        writeln!(f, "| before | {:.1} | |", self.before as f64 / 1_048_576.0)?;
        let rows = [
            (format!("{} sessions after initialize and list", self.sessions), self.idle, self.before, self.sessions),
            (
                format!("{} of them with an open GET stream (with its connection, and a session and stream at each backend)", self.some),
                self.streams,
                self.idle,
                self.some,
            ),
            (
                format!("{} others of them after a call (with a session at one backend)", self.some),
                self.backend_sessions,
                self.streams,
                self.some,
            ),
        ];
        for (step, after, before, count) in rows {
            writeln!(f, "| {step} | {:.1} | {:.1} |", after as f64 / 1_048_576.0, kib(after.saturating_sub(before), count))?;
        }
        Ok(())
    }
}

async fn open(conn: &mut Conn) -> Result<Caller> {
    let mut caller = Caller::new(Era::Legacy);
    caller.initialize(conn).await?;
    caller.send(conn, &Rpc::list("tools/list", None)).await?.result()?;
    Ok(caller)
}

/// Opens the sessions over a few connections, so that connections are not what is counted.
pub(crate) async fn measure(sessions: usize) -> Result<Idle> {
    crate::report::note(&format!("opening {sessions} sessions"));
    let (one, two) = (Backend::start("one").await?, Backend::start("two").await?);
    let config = json!({
        "operational": { "logLevel": "error" },
        "backends": [{ "name": "one", "url": one.url, "protocolEra": "legacy" }, { "name": "two", "url": two.url, "protocolEra": "legacy" }],
    });
    let vmcp = Vmcp::serve(config).await?;
    let memory = || proc_stat::resident(vmcp.pid()).context("vmcp is gone");
    let mut conns = Vec::new();
    for _ in 0..8 {
        let mut conn = Conn::open(vmcp.addr()).await?;
        for _ in 0..25 {
            open(&mut conn).await?;
        }
        conns.push(conn);
    }
    let before = memory()?;
    let mut callers = Vec::new();
    for number in 0..sessions {
        callers.push(open(&mut conns[number % 8]).await?);
    }
    let idle = memory()?;
    let some = SOME.min(sessions / 2);
    let mut streams: Vec<Stream> = Vec::new();
    for caller in &callers[..some] {
        streams.push(Client::with(caller.clone(), vmcp.addr()).await?.listen().await?);
    }
    let with_streams = memory()?;
    // Those with a stream have what a call needs already.
    for caller in &mut callers[some..2 * some] {
        caller.send(&mut conns[0], &Rpc::tool("one_echo", "{}")).await?.result()?;
    }
    let backend_sessions = memory()?;
    drop(streams);
    Ok(Idle { sessions, some, before, idle, streams: with_streams, backend_sessions })
}
