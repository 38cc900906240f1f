//! Starting the suite.

use super::Outcome;
use crate::tools;
use anyhow::{Context, Result, anyhow, ensure};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};
use tokio::process::Command;

/// How long one run of the suite may take. It takes ten seconds, on a busy machine a few times as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Node and the suite's script, installed once however many ask at the same time.
fn installed() -> Result<&'static (PathBuf, PathBuf)> {
    static INSTALLED: OnceLock<Result<(PathBuf, PathBuf), String>> = OnceLock::new();
    let found = INSTALLED.get_or_init(|| tools::conformance().map_err(|error| format!("{error:#}")));
    found.as_ref().map_err(|error| anyhow!("{error}"))
}

async fn output(arguments: &[&OsStr]) -> Result<Output> {
    let (node, script) = tokio::task::spawn_blocking(installed).await??;
    let mut command = Command::new(node);
    command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output()).await.context("the suite does not end")?.context("starting node")
}

/// Runs it and leaves the results in `folder`. Says whether the suite was content, which is less than its results say, but for one thing:
/// how a client ended stands nowhere else.
async fn run(arguments: &[&str], folder: &Path) -> Result<bool> {
    let arguments = arguments.iter().copied().chain(["-o"]).map(OsStr::new).chain([folder.as_os_str()]);
    let output = output(&arguments.collect::<Vec<_>>()).await?;
    ensure!(folder.is_dir(), "the suite found nothing:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.status.success())
}

/// What the suite finds at the server at `url`: everything that `revision` requires, and what it does not score.
pub(super) async fn judge_server(url: &str, revision: &str) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let results = folder.path().join("results");
    run(&["server", "--url", url, "--requirements", revision], &results).await?;
    let mut outcome = Outcome::default();
    outcome.collect(&results, "server-")?;
    Ok(outcome)
}

/// What the suite finds when `client`, started with a server's URL, plays the client in these scenarios.
pub(super) async fn judge_client(client: &Path, revision: &str, scenarios: &[&str]) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let mut outcome = Outcome::default();
    for scenario in scenarios {
        let results = folder.path().join(scenario);
        let client = client.to_string_lossy();
        let mut arguments = vec!["client", "--command", &client, "--scenario", scenario, "--spec-version", revision];
        // Extensions are of no revision; this has the suite play them in one all the same.
        arguments.extend(scenario.starts_with("auth/client-credentials-").then_some("--force"));
        let content = run(&arguments, &results).await?;
        outcome.collect(&results, "")?;
        let scenario = outcome.scenarios.get_mut(*scenario).context("the suite ran another scenario")?;
        if !content && scenario.failures.is_empty() && scenario.warnings.is_empty() {
            scenario.failures.push("the client ended in an error, or not in time".to_owned());
        }
    }
    Ok(outcome)
}

/// The scenarios of a revision, as the suite lists them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// What it requires of a server.
    pub server: BTreeSet<String>,
    /// What it requires of a client.
    pub client: BTreeSet<String>,
    /// What it runs at a server without requiring it.
    pub server_more: BTreeSet<String>,
    /// What it runs with a client without requiring it.
    pub client_more: BTreeSet<String>,
}

/// Every scenario about authorization (`auth/…`) that the suite has for clients, of all revisions and extensions.
///
/// # Errors
/// When the suite cannot be run.
pub async fn logins() -> Result<BTreeSet<String>> {
    let text = String::from_utf8(output(&["list", "--client"].map(OsStr::new)).await?.stdout)?;
    let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("- ")?.split(' ').next());
    Ok(names.filter(|name| name.starts_with("auth/")).map(str::to_owned).collect())
}

/// What the suite says that `revision` takes.
///
/// # Errors
/// When the suite cannot be run.
pub async fn listed(revision: &str) -> Result<Listed> {
    let output = output(&["list", "--requirements", revision].map(OsStr::new)).await?;
    let text = String::from_utf8(output.stdout)?;
    let mut listed = Listed::default();
    let mut for_clients = false;
    for line in text.lines() {
        for_clients |= line.starts_with("Client scenarios");
        let Some(name) = line.trim_start().strip_prefix("- ") else { continue };
        let set = match (name.strip_suffix(" [server]"), name.strip_suffix(" [client]")) {
            (None, None) if for_clients => listed.client.insert(name.to_owned()),
            (None, None) => listed.server.insert(name.to_owned()),
            (Some(name), _) => listed.server_more.insert(name.to_owned()),
            (_, Some(name)) => listed.client_more.insert(name.to_owned()),
        };
        ensure!(set, "the suite lists {name} twice");
    }
    Ok(listed)
}
