//! Where the executables under test are, built when they have to be.

use anyhow::{Context, Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::SystemTime,
};

/// The path of the `vmcp` binary: `$VMCP_BIN`, or the one beside this executable, built when it is missing or older than its sources.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let find = || std::env::var_os("VMCP_BIN").map_or_else(|| built("vmcp", "crates", &["--package", "vmcp"]), |path| Ok(path.into()));
    match BINARY.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path),
        Err(error) => bail!("{error}"),
    }
}

/// The path of an example of the crate `vmcp-server`, built when it is missing or older than its sources.
///
/// # Errors
/// When it cannot be built.
pub fn example(name: &str) -> Result<PathBuf> {
    built(&format!("examples/{name}"), "crates", &["--package", "vmcp-server", "--example", name])
}

/// The path of another executable of this crate, built when it is missing or older than its sources.
///
/// # Errors
/// When it cannot be built.
pub fn beside(name: &str) -> Result<PathBuf> {
    built(name, "tests/src", &["--package", "vmcp-tests", "--bin", name])
}

/// The folder with the executables of this one's profile.
fn target() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.ancestors().skip(1).find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    Ok(folder.context("this executable is not in a target folder: set VMCP_BIN")?.to_owned())
}

/// An executable in the target folder of this one, of the sources in this folder.
fn built(name: &str, sources: &str, arguments: &[&str]) -> Result<PathBuf> {
    let folder = target()?;
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace folder")?;
    let written = path.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if newest(&root.join(sources)) > written {
        let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet"]).args(arguments).current_dir(root);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        ensure!(cargo.status().context("running cargo")?.success(), "`cargo build {}` failed", arguments.join(" "));
    }
    Ok(path)
}

/// When the newest file under a folder was written.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let times = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() { Some(newest(&entry.path())) } else { metadata.modified().ok() }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
