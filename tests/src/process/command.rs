//! Commands of `vmcp` that run to their end.

use super::binary;
use crate::PATIENCE;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    path::Path,
    process::{Output, Stdio},
};
use tokio::process::Command;

/// Runs a command of `vmcp` to its end, in `folder`, without the caller's `VMCP_…` variables.
///
/// # Errors
/// When it cannot be started, or hangs.
pub async fn run(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = command()?;
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output()).await.context("vmcp does not end")?.context("starting vmcp")
}

/// A caller's new key and its hash, from `vmcp auth new-key`.
///
/// # Errors
/// When the command fails.
pub async fn new_key() -> Result<(String, String)> {
    let folder = tempfile::tempdir()?;
    let output = run(folder.path(), &["auth", "new-key", "--json"]).await?;
    let made: Value = serde_json::from_slice(&output.stdout)?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no member `{name}`"));
    Ok((text("key")?, text("hash")?))
}

/// The `vmcp` command without arguments and without the caller's `VMCP_…` variables, which would configure it.
///
/// # Errors
/// When the binary cannot be built.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VMCP_")) {
        command.env_remove(name);
    }
    Ok(command)
}
