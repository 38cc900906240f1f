//! Servers that vmcp starts: whose process it is, how it is spoken to, how it ends.

mod callers;
mod life;
#[path = "../named/mod.rs"]
mod named;
#[path = "../served/mod.rs"]
mod served;
mod talk;

use anyhow::Result;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use vmcp_tests::{client::Client, eventually, process::Vmcp};

/// The test server.
fn script() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "interop", "stdio_server.py"].iter().collect()
}

/// An entry for the test server of this kind, with these keys besides.
fn entry(name: &str, kind: &str, more: Value) -> Value {
    let mut entry = json!({ "name": name, "command": "python3", "args": [script(), kind] });
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more);
    }
    entry
}

async fn gateway(entry: Value) -> Result<Vmcp> {
    Vmcp::serve(json!({ "backends": [entry] })).await
}

/// What the server tells of its process.
async fn facts(client: &mut Client) -> Result<Value> {
    Ok(client.call("b_facts", "{}").await?.result()?["structuredContent"].take())
}

/// Whether a process runs; one that only waits to be noticed does not.
fn runs(pid: &Value) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn ends(pid: &Value) -> Result<()> {
    eventually(&format!("the end of process {pid}"), async || !runs(pid)).await
}
